import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64url, encodeBase64url } from './base64url.ts';

test('what is encoded decodes to the same bytes, as Node writes it too', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = encodeBase64url(bytes);
      assert.equal(text, Buffer.from(bytes).toString('base64url'));
      assert.deepEqual(decodeBase64url(text), new Uint8Array(bytes));
    }),
  );
});

test('text that base64url cannot have is refused', () => {
  for (const text of ['a', 'abcde', 'ab=', 'ab==', 'a+b/', 'ab c', 'ab\n', 'äb', 'ab.c'])
    assert.equal(decodeBase64url(text), undefined, text);
});

test('RFC 4648 section 3.5: one sequence of bytes has exactly one spelling', () => {
  assert.deepEqual(decodeBase64url('QQ'), new Uint8Array([0x41]));
  for (const other of ['QR', 'QS', 'Qf', 'Q_']) assert.equal(decodeBase64url(other), undefined, other);
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{0,40}$/), (text) => {
      const bytes = decodeBase64url(text);
      if (bytes) assert.equal(encodeBase64url(bytes), text);
    }),
  );
});
