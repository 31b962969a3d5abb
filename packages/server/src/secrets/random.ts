import { randomBytes } from 'node:crypto';

/** Where every random value of the server comes from; a test may hand in another. */
export type Random = (size: number) => Uint8Array;

/** The system's cryptographic randomness. */
export const systemRandom: Random = (size) => randomBytes(size);

/**
 * An id of 22 characters (16 bytes, base64url): 48 bits of time in milliseconds, then 80 random bits, so that rows of one time lie together.
 * Unguessable enough to be unique, not to be a secret.
 */
export function timeOrderedId(nowMs: number, random: Random): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.floor(nowMs), 0, 6);
  bytes.set(random(10), 6);
  return bytes.toString('base64url');
}

/** A secret of 256 random bits, base64url. */
export function randomSecret(random: Random): string {
  return Buffer.from(random(32)).toString('base64url');
}
