import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { RootKeys } from '../secrets/root-keys.ts';

/**
 * What a refresh token says. Its text: `tsr_` and base64url of key id (4 bytes), grant id (16), generation (4, big endian), grant secret (16) and an
 * HMAC-SHA256 (32) over all that stands before it.
 */
export type RefreshToken = { keyId: string; grantId: string; generation: number; secret: Uint8Array };

const prefix = 'tsr_';
const pattern = /^tsr_[A-Za-z0-9_-]{96}$/;
const sealedBytes = 40;

/** How long the secret of a grant is. */
export const grantSecretBytes = 16;

/** Highest generation a refresh token can carry. */
export const highestGeneration = 0xffffffff;

/**
 * The text of a refresh token, sealed under that root key; undefined when the key is unknown or refused. The same input gives the same text, which is how a lost
 * answer can be given again without having been stored.
 */
export function sealRefreshToken(keys: RootKeys, token: RefreshToken): string | undefined {
  const key = keys.derive(token.keyId, 'refresh-token');
  if (!key) return undefined;
  const bytes = Buffer.allocUnsafe(sealedBytes);
  bytes.write(token.keyId, 0, 4, 'base64url');
  bytes.write(token.grantId, 4, 16, 'base64url');
  bytes.writeUInt32BE(token.generation, 20);
  bytes.set(token.secret, 24);
  return prefix + Buffer.concat([bytes, createHmac('sha256', key).update(bytes).digest()]).toString('base64url');
}

/** What a refresh token says, or undefined when this server did not seal it or the key that did is refused. Reads no database. */
export function openRefreshToken(keys: RootKeys, text: string): RefreshToken | undefined {
  if (!pattern.test(text)) return undefined;
  const bytes = Buffer.from(text.slice(prefix.length), 'base64url');
  const keyId = bytes.toString('base64url', 0, 4);
  const key = keys.derive(keyId, 'refresh-token');
  if (!key) return undefined;
  const expected = createHmac('sha256', key).update(bytes.subarray(0, sealedBytes)).digest();
  if (!timingSafeEqual(expected, bytes.subarray(sealedBytes))) return undefined;
  return {
    keyId,
    grantId: bytes.toString('base64url', 4, 20),
    generation: bytes.readUInt32BE(20),
    secret: bytes.subarray(24, sealedBytes),
  };
}

/** The digest of a grant secret that the store keeps, base64url. */
export function digestGrantSecret(secret: Uint8Array): string {
  return hash('sha256', secret, 'base64url');
}
