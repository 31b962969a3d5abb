import { hash, timingSafeEqual } from 'node:crypto';
import type { Context } from '../context.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import { digestClientSecret, matchesClientSecret } from '../secrets/client-secret.ts';
import { liveSecretDigests } from '../secrets/client-secret-overlap.ts';
import type { ClientRecord } from '../store/records.ts';

/** Digests of the secrets that were right for a client as it stands: the next look is a hash instead of an HMAC. */
const proven = new WeakMap<ClientRecord, Buffer>();

/** Judges a client secret; an unknown client costs what a known one costs. Undefined: it is right. */
export function checkClientSecret(
  context: Pick<Context, 'rootKeys' | 'now'>,
  client: ClientRecord | undefined,
  secret: string,
): Refusal | undefined {
  const presented = hash('sha256', secret, 'buffer');
  const known = client && proven.get(client);
  if (known !== undefined && timingSafeEqual(known, presented)) return undefined;
  const digests = client ? liveSecretDigests(client.secretDigests, context.now()) : [];
  const isRight =
    digests.length > 0
      ? digests.some((digest) => matchesClientSecret(context.rootKeys, secret, digest))
      : digestClientSecret(context.rootKeys, secret) === '';
  if (!isRight) return refuse('invalid_client', 'client_secret_wrong', 'client authentication failed');
  // A secret that is being replaced has an end, which only the digests tell.
  if (client && client.secretDigests.length === 1) proven.set(client, presented);
  return undefined;
}
