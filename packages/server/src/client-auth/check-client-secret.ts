import type { Context } from '../context.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import { digestClientSecret, matchesClientSecret } from '../secrets/client-secret.ts';
import { liveSecretDigests } from '../secrets/client-secret-overlap.ts';
import type { ClientRecord } from '../store/records.ts';

/** Judges a client secret; an unknown client costs what a known one costs. Undefined: it is right. */
export function checkClientSecret(
  context: Pick<Context, 'rootKeys' | 'now'>,
  client: ClientRecord | undefined,
  secret: string,
): Refusal | undefined {
  const digests = client ? liveSecretDigests(client.secretDigests, context.now()) : [];
  const isRight =
    digests.length > 0
      ? digests.some((digest) => matchesClientSecret(context.rootKeys, secret, digest))
      : digestClientSecret(context.rootKeys, secret) === '';
  return isRight ? undefined : refuse('invalid_client', 'client_secret_wrong', 'client authentication failed');
}
