/**
 * The form in which usernames and e-mail addresses are compared: NFKC, then lower case. Applied again after lowering, because lowering can
 * undo the normal form. Source: the compatibility caseless match of the Unicode Standard, section 3.13, as far as `toLowerCase` goes.
 */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase().normalize('NFKC');
}
