import type { Seconds } from '@tessera/protocol';
import { digestClientSecret } from '../secrets/client-secret.ts';
import { randomSecret } from '../secrets/random.ts';
import type { ClientRecord } from '../store/records.ts';
import type { AdminContext } from './operation.ts';

/** How many secrets a client may have at once, the newest included. */
const mostSecrets = 5;

/** A fresh client secret of 256 bits, to be shown once, and the digest that is kept of it. */
export function makeClientSecret(context: Pick<AdminContext, 'random' | 'rootKeys'>): {
  secret: string;
  digest: string;
} {
  const secret = randomSecret(context.random);
  return { secret, digest: digestClientSecret(context.rootKeys, secret) };
}

/**
 * Until when the secret of this digest is good; undefined: without end. A secret that is being replaced has the time behind its digest:
 * `<root key id>.<HMAC>.<until>`.
 */
export function secretUntil(digest: string): Seconds | undefined {
  const until = digest.split('.')[2];
  return until === undefined ? undefined : Number(until);
}

/** The digests of secrets that are good now. Whoever checks a secret asks for these. */
export function liveSecretDigests(digests: readonly string[], now: Seconds): string[] {
  return digests.filter((digest) => (secretUntil(digest) ?? Number.POSITIVE_INFINITY) > now);
}

/** The digests once a new secret came: the old ones are good for `overlap` more seconds at the longest, then no more. */
export function replaceSecret(present: readonly string[], digest: string, overlap: Seconds, now: Seconds): string[] {
  const old = liveSecretDigests(present, now).map((one) => {
    const until = Math.min(secretUntil(one) ?? Number.POSITIVE_INFINITY, now + overlap);
    return `${one.split('.').slice(0, 2).join('.')}.${until}`;
  });
  return [digest, ...liveSecretDigests(old, now)].slice(0, mostSecrets);
}

/**
 * Removes the digests of secrets whose overlap is over, of at most that many clients from `after` on. Called by the server's upkeep now and then; they are
 * refused without it. Returns where to go on, or undefined at the end.
 */
export async function sweepClientSecrets(
  context: Pick<AdminContext, 'store' | 'registry' | 'now'>,
  limit: number,
  after?: string,
): Promise<string | undefined> {
  const { items, next } = await context.store.list('client', { limit, ...(after === undefined ? {} : { after }) });
  for (const record of items) await dropLapsed(context, record);
  return next;
}

async function dropLapsed(
  context: Pick<AdminContext, 'store' | 'registry' | 'now'>,
  record: ClientRecord,
): Promise<void> {
  const secretDigests = liveSecretDigests(record.secretDigests, context.now());
  if (secretDigests.length === record.secretDigests.length) return;
  // A conflict means that somebody changed the client meanwhile; the next sweep sees it again.
  await context.store.commit([
    { change: 'put', kind: 'client', expect: record.version, record: { ...record, secretDigests } },
  ]);
  context.registry.forgetClient(record.clientId);
}
