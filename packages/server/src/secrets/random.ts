import { randomBytes } from 'node:crypto';

/** Where every random value of the server comes from; a test may hand in another. */
export type Random = (size: number) => Uint8Array;

/** How many random bytes are drawn from the system at once: asking it for each id would cost more than the id. */
const poolBytes = 4096;
let pool = Buffer.alloc(0);

/** The system's cryptographic randomness. Bytes are handed out once. */
export const systemRandom: Random = (size) => {
  if (size > poolBytes / 8) return randomBytes(size);
  if (pool.length < size) pool = randomBytes(poolBytes);
  const bytes = pool.subarray(0, size);
  pool = pool.subarray(size);
  return bytes;
};

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

/** A random id, base64url. It never begins with a dash, which a command line would take for an option. */
export function randomId(random: Random, bytes: number): string {
  return withoutDash(Buffer.from(random(bytes)).toString('base64url'));
}

/** The id with another letter for a dash at its beginning. */
export function withoutDash(id: string): string {
  return id.startsWith('-') ? `A${id.slice(1)}` : id;
}

/** A secret of 256 random bits, base64url. */
export function randomSecret(random: Random): string {
  return Buffer.from(random(32)).toString('base64url');
}
