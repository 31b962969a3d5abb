import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatChallenge } from './challenge.ts';

test('a challenge lists its parameters in order and leaves out what is undefined', () => {
  assert.equal(
    formatChallenge('Bearer', { realm: 'api', error: undefined, scope: 'a b' }),
    'Bearer realm="api", scope="a b"',
  );
  assert.equal(formatChallenge('DPoP', {}), 'DPoP');
  assert.equal(formatChallenge('Bearer', { error: undefined }), 'Bearer');
});

test('no value breaks out of its quotes or out of the header', () => {
  const attack = 'x", error="none"\r\nSet-Cookie: a=b\\';
  assert.equal(
    formatChallenge('Bearer', { error_description: attack }),
    'Bearer error_description="x, error=noneSet-Cookie: a=b"',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      assert.match(formatChallenge('Bearer', { a: value }), /^Bearer a="[\x20\x21\x23-\x5b\x5d-\x7e]*"$/);
    }),
  );
});
