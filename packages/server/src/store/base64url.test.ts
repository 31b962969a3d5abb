import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isBase64url } from './base64url.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n\u00e9';

it('is true for what comes back as it was when it is decoded and encoded again, of 16 or 32 bytes', () => {
  const texts = ['', 'A'.repeat(16), 'A'.repeat(21), 'A'.repeat(23), 'A'.repeat(42), 'A'.repeat(44)];
  for (const length of [22, 43]) {
    for (const last of alphabet) {
      texts.push('w'.repeat(length - 1) + last);
      texts.push(last + 'A'.repeat(length - 1));
      texts.push(`${'A'.repeat(9)}${last}${'_'.repeat(length - 11)}A`);
    }
  }
  for (const text of texts) {
    const bytes = Buffer.from(text, 'base64url');
    const expected = (bytes.length === 16 || bytes.length === 32) && bytes.toString('base64url') === text;
    assert.equal(isBase64url(text), expected, JSON.stringify(text));
  }
});
