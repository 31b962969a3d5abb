import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import type { Purpose, RootKeys } from './root-keys.ts';

const saltBytes = 16;
const tagBytes = 16;
const keyIdBytes = 4;
const zeroNonce = Buffer.alloc(12);

/**
 * Seals a value so that only this server can read or make it: AES-256-GCM under a key used once, derived from a random salt; the purpose is
 * part of the key. Text: base64url of key id (4 bytes), salt (16), ciphertext, tag (16).
 */
export function seal(
  keys: RootKeys,
  purpose: Purpose,
  value: unknown,
  randomBytes: (size: number) => Uint8Array,
): string {
  const salt = randomBytes(saltBytes);
  const cipher = createCipheriv('aes-256-gcm', onceKey(keys.deriveCurrent(purpose), salt), zeroNonce);
  const body = cipher.update(JSON.stringify(value), 'utf8');
  const end = cipher.final();
  return Buffer.concat([Buffer.from(keys.currentId, 'base64url'), salt, body, end, cipher.getAuthTag()]).toString(
    'base64url',
  );
}

/** What was sealed for that purpose, or undefined for anything else. Never throws. */
export function unseal(keys: RootKeys, purpose: Purpose, text: string): unknown {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length <= keyIdBytes + saltBytes + tagBytes) return undefined;
  // One text, one value: base64url that decodes to the same bytes in another spelling is refused.
  if (bytes.toString('base64url') !== text) return undefined;
  const key = keys.derive(bytes.subarray(0, keyIdBytes).toString('base64url'), purpose);
  if (!key) return undefined;
  const salt = bytes.subarray(keyIdBytes, keyIdBytes + saltBytes);
  const decipher = createDecipheriv('aes-256-gcm', onceKey(key, salt), zeroNonce);
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  try {
    const body = decipher.update(bytes.subarray(keyIdBytes + saltBytes, bytes.length - tagBytes));
    return JSON.parse(Buffer.concat([body, decipher.final()]).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The id of the root key a value was sealed under: its first four bytes. */
export function sealedUnder(sealed: string): string {
  return Buffer.from(sealed, 'base64url').subarray(0, keyIdBytes).toString('base64url');
}

/** Compares two texts in time that depends on their lengths alone. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

function onceKey(key: KeyObject, salt: Uint8Array): KeyObject {
  return createSecretKey(createHmac('sha256', key).update(salt).digest());
}
