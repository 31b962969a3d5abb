import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { encodeEcdsaSignature, importVerificationKey, type VerificationKey, verifySignature } from './signature.ts';

test('what jose signs is verified, a hundred times per algorithm', async () => {
  for (const alg of ['ES256', 'RS256', 'EdDSA']) {
    const pair = await generateKeyPair(alg, { extractable: true });
    const key = {
      ...importVerificationKey({ ...(await exportJWK(pair.publicKey)), kid: 'k' }),
      number: 1,
    } as VerificationKey;
    for (let i = 0; i < (alg === 'RS256' ? 10 : 100); i++) {
      const token = await new SignJWT({ i }).setProtectedHeader({ alg }).sign(pair.privateKey);
      const signature = Buffer.from(token.split('.')[2] as string, 'base64url');
      assert.equal(verifySignature(key, token, signature), true, `${alg} ${i}`);
      assert.equal(verifySignature(key, `x${token}`, signature), false);
    }
  }
});

test('RFC 7518 section 3.4: an ES256 signature has 64 bytes, however right its numbers are', async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const key = {
    ...importVerificationKey({ ...(await exportJWK(pair.publicKey)), kid: 'k' }),
    number: 1,
  } as VerificationKey;
  const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256' }).sign(pair.privateKey);
  const signature = Buffer.from(token.split('.')[2] as string, 'base64url');
  const padded = Buffer.concat([Buffer.alloc(1), signature.subarray(0, 32), Buffer.alloc(1), signature.subarray(32)]);
  assert.equal(verifySignature(key, token, signature), true);
  assert.equal(verifySignature(key, token, padded), false);
});

test('RFC 3279 section 2.2.3: the integers of a DER signature are minimal and not negative', () => {
  const raw = new Uint8Array(64);
  raw[31] = 1;
  raw[32] = 0x80;
  const der = encodeEcdsaSignature(raw);
  assert.deepEqual([...der.subarray(0, 8)], [0x30, 38, 0x02, 1, 1, 0x02, 33, 0]);
  assert.equal(der[8], 0x80);
  assert.equal(der.length, 40);
  assert.deepEqual([...encodeEcdsaSignature(new Uint8Array(64))], [0x30, 6, 0x02, 1, 0, 0x02, 1, 0]);
  assert.equal(encodeEcdsaSignature(new Uint8Array(64).fill(0xff)).length, 72);
});

test('keys that must not verify are not imported', async () => {
  const small = await generateKeyPair('RS256', { extractable: true, modulusLength: 2048 });
  const rsa = await exportJWK(small.publicKey);
  assert.ok(importVerificationKey({ ...rsa, kid: 'k' }));
  const short = 'AQAB'.repeat(43).slice(0, 171);
  for (const jwk of [
    null,
    5,
    {},
    rsa,
    { ...rsa, kid: 5 },
    { ...rsa, kid: 'k', n: short },
    { ...rsa, kid: 'k', alg: 'PS256' },
    { ...rsa, kid: 'k', use: 'enc' },
    { kty: 'EC', kid: 'k' },
    { kty: 'OKP', crv: 'X25519', x: 'AA', kid: 'k' },
  ])
    assert.equal(importVerificationKey(jwk), undefined, JSON.stringify(jwk)?.slice(0, 80));
});

test('a private key in a JWKS is held as its public half only', async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const imported = importVerificationKey({ ...(await exportJWK(pair.privateKey)), kid: 'k' });
  assert.equal(imported?.key.type, 'public');
});
