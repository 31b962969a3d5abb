const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * The text of a file an operator wrote, without the byte order mark that some editors put before it; undefined when it is not UTF-8: read all the same, a
 * password would silently be another one.
 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
