import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { encodeBase64url } from './base64url.ts';
import { decodeJwt } from './jwt.ts';

const part = (value: unknown) => encodeBase64url(new TextEncoder().encode(JSON.stringify(value)));

test('a JWT is taken apart into header, payload and signature', async () => {
  const token = await new SignJWT({ sub: 'ä', n: 1 })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'k' })
    .sign(new Uint8Array(32));
  const decoded = decodeJwt(token);
  assert.deepEqual(decoded?.header, { alg: 'HS256', typ: 'at+jwt', kid: 'k' });
  assert.deepEqual(decoded?.payload, { sub: 'ä', n: 1 });
  assert.equal(decoded?.signature.length, 32);
});

test('what is not a compact JWS with JSON objects is undefined, never thrown', () => {
  const header = part({ alg: 'ES256' });
  const bad = {
    empty: '',
    opaque: 'c29tZXRoaW5n',
    'two parts': `${header}.${part({})}`,
    'four parts': `${header}.${part({})}.AA.AA`,
    'five parts, as an encrypted token': `${header}.AA.AA.AA.AA`,
    'a million dots': '.'.repeat(1_000_000),
    'a header that is an array': `${part([])}.${part({})}.AA`,
    'a header that is null': `${part(null)}.${part({})}.AA`,
    'a payload that is text': `${header}.${part('x')}.AA`,
    'a payload that is no JSON': `${header}.AAAA.AA`,
    'no alg': `${part({ typ: 'JWT' })}.${part({})}.AA`,
    'alg that is a number': `${part({ alg: 1 })}.${part({})}.AA`,
    'typ that is a number': `${part({ alg: 'ES256', typ: 1 })}.${part({})}.AA`,
    'typ that is null': `${part({ alg: 'ES256', typ: null })}.${part({})}.AA`,
    'kid that is an object': `${part({ alg: 'ES256', kid: {} })}.${part({})}.AA`,
    'padding in the signature': `${header}.${part({})}.AA==`,
    'bytes that are not UTF-8': `${header}.${encodeBase64url(new Uint8Array([0x22, 0xff, 0x22]))}.AA`,
  };
  for (const [name, token] of Object.entries(bad)) assert.equal(decodeJwt(token), undefined, name);
  fc.assert(fc.property(fc.string(), (text) => decodeJwt(text) === undefined || text.split('.').length === 3));
});

test('a claim named __proto__ changes nothing but itself', () => {
  const payload = encodeBase64url(new TextEncoder().encode('{"__proto__":{"admin":true}}'));
  const decoded = decodeJwt(`${part({ alg: 'ES256' })}.${payload}.AA`);
  assert.equal(decoded?.payload.admin, undefined);
  assert.equal(({} as { admin?: boolean }).admin, undefined);
});
