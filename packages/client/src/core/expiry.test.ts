import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeBase64url } from './base64url.ts';
import { describeToken } from './describe-token.ts';
import { type Expiring, expiresIn, isExpired } from './expiry.ts';

const part = (value: unknown) => encodeBase64url(new TextEncoder().encode(JSON.stringify(value)));
const jwt = (claims: unknown) => `${part({ alg: 'ES256' })}.${part(claims)}.c2ln`;
const now = 1000;

const cases: [name: string, token: Expiring, skew: number, left: number | undefined, expired: boolean][] = [
  ['valid for a while', jwt({ exp: 1900 }), 0, 900, false],
  ['in its last second', jwt({ exp: 1001 }), 0, 1, false],
  ['on its expiry: "on or after" is over', jwt({ exp: 1000 }), 0, 0, true],
  ['long expired', jwt({ exp: 400 }), 0, -600, true],
  ['expired at zero', jwt({ exp: 0 }), 0, -1000, true],
  ['valid, but within the skew', jwt({ exp: 1030 }), 30, 0, true],
  ['valid beyond the skew', jwt({ exp: 1031 }), 30, 1, false],
  ['expired, but a negative skew forgives', jwt({ exp: 990 }), -30, 20, false],
  ['with a fraction', jwt({ exp: 1000.9 }), 0, 0, true],
  ['without expiry', jwt({ sub: 'a' }), 0, undefined, true],
  ['with an expiry that is text', jwt({ exp: '1900' }), 0, undefined, true],
  ['opaque', 'v1.opaque', 0, undefined, true],
  ['empty', '', 0, undefined, true],
  ['a token set', { expiresAt: 1060 }, 0, 60, false],
  ['a token set within the skew', { expiresAt: 1060 }, 60, 0, true],
  ['a token set that does not say', {}, 0, undefined, true],
  ['a token set with rubbish', { expiresAt: Number.NaN }, 0, undefined, true],
  ['not a token at all', null as unknown as string, 0, undefined, true],
];

for (const [name, token, skew, left, expired] of cases) {
  test(`B9: a token ${name}: ${left ?? 'unknown'} seconds left, ${expired ? 'expired' : 'good'}`, () => {
    assert.equal(expiresIn(token, { skew, now }), left);
    assert.equal(isExpired(token, { skew, now }), expired);
  });
}

test('B9: without a given time the system clock counts', () => {
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;
  assert.equal(isExpired(jwt({ exp: inAnHour })), false);
  assert.equal(isExpired(jwt({ exp: inAnHour - 7200 })), true);
});

test('C15, C16: describeToken shows a JWT with its countdown and nothing of an opaque token', () => {
  assert.deepEqual(describeToken(jwt({ exp: 1900, sub: 'a' }), { now }), {
    form: 'jwt',
    header: { alg: 'ES256' },
    claims: { exp: 1900, sub: 'a' },
    expiresIn: 900,
  });
  assert.deepEqual(describeToken('rt~secret'), { form: 'opaque', length: 9 });
});
