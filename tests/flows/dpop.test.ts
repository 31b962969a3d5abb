import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { ProofKey } from '../proof-key.ts';
import type { TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  eventsOf,
  introspect,
  obtainCode,
  redeemCode,
  refresh,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const { clients: declared = [] } = testConfig('http://localhost:8080');
const clients = [
  ...declared,
  {
    client_id: 'strict',
    redirect_uris: ['https://strict.example.com/callback'],
    scope: 'openid orders:read',
    dpop: 'required' as const,
    consent: 'skip' as const,
  },
];

describe('DPoP at the token endpoint', () => {
  let test: TestServer;
  let browser: TestBrowser;
  let key: ProofKey;
  before(async () => {
    test = await startTestServer({ config: { clients } });
    browser = test.browser();
    key = await ProofKey.make(test);
  });
  after(() => test.close());

  const machine = (headers: Record<string, string>) =>
    test.post('/token', { grant_type: 'client_credentials' }, { ...basic('machine'), ...headers });

  it('RFC 9449 5 and 6: the token is bound to the proof’s key, says so, and introspection tells', async () => {
    const answer = await machine(await key.headers());
    assert.equal(answer.body.token_type, 'DPoP');
    assert.deepEqual(claimsOf(answer.body.access_token).cnf, { jkt: key.jkt });
    const told = await introspect(test, answer.body.access_token);
    assert.equal(told.token_type, 'DPoP');
    assert.deepEqual(told.cnf, { jkt: key.jkt });
  });

  it('RFC 9449 4.3 a proof that breaks any of the checks is refused', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const otherJwk = await exportJWK(publicKey);
    const hmacKey = randomBytes(32);
    const good = await key.proof();
    const [head = '', body = '', signature = ''] = good.split('.');
    const table: [string, string][] = [
      ['2: not a JWT', 'x'],
      ['2: empty parts', '..'],
      ['2: five parts', `${good}.a.b`],
      ['3: no htm', await key.proof({ claims: { htm: undefined } })],
      ['3: no htu', await key.proof({ claims: { htu: undefined } })],
      ['3: no iat', await key.proof({ claims: { iat: undefined } })],
      ['3: no jti', await key.proof({ claims: { jti: undefined } })],
      ['3: jti is a number', await key.proof({ claims: { jti: 7 } })],
      ['3: jti is empty', await key.proof({ claims: { jti: '' } })],
      ['3: iat is text', await key.proof({ claims: { iat: String(test.now()) } })],
      ['3: htm is a list', await key.proof({ claims: { htm: ['POST'] } })],
      ['4: typ is JWT', await key.proof({ header: { typ: 'JWT' } })],
      ['4: no typ', await key.proof({ header: { typ: undefined } })],
      [
        '5: alg none',
        `${Buffer.from(JSON.stringify({ alg: 'none', typ: 'dpop+jwt', jwk: key.jwk })).toString('base64url')}.${body}.`,
      ],
      [
        '5: alg HS256',
        await new SignJWT(claimsOf(good))
          .setProtectedHeader({
            alg: 'HS256',
            typ: 'dpop+jwt',
            jwk: { kty: 'oct', k: hmacKey.toString('base64url') } as never,
          })
          .sign(hmacKey),
      ],
      [
        '6: another key signed',
        await new SignJWT(claimsOf(good))
          .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk })
          .sign(privateKey),
      ],
      ['6: no jwk', await key.proof({ header: { jwk: undefined } })],
      ['6: another jwk', await key.proof({ header: { jwk: otherJwk } })],
      ['6: a kid instead of a jwk', await key.proof({ header: { jwk: undefined, kid: 'x' } })],
      ['6: signature cut', `${head}.${body}.${signature.slice(0, -4)}`],
      [
        '6: unknown crit',
        `${Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk, crit: ['x'], x: 1 })).toString('base64url')}.${body}.${signature}`,
      ],
      ['7: the private key is in it', await key.proof({ header: { jwk: await key.privateJwk() } })],
      ['8: GET', await key.proof({ method: 'GET' })],
      ['8: post in small letters', await key.proof({ method: 'post' })],
      ['9: another path', await key.proof({ url: `${test.issuer}/userinfo` })],
      ['9: another host', await key.proof({ url: 'https://evil.net/token' })],
      ['9: another scheme', await key.proof({ url: `${test.issuer.replace('http:', 'https:')}/token` })],
      ['9: a trailing slash', await key.proof({ url: `${test.issuer}/token/` })],
      ['9: no URL', await key.proof({ url: '/token' })],
      ['a jti of 300 characters', await key.proof({ claims: { jti: 'x'.repeat(300) } })],
      ['10 kB', await key.proof({ claims: { filler: 'x'.repeat(10_000) } })],
    ];
    for (const [what, proof] of table) {
      const answer = await machine({ dpop: proof });
      assert.equal(answer.status, 400, what);
      assert.equal(answer.body.error, 'invalid_dpop_proof', what);
      assert.equal(answer.body.access_token, undefined, what);
    }
    assert.equal((await machine({ dpop: good })).status, 200);
  });

  it('D1 RFC 9449 4.3 check 11: a proof of another time is refused, and asked for again with a nonce, which tells the time', async () => {
    for (const iat of [test.now() - 66, test.now() + 6, test.now() - 36_000, test.now() + 36_000, 1e300]) {
      const refused = await machine(await key.headers({ claims: { iat } }));
      assert.equal(refused.status, 400);
      assert.equal(refused.body.error, 'use_dpop_nonce');
      assert.match(String(refused.body.error_description), /iat lies/);
      assert.equal(refused.body.access_token, undefined);
      const nonce = refused.headers.get('dpop-nonce') as string;
      const headers = await key.headers({ nonce, claims: { iat } });
      assert.equal((await machine(headers)).status, 200);
      assert.equal((await machine(headers)).body.error, 'invalid_dpop_proof', 'good once');
    }
  });

  it('C13 a proof with a nonce is good once, also when only its nonce is of now still', async () => {
    test.advance(-test.now() % 60);
    const { headers } = await machine(await key.headers());
    const proof = await key.headers({ nonce: headers.get('dpop-nonce') as string });
    assert.equal((await machine(proof)).status, 200);
    for (const seconds of [60, 10, 30]) {
      test.advance(seconds);
      assert.equal((await machine(proof)).body.error, 'invalid_dpop_proof');
    }
    test.advance(60);
    assert.equal((await machine(proof)).body.error, 'use_dpop_nonce');
  });

  it('D1 a device whose clock is hours off signs in, refreshes and asks who it is', async () => {
    const claims = { iat: test.now() + 7200 };
    const send = async (form: Record<string, string>) => {
      const asked = await test.post('/token', form, await key.headers({ claims }));
      assert.equal(asked.body.error, 'use_dpop_nonce');
      const nonce = asked.headers.get('dpop-nonce') as string;
      return test.post('/token', form, await key.headers({ nonce, claims }));
    };
    const { code, redirect_uri, verifier } = await obtainCode(test, { browser });
    const form = { grant_type: 'authorization_code', client_id: 'spa', code, redirect_uri, code_verifier: verifier };
    const first = await send(form);
    assert.equal(first.body.token_type, 'DPoP');
    const refresh_token = String(first.body.refresh_token);
    const { body } = await send({ grant_type: 'refresh_token', client_id: 'spa', refresh_token });
    const accessToken = String(body.access_token);
    const userinfo = async (nonce?: string) => {
      const url = `${test.issuer}/userinfo`;
      const proof = await key.proof({ method: 'GET', url, accessToken, claims, ...(nonce !== undefined && { nonce }) });
      return test.server.fetch(new Request(url, { headers: { authorization: `DPoP ${accessToken}`, dpop: proof } }));
    };
    const asked = await userinfo();
    assert.equal(asked.status, 401);
    assert.match(String(asked.headers.get('www-authenticate')), /error="use_dpop_nonce"/);
    assert.equal((await userinfo(asked.headers.get('dpop-nonce') as string)).status, 200);
  });

  it('RFC 9449 4.3 check 9: query and fragment of htu are ignored, and spelling is normalized', async () => {
    for (const url of [
      `${test.issuer}/token?a=b#c`,
      `${test.issuer}/%74oken`,
      `${test.issuer.replace('localhost', 'LOCALHOST')}/token`,
    ])
      assert.equal((await machine(await key.headers({ url }))).status, 200, url);
  });

  it('C13 RFC 9449 11.1: a proof is good once, however it is used, also by fifty at once', async () => {
    const headers = await key.headers();
    const answers = await Promise.all(Array.from({ length: 50 }, () => machine(headers)));
    assert.equal(answers.filter((one) => one.status === 200).length, 1);
    const [refused] = answers.filter((one) => one.status !== 200);
    assert.equal(refused?.body.error, 'invalid_dpop_proof');
    test.advance(64);
    assert.equal((await machine(headers)).status, 400, 'still remembered while its iat is good');
    test.advance(60);
    assert.equal((await machine(headers)).status, 400, 'then too old');
  });

  it('C13 a replayed proof shows as an event with both origins', async () => {
    const { body } = await redeemCode(
      test,
      await obtainCode(test, { browser }),
      {},
      {
        ...(await key.headers()),
        'user-agent': 'owner',
      },
    );
    const headers = await key.headers();
    const first = await refresh(test, String(body.refresh_token), { ...headers, 'user-agent': 'owner' });
    const replayed = await refresh(test, String(first.body.refresh_token), { ...headers, 'user-agent': 'thief' });
    assert.equal(replayed.body.error, 'invalid_dpop_proof');
    await test.server.context.refusals.flush();
    const events = await eventsOf(test, 'dpop.replayed');
    const event = events.find((one) => one.data?.refusalId === replayed.body.refusal_id);
    assert.equal((event?.data?.origin as { userAgent: string } | undefined)?.userAgent, 'thief');
    assert.equal((event?.data?.firstSeenFrom as { userAgent: string } | undefined)?.userAgent, 'owner');
    assert.equal(event?.grantId, claimsOf(body.access_token).grant_id);
  });

  it('RFC 9449 8: each answer to a proof carries the next nonce; a foreign or stale one is answered with a new one', async () => {
    const first = await machine(await key.headers());
    const nonce = first.headers.get('dpop-nonce') as string;
    assert.ok(nonce);
    assert.equal((await machine(await key.headers({ nonce }))).status, 200);
    for (const wrong of ['x', `${nonce}x`, '']) {
      const asked = await machine(await key.headers({ nonce: wrong }));
      assert.equal(asked.status, 400);
      assert.equal(asked.body.error, 'use_dpop_nonce');
      assert.ok(asked.headers.get('dpop-nonce'));
      assert.equal(asked.headers.get('access-control-expose-headers')?.includes('dpop-nonce'), true);
    }
    test.advance(60);
    assert.equal((await machine(await key.headers({ nonce }))).status, 200, 'fresh for a minute at least');
    test.advance(60);
    assert.equal((await machine(await key.headers({ nonce }))).body.error, 'use_dpop_nonce');
    const numeric = await machine(await key.headers({ claims: { nonce: 7 } }));
    assert.equal(numeric.body.error, 'invalid_dpop_proof');
  });

  it('RFC 9449 5: a public client’s refresh token is bound, a confidential client’s is not, its access tokens are', async () => {
    const answer = await redeemCode(
      test,
      await obtainCode(test, { browser, client_id: 'web' }),
      {},
      { ...basic('web'), ...(await key.headers()) },
    );
    const other = await ProofKey.make(test);
    const form = { grant_type: 'refresh_token', refresh_token: String(answer.body.refresh_token) };
    const moved = await test.post('/token', form, { ...basic('web'), ...(await other.headers()) });
    assert.equal(moved.status, 200);
    assert.deepEqual(claimsOf(moved.body.access_token).cnf, { jkt: other.jkt });
  });

  it('a client that must use DPoP gets nothing without', async () => {
    const obtained = await obtainCode(test, { browser, client_id: 'strict' });
    const bare = await redeemCode(test, obtained);
    assert.equal(bare.body.error, 'invalid_dpop_proof');
    const { body, status } = await redeemCode(test, obtained, {}, await key.headers());
    assert.equal(status, 200);
    const form = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token), client_id: 'strict' };
    assert.equal((await test.post('/token', form)).body.error, 'invalid_dpop_proof');
  });

  it('a refused proof burns no code and no refresh token', async () => {
    const obtained = await obtainCode(test, { browser });
    const bad = await key.headers({ method: 'GET' });
    assert.equal((await redeemCode(test, obtained, {}, bad)).body.error, 'invalid_dpop_proof');
    const { body } = await redeemCode(test, obtained, {}, await key.headers());
    assert.equal((await refresh(test, String(body.refresh_token), bad)).body.error, 'invalid_dpop_proof');
    assert.equal((await refresh(test, String(body.refresh_token), await key.headers())).status, 200);
  });
});
