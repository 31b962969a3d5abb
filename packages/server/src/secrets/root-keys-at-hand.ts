import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { RootKeyError } from './root-key-file.ts';

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
  const { inspectPostgres } = await import('../store/postgres/inspect.ts');
  if ((await inspectPostgres(store)).signingKeys.length === 0) return;
  throw new RootKeyError(
    `the database belongs to servers whose root keys are not here; copy their root-keys.json to ${file}, or set TESSERA_ROOT_KEYS`,
  );
}
