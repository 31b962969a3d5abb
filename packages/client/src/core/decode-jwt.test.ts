import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { encodeBase64url } from './base64url.ts';
import { type DecodedJwt, decodeJwt } from './decode-jwt.ts';

const part = (value: unknown) =>
  encodeBase64url(new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)));
const jwt = (claims: unknown, header: unknown = { alg: 'ES256' }, signature = 'c2ln') =>
  `${part(header)}.${part(claims)}.${signature}`;

type Refusal = Extract<DecodedJwt, { ok: false }>['reason'];
const refused: [name: string, token: unknown, reason: Refusal][] = [
  ['undefined', undefined, 'not_a_string'],
  ['a number', 42, 'not_a_string'],
  ['an object', {}, 'not_a_string'],
  ['the empty text', '', 'not_three_parts'],
  ['an opaque token', 'x7f9-opaque', 'not_three_parts'],
  ['two parts', `${part({})}.${part({})}`, 'not_three_parts'],
  ['five parts, an encrypted token', 'a.b.c.d.e', 'not_three_parts'],
  ['three empty parts', '..', 'not_three_parts'],
  ['padding', `${part({})}=.${part({})}.c2ln`, 'not_base64url'],
  ['plain base64', `${part({})}.a+/b.c2ln`, 'not_base64url'],
  ['a space', `${part({})} .${part({})}.c2ln`, 'not_base64url'],
  ['a length no encoder makes', `${part({})}.abcde.c2ln`, 'not_base64url'],
  ['a signature that is not base64url', jwt({}, {}, 'sig!'), 'not_base64url'],
  ['claims that are not JSON', jwt('{"exp":'), 'not_json'],
  ['a header that is not JSON', jwt({}, 'nope'), 'not_json'],
  ['bytes that are not UTF-8', `${part({})}.${encodeBase64url(Uint8Array.of(0x22, 0xff, 0x22))}.c2ln`, 'not_json'],
  ['claims that are a list', jwt('[1]'), 'not_an_object'],
  ['claims that are null', jwt('null'), 'not_an_object'],
  ['a header that is text', jwt({}, '"a"'), 'not_an_object'],
  ['an expiry that is text', jwt({ exp: '1700000000' }), 'bad_claim'],
  ['an expiry beyond all numbers', jwt('{"exp":1e999}'), 'bad_claim'],
  ['a subject that is a number', jwt({ sub: 7 }), 'bad_claim'],
  ['an audience of numbers', jwt({ aud: [1] }), 'bad_claim'],
];

for (const [name, token, reason] of refused) {
  test(`B9: decodeJwt says ${reason} for ${name}`, () => assert.deepEqual(decodeJwt(token), { ok: false, reason }));
}

test('B9: decodeJwt gives header and claims, in any script', () => {
  const claims = { sub: 'älïce', name: '小明 🎉', exp: 10, aud: ['a', 'b'], custom: { deep: true } };
  assert.deepEqual(decodeJwt(jwt(claims, { alg: 'none' })), { ok: true, header: { alg: 'none' }, claims });
});

test('B9: decodeJwt takes a token without signature apart; it decodes and does not verify', () => {
  assert.equal(decodeJwt(jwt({ sub: 'a' }, { alg: 'none' }, '')).ok, true);
});

test('B9: decodeJwt never throws, whatever it is given', () => {
  fc.assert(fc.property(fc.anything(), (value) => typeof decodeJwt(value).ok === 'boolean'));
  fc.assert(
    fc.property(
      fc.string(),
      fc.string(),
      fc.string(),
      (a, b, c) => typeof decodeJwt(`${a}.${b}.${c}`).ok === 'boolean',
    ),
  );
});
