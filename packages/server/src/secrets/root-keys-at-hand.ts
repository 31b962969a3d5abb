import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { signingKeysIn } from '../store/open-store.ts';
import type { SigningKeyRecord } from '../store/records.ts';
import { RootKeyError } from './root-key-file.ts';
import type { RootKeys } from './root-keys.ts';
import { sealedUnder, unseal } from './sealed.ts';

/**
 * Refuses to go on without root keys beside a database that has servers already: fresh ones would open nothing of theirs, and make signing keys that they cannot
 * open. Call before `readRootKeys`, which makes keys where there are none, and looks for the embedded store itself. Throws `RootKeyError`.
 */
export async function assertRootKeysAtHand(
  { data, store }: Pick<Config, 'data' | 'store'>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const file = join(data, 'root-keys.json');
  if (store === undefined || env.TESSERA_ROOT_KEYS || existsSync(file)) return;
  if ((await signingKeysIn(store)).length === 0) return;
  throw new RootKeyError(
    `the database belongs to servers whose root keys are not here; copy their root-keys.json to ${file}, or set TESSERA_ROOT_KEYS`,
  );
}

/**
 * Refuses to go on with root keys that are not those of the store's servers: with them no refresh token and no secret of the others opens, and every signing key would seem to need a
 * successor, which the others could not use. A key under a root key that was refused is no sign of that. Throws `RootKeyError`, which names ids and no secret.
 */
export function assertRootKeysOpen(rootKeys: RootKeys, signingKeys: readonly SigningKeyRecord[]): void {
  const foreign = signingKeys.find(
    (key) => (key.state === 'current' || key.state === 'next') && isForeign(rootKeys, key),
  );
  if (foreign === undefined) return;
  const id = sealedUnder(foreign.encryptedPrivateJwk);
  const here = rootKeys.acceptedIds.join(', ');
  const what =
    rootKeys.stateOf(id) === undefined
      ? `the store's signing keys are sealed under root key ${id}, which is not among those here (${here})`
      : `root key ${id} is not the one under which the store's signing keys are sealed, it only has its id`;
  throw new RootKeyError(
    `${what}: bring the root keys of the servers of this store, as root-keys.json or in TESSERA_ROOT_KEYS; lost for good? docs/operations.md says how to go on without them`,
  );
}

function isForeign(rootKeys: RootKeys, { encryptedPrivateJwk: sealed }: SigningKeyRecord): boolean {
  return rootKeys.stateOf(sealedUnder(sealed)) !== 'refused' && unseal(rootKeys, 'stored-secret', sealed) === undefined;
}
