// The last character of each length has bits to spare, which are zero: then no other text stands for the same bytes.
const exactly16Bytes = /^[A-Za-z0-9_-]{21}[AQgw]$/;
const exactly32Bytes = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** Whether a text is what base64url makes of 16 or 32 bytes: decoded and encoded again it is the same text. */
export function isBase64url(text: string): boolean {
  if (text.length === 22) return exactly16Bytes.test(text);
  return text.length === 43 && exactly32Bytes.test(text);
}
