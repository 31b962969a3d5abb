import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { EmbeddedJWK, jwtVerify } from 'jose';
import { createDpopKey, createDpopProof } from './dpop-proof.ts';

const random = () => crypto.getRandomValues(new Uint8Array(16));

test('a proof holds what RFC 9449 section 4.2 asks, and another library verifies it', async () => {
  const key = await createDpopKey();
  const url = new URL('https://api.example.com/orders/7?secret=1#part');
  const proof = await createDpopProof({
    key,
    method: 'post',
    url,
    accessToken: 'at',
    nonce: 'n',
    now: 123,
    random: random(),
  });
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ['ES256'] });
  const { jti, ...claims } = payload;
  const ath = createHash('sha256').update('at').digest('base64url');
  assert.deepEqual(claims, { htm: 'POST', htu: 'https://api.example.com/orders/7', iat: 123, ath, nonce: 'n' });
  assert.equal(String(jti).length, 22);
  assert.deepEqual(Object.keys(protectedHeader.jwk ?? {}).sort(), ['crv', 'kty', 'x', 'y']);
});

test('a proof for the token endpoint has neither ath nor nonce unless there is one', async () => {
  const key = await createDpopKey();
  const proof = await createDpopProof({
    key,
    method: 'POST',
    url: new URL('https://a.example/token'),
    now: 1,
    random: random(),
  });
  const { payload } = await jwtVerify(proof, EmbeddedJWK);
  assert.deepEqual(Object.keys(payload).sort(), ['htm', 'htu', 'iat', 'jti']);
});

test('the private key cannot be read out', async () => {
  const { privateKey } = await createDpopKey();
  assert.equal(privateKey.extractable, false);
  await assert.rejects(crypto.subtle.exportKey('jwk', privateKey));
});
