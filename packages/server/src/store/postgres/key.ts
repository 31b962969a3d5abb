import { isBase64url } from '../base64url.ts';

// The first byte tells which of the two it is, so that both keep their order and neither can be taken for the other.
const packed = 1;
const plain = 0;

/**
 * An id as it is stored: the 16 or 32 bytes it is base64url of, which keeps rows short and time-ordered ids in their order, else its text in UTF-8.
 * Lossless: what would not come back as it was stays text.
 */
export function packKey(id: string): Buffer {
  if (isBase64url(id)) {
    const bytes = Buffer.allocUnsafe(id.length === 22 ? 17 : 33);
    bytes[0] = packed;
    bytes.write(id, 1, 'base64url');
    return bytes;
  }
  return Buffer.concat([Buffer.of(plain), Buffer.from(id)]);
}

/** The id that was stored. */
export function unpackKey(key: Buffer): string {
  return key.subarray(1).toString(key[0] === packed ? 'base64url' : 'utf8');
}

/** A text that is looked up and sorted by its bytes. In a column of bytes any character may stand, NUL included, whatever the collation of the database. */
export function packText(text: string): Buffer {
  return Buffer.from(text);
}

/** The text that was stored. */
export function unpackText(bytes: Buffer): string {
  return bytes.toString('utf8');
}

/** The first bytes after every text with that prefix: UTF-8 never holds the byte 0xff. */
export function afterPrefix(prefix: string): Buffer {
  return Buffer.concat([Buffer.from(prefix), Buffer.of(0xff)]);
}

/** SQL: the text, in bytes, of an id that stands packed in that column. */
export function textOfKey(column: string): string {
  return `CASE get_byte(${column}, 0)
    WHEN ${packed} THEN convert_to(rtrim(translate(encode(substr(${column}, 2), 'base64'), '+/', '-_'), '='), 'UTF8')
    ELSE substr(${column}, 2) END`;
}
