import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ProofKey } from '../proof-key.ts';
import {
  basic,
  obtainCode,
  ordersApi,
  redeemCode,
  signInTokens,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

describe('userinfo', () => {
  let test: TestServer;
  let tokens: Awaited<ReturnType<typeof signInTokens>>;
  before(async () => {
    test = await startTestServer();
    tokens = await signInTokens(test, { parameters: { scope: 'openid profile email orders:read' } });
  });
  after(() => test.close());

  async function ask(init: RequestInit = {}, query = '') {
    const response = await test.server.fetch(new Request(`${test.issuer}/userinfo${query}`, init));
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : {} };
  }
  const withToken = (token: string, scheme = 'Bearer') => ask({ headers: { authorization: `${scheme} ${token}` } });

  it('OIDC Core 5.3 tells the claims of the granted scopes, by GET and by POST', async () => {
    const expected = {
      sub: (await test.store.findUser('ada'))?.userId,
      name: 'Ada Lovelace',
      preferred_username: 'ada',
      email: 'ada@example.com',
      email_verified: true,
    };
    for (const answer of [
      await withToken(tokens.access_token),
      await ask({ method: 'POST', headers: { authorization: `bearer ${tokens.access_token}` } }),
      await ask({ method: 'POST', body: new URLSearchParams({ access_token: tokens.access_token }) }),
    ]) {
      assert.equal(answer.status, 200);
      const { updated_at, ...rest } = answer.body;
      assert.deepEqual(rest, expected);
      assert.equal(typeof updated_at, 'number');
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    }
    const { access_token } = await signInTokens(test);
    assert.deepEqual(Object.keys((await withToken(access_token)).body), ['sub']);
  });

  it('RFC 6750 3: without token a bare challenge, with a bad one invalid_token, and the same words for all', async () => {
    const bare = await ask();
    assert.equal(bare.status, 401);
    assert.equal(bare.headers.get('www-authenticate'), 'Bearer, DPoP algs="ES256 ES384 RS256 PS256 EdDSA Ed25519"');
    const words = new Set<string>();
    const bad = ['x', 'a.b.c', `${tokens.access_token}x`, tokens.refresh_token, tokens.access_token.slice(0, -8)];
    for (const token of bad) {
      const answer = await withToken(token);
      assert.equal(answer.status, 401, token);
      assert.equal(answer.body.error, 'invalid_token');
      words.add(String(answer.headers.get('www-authenticate')));
    }
    assert.equal(words.size, 1);
    assert.match([...words][0] as string, /^Bearer error="invalid_token", error_description="[^"]+"$/);
  });

  it('C17 an ID token is refused as an API credential', async () => {
    assert.equal((await withToken(tokens.id_token)).status, 401);
  });

  it('B1 a token in the URL is refused, even a right one, even beside the header', async () => {
    const inUrl = await ask({}, `?access_token=${tokens.access_token}`);
    assert.equal(inUrl.status, 400);
    assert.match(inUrl.headers.get('www-authenticate') ?? '', /invalid_request/);
    const both = await ask(
      { headers: { authorization: `Bearer ${tokens.access_token}` } },
      `?access_token=${tokens.access_token}`,
    );
    assert.equal(both.status, 400);
  });

  it('RFC 6750 3.1 more than one way to send the token is refused', async () => {
    const answer = await ask({
      method: 'POST',
      headers: { authorization: `Bearer ${tokens.access_token}` },
      body: new URLSearchParams({ access_token: tokens.access_token }),
    });
    assert.equal(answer.status, 400);
    assert.equal(answer.body.error, 'invalid_request');
  });

  it('a token without openid gets insufficient_scope, naming it; a machine’s token too', async () => {
    const { access_token } = await signInTokens(test, { parameters: { scope: 'orders:read' } });
    const machine = await test.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
    for (const token of [access_token, String(machine.body.access_token)]) {
      const answer = await withToken(token);
      assert.equal(answer.status, 403);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer error="insufficient_scope".*scope="openid"/);
    }
  });

  it('A13 an ended grant, an expired token and a disabled user get nothing', async () => {
    const ended = await signInTokens(test);
    await test.post('/revoke', { token: ended.refresh_token, client_id: 'spa' });
    assert.equal((await withToken(ended.access_token)).status, 401);
    const bobs = await signInTokens(test, { username: 'bob' });
    const bob = await test.store.findUser('bob');
    assert.ok(bob);
    const record = { ...bob, disabled: true };
    await test.store.commit([{ change: 'put', kind: 'user', expect: bob.version, record }]);
    assert.equal((await withToken(bobs.access_token)).status, 401);
    const old = await signInTokens(test);
    test.advance(899);
    assert.equal((await withToken(old.access_token)).status, 200);
    test.advance(1);
    assert.equal((await withToken(old.access_token)).status, 401);
  });

  it('RFC 9449 7 a bound token wants its scheme and a proof for this very request; a bearer token no DPoP scheme', async () => {
    const key = await ProofKey.make(test);
    const other = await ProofKey.make(test);
    const parameters = { resource: ordersApi };
    const { body } = await redeemCode(test, await obtainCode(test, { parameters }), {}, await key.headers());
    const accessToken = String(body.access_token);
    const url = `${test.issuer}/userinfo`;
    const call = async (scheme: string, proof?: string) =>
      ask({ headers: { authorization: `${scheme} ${accessToken}`, ...(proof && { dpop: proof }) } });
    const good = await key.proof({ method: 'GET', url, accessToken });
    assert.equal((await call('DPoP', good)).status, 200);
    assert.equal((await call('DPoP', good)).status, 401, 'a proof is good once');
    assert.equal((await call('DPoP')).status, 401);
    assert.equal((await call('Bearer')).status, 401);
    assert.equal((await call('Bearer', await key.proof({ method: 'GET', url, accessToken }))).status, 401);
    const wrong = [
      await other.proof({ method: 'GET', url, accessToken }),
      await key.proof({ method: 'GET', url }),
      await key.proof({ method: 'GET', url, accessToken: 'another' }),
      await key.proof({ method: 'POST', url, accessToken }),
      await key.proof({ method: 'GET', url: `${test.issuer}/token`, accessToken }),
    ];
    for (const proof of wrong) {
      const answer = await call('DPoP', proof);
      assert.equal(answer.status, 401);
      assert.match(
        answer.headers.get('www-authenticate') ?? '',
        /^DPoP error="(invalid_token|invalid_dpop_proof)".*, algs="ES256 /,
      );
      assert.ok(answer.headers.get('dpop-nonce'));
    }
    const { access_token } = await signInTokens(test);
    assert.equal((await withToken(access_token, 'DPoP')).status, 401);
  });
});
