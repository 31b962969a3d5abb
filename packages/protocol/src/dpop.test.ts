import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';
import { accessTokenHash, type DpopExpectation, verifyDpopProof } from './dpop.ts';

const now = 1_800_000_000;
const url = 'https://api.example.com/orders';
const expected: DpopExpectation = { method: 'GET', url, now };
const pair = await generateKeyPair('ES256', { extractable: true });
const jwk = await exportJWK(pair.publicKey);

type Change = { header?: Record<string, unknown>; claims?: Record<string, unknown>; key?: CryptoKey | Uint8Array };

function proofWith({ header, claims, key }: Change = {}): Promise<string> {
  return new SignJWT({ jti: 'j1', iat: now, htm: 'GET', htu: url, ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header } as JWTHeaderParameters)
    .sign(key ?? pair.privateKey, { crit: { 'x-later': true } });
}

test('a proof that holds tells its key, its id and how long to remember it', async () => {
  const verdict = await verifyDpopProof(await proofWith({ claims: { nonce: 'n1' } }), expected);
  assert.ok(verdict.ok);
  assert.equal(verdict.proof.jkt, await calculateJwkThumbprint(jwk));
  assert.equal(verdict.proof.nonce, 'n1');
  assert.equal(verdict.proof.jti, 'j1');
  const last = verdict.proof.forgetAt - 1;
  assert.equal((await verifyDpopProof(await proofWith(), { ...expected, now: now + 65 })).ok, true);
  assert.ok(last >= now + 65, 'forgotten only when the proof is refused for its age');
});

test('every asymmetric algorithm on the list is accepted', async () => {
  for (const alg of ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519']) {
    const keys = await generateKeyPair(alg, { extractable: true });
    const proof = await proofWith({ header: { alg, jwk: await exportJWK(keys.publicKey) }, key: keys.privateKey });
    assert.equal((await verifyDpopProof(proof, expected)).ok, true, alg);
  }
});

