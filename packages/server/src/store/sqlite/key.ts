import { isBase64url } from '../base64url.ts';

/** What a column of ids holds: 16 or 32 bytes where the id is base64url of them, else the text itself. */
export type Key = Uint8Array | string;

/**
 * An id as it is stored. Ids of 22 characters (16 bytes) and digests of 43 (32 bytes) become BLOBs, which keeps rows short and, for
 * time-ordered ids, puts new rows at the end of the tree. Lossless: what would not come back as it was stays text.
 */
export function packKey(id: string): Key {
  return isBase64url(id) ? Buffer.from(id, 'base64url') : id;
}

/** The id that was stored. */
export function unpackKey(key: Key): string {
  if (typeof key === 'string') return key;
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64url');
}
