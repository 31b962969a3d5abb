import { createHmac } from 'node:crypto';
import type { RootKeys } from './root-keys.ts';
import { sameText } from './sealed.ts';

/**
 * The keyed digest under which a client secret is kept: `<root key id>.<HMAC>`. Client secrets are random and at least 128 bits strong, so a fast
 * digest under a key that is not in the database is enough; passwords are hashed by argon2id instead.
 */
export function digestClientSecret(keys: RootKeys, secret: string): string {
  return keys.authenticate('client-secret', secret);
}

/** True when the secret has that digest. A digest under a refused root key matches nothing. */
export function matchesClientSecret(keys: RootKeys, secret: string, digest: string): boolean {
  const [id, expected] = digest.split('.');
  const key = id === undefined ? undefined : keys.derive(id, 'client-secret');
  if (!key || expected === undefined) return false;
  return sameText(createHmac('sha256', key).update(secret).digest('base64url'), expected);
}
