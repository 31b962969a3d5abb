import type { JWK } from 'jose';
import { choice, flag, list } from '../config/value-schemas.ts';
import type { Actor } from '../events/event-types.ts';
import { tokensUntil } from '../sessions/tokens-until.ts';
import type { SigningKeyRecord } from '../store/records.ts';
import { readSigningKeys, revokeSigningKey, rotateByCommand } from '../tokens/key-rotation.ts';
import { type SigningAlgorithm, signingAlgorithms } from '../tokens/signing-keys.ts';
import { type AdminContext, done, type Outcome, readInput, refuse } from './operation.ts';

/** A signing key as administrators see one: its public half, its state, its times. */
export type SigningKey = Omit<SigningKeyRecord, 'encryptedPrivateJwk' | 'version' | 'publicJwk'> & { publicJwk: JWK };

/** What rotating keys takes. */
export const rotateKeysShape = {
  algorithms: list(choice(signingAlgorithms as readonly [SigningAlgorithm, ...SigningAlgorithm[]]))
    .min(1, { error: 'is empty; expected at least one algorithm' })
    .default([...signingAlgorithms])
    .meta({ description: 'Of which algorithms.', example: ['ES256'] }),
  atOnce: flag()
    .default(false)
    .meta({ description: 'True: the successors sign at once instead of after being announced.' }),
};

/** All signing keys, by algorithm, newest first. */
export async function listKeys(context: AdminContext): Promise<Outcome<{ items: SigningKey[] }>> {
  return done({ items: viewKeys(await readSigningKeys(context.store)) });
}

/**
 * Begins a rotation: successors are announced and sign after the configured time, or, with `atOnce`, sign at once. Neither fails a request.
 */
export async function rotateKeys(
  context: AdminContext,
  actor: Actor,
  input: unknown,
): Promise<Outcome<{ items: SigningKey[] }>> {
  const read = readInput(rotateKeysShape, input);
  if (read.kind === 'refuse') return read;
  await rotateByCommand(context, read.value.algorithms, read.value.atOnce, actor);
  return reload(context);
}

/** Revokes a compromised key: whatever it signed is refused here and, within a second, at the edges. Its successor signs at once. */
export async function revokeKey(
  context: AdminContext,
  actor: Actor,
  kid: string,
): Promise<Outcome<{ items: SigningKey[] }>> {
  const until = await tokensUntil(context, context.now());
  if (await revokeSigningKey(context, kid, until, actor)) return reload(context);
  return refuse('not_found', `there is no signing key "${kid}"`);
}

async function reload(context: AdminContext): Promise<Outcome<{ items: SigningKey[] }>> {
  // This process goes on with them at once; the others hear of it by the event.
  await context.signingKeys.reload(() => readSigningKeys(context.store));
  return done({ items: viewKeys(context.signingKeys.records) });
}

function viewKeys(records: readonly SigningKeyRecord[]): SigningKey[] {
  return records
    .toSorted((a, b) => a.algorithm.localeCompare(b.algorithm) || b.createdAt - a.createdAt)
    .map(({ encryptedPrivateJwk: _private, version: _version, ...rest }) => rest);
}