test('RFC 9449 section 4.3: each check that fails refuses the proof', async () => {
  const other = await generateKeyPair('ES256', { extractable: true });
  const privateJwk = await exportJWK(pair.privateKey);
  const secret = new Uint8Array(32);
  const good = await proofWith();
  const [head, body, signature] = good.split('.') as [string, string, string];
  const proofs: Record<string, string> = {
    empty: '',
    'not a JWS': 'abc',
    'too long': await proofWith({ claims: { pad: 'x'.repeat(9000) } }),
    'two proofs in one header': `${good}, ${good}`,
    'wrong typ': await proofWith({ header: { typ: 'JWT' } }),
    'no typ': await proofWith({ header: { typ: undefined } }),
    'alg none': `${Buffer.from(JSON.stringify({ alg: 'none', typ: 'dpop+jwt', jwk })).toString('base64url')}.${body}.`,
    'HS256 with its own secret in the header': await proofWith({
      header: { alg: 'HS256', jwk: { kty: 'oct', k: Buffer.from(secret).toString('base64url') } },
      key: secret,
    }),
    'no jwk': await proofWith({ header: { jwk: undefined } }),
    'jwk is null': await proofWith({ header: { jwk: null } }),
    'jwk is an array': await proofWith({ header: { jwk: [] } }),
    'private key in the header': await proofWith({ header: { jwk: privateJwk } }),
    'signed by another key': await proofWith({ key: other.privateKey }),
    'tampered signature': `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
    'unknown critical header': await proofWith({ header: { crit: ['x-later'], 'x-later': 1 } }),
    'no jti': await proofWith({ claims: { jti: undefined } }),
    'empty jti': await proofWith({ claims: { jti: '' } }),
    'endless jti': await proofWith({ claims: { jti: 'x'.repeat(257) } }),
    'no iat': await proofWith({ claims: { iat: undefined } }),
    'iat in the future': await proofWith({ claims: { iat: now + 6 } }),
    'iat too old': await proofWith({ claims: { iat: now - 66 } }),
    'another method': await proofWith({ claims: { htm: 'POST' } }),
    'method in lower case': await proofWith({ claims: { htm: 'get' } }),
    'no htu': await proofWith({ claims: { htu: undefined } }),
    'another path': await proofWith({ claims: { htu: 'https://api.example.com/other' } }),
    'another host': await proofWith({ claims: { htu: 'https://api.example.org/orders' } }),
    'another scheme': await proofWith({ claims: { htu: 'http://api.example.com/orders' } }),
    'another port': await proofWith({ claims: { htu: 'https://api.example.com:8443/orders' } }),
    'htu that is a path': await proofWith({ claims: { htu: '/orders' } }),
    'nonce that is a number': await proofWith({ claims: { nonce: 1 } }),
  };
  for (const [name, proof] of Object.entries(proofs)) {
    const verdict = await verifyDpopProof(proof, expected);
    assert.equal(verdict.ok, false, name);
  }
});

test('RFC 9449 section 4.3, check 11: a fresh nonce of ours tells the time where iat does not', async () => {
  const nonces = { isFresh: (nonce: string) => nonce === 'ours', lifetime: 120 };
  for (const iat of [now + 6, now - 66, now + 86_400, now - 86_400, 1e300]) {
    const late = async (claims: object, more: object = {}) =>
      verifyDpopProof(await proofWith({ claims: { iat, ...claims } }), { ...expected, nonces, ...more });
    for (const nonce of [undefined, 'theirs']) {
      const verdict = await late({ nonce });
      assert.ok(!verdict.ok && verdict.isUntimely, `${iat} ${nonce}`);
    }
    const verdict = await late({ nonce: 'ours' });
    assert.ok(verdict.ok, String(iat));
    assert.equal(verdict.proof.forgetAt, now + 120, 'remembered as long as the nonce is fresh, and no longer');
    assert.equal((await late({ nonce: 'ours' }, { nonces: undefined })).ok, false);
    const wrong = await late({ htm: 'POST' });
    assert.ok(!wrong.ok && !wrong.isUntimely, 'what a nonce would not mend is not sent back for one');
  }
  const timely = await verifyDpopProof(await proofWith({ claims: { nonce: 'ours' } }), { ...expected, nonces });
  assert.ok(timely.ok);
  assert.equal(timely.proof.forgetAt, now + 120, 'its nonce lets it in when its time has passed');
});

test('RFC 9449 section 4.3, checks 11 and 12: at a resource the proof names the access token', async () => {
  const accessToken = 'header.payload.signature';
  const withToken = { ...expected, accessToken };
  const ath = await accessTokenHash(accessToken);
  assert.equal((await verifyDpopProof(await proofWith({ claims: { ath } }), withToken)).ok, true);
  assert.equal((await verifyDpopProof(await proofWith(), withToken)).ok, false);
  const foreign = await accessTokenHash('another');
  assert.equal((await verifyDpopProof(await proofWith({ claims: { ath: foreign } }), withToken)).ok, false);
});

test('RFC 9449 section 4.3: htu is compared after normalization, query and fragment aside', async () => {
  const same: [string, string][] = [
    ['https://API.example.com:443/orders', 'https://api.example.com/orders?page=2#top'],
    ['https://api.example.com/a%7Eb/%c3%a4', 'https://api.example.com/a~b/%C3%A4'],
    ['https://api.example.com', 'https://api.example.com/'],
    ['https://api.example.com/x/../orders', 'https://api.example.com/orders'],
  ];
  for (const [htu, requested] of same)
    assert.equal(
      (await verifyDpopProof(await proofWith({ claims: { htu } }), { ...expected, url: requested })).ok,
      true,
      htu,
    );
  const escapedSlash = await proofWith({ claims: { htu: 'https://api.example.com/a%2Fb' } });
  assert.equal((await verifyDpopProof(escapedSlash, { ...expected, url: 'https://api.example.com/a/b' })).ok, false);
});

test('the same jti is another memory for another key and another URL', async () => {
  const first = await verifyDpopProof(await proofWith(), expected);
  const elsewhere = 'https://api.example.com/other';
  const second = await verifyDpopProof(await proofWith({ claims: { htu: elsewhere } }), {
    ...expected,
    url: elsewhere,
  });
  const again = await verifyDpopProof(await proofWith({ claims: { htu: `${url}?a=1` } }), {
    ...expected,
    url: `${url}?b=2`,
  });
  assert.ok(first.ok && second.ok && again.ok);
  assert.notEqual(first.proof.replayKey, second.proof.replayKey);
  assert.equal(first.proof.replayKey, again.proof.replayKey);
});

test('a URL that cannot be read refuses and never throws', async () => {
  assert.equal((await verifyDpopProof(await proofWith(), { ...expected, url: 'not a url' })).ok, false);
});
