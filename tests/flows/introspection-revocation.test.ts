import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { removeClient } from '../../packages/server/src/admin/clients.ts';
import { applyDeclarations } from '../../packages/server/src/config/declare.ts';
import { grantEnd } from '../../packages/server/src/sessions/grant-end.ts';
import { ProofKey } from '../proof-key.ts';
import type { TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  eventsOf,
  introspect,
  obtainCode,
  ordersApi,
  redeemCode,
  refresh,
  secret,
  signInTokens,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const { clients: declared = [], resourceServers = [] } = testConfig('http://localhost:8080');
const invoicesApi = 'https://api.example.com/invoices';
const config = {
  clients: [
    ...declared,
    { client_id: 'invoices-api', client_secret: secret, grant_types: ['client_credentials' as const] },
    { client_id: 'other', redirect_uris: ['https://other.example.com/callback'] },
  ],
  resourceServers: [
    ...resourceServers,
    { id: 'invoices', audiences: [invoicesApi], scopes: { 'invoices:read': {} }, roles: {}, clients: ['invoices-api'] },
  ],
};

describe('introspection', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer({ config });
    browser = test.browser();
  });
  after(() => test.close());

  async function tokensOf(client_id = 'spa', headers: Record<string, string> = {}) {
    const { body } = await redeemCode(test, await obtainCode(test, { browser, client_id }), {}, headers);
    return body as { access_token: string; refresh_token: string; id_token: string };
  }

  it('RFC 7662 2.2 tells a resource server’s client what the token says, from the store, uncached', async () => {
    const { access_token } = await tokensOf();
    const answer = await test.post('/introspect', { token: access_token }, basic('orders-api'));
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const { active, token_type, username, ...claims } = answer.body;
    assert.deepEqual({ active, token_type, username }, { active: true, token_type: 'Bearer', username: 'ada' });
    assert.deepEqual(claims, claimsOf(access_token));
  });

  it('RFC 7662 4 only the token’s client and its resource servers may know; others hear what an unknown token gets', async () => {
    const own = await tokensOf('web', basic('web'));
    assert.equal((await introspect(test, own.access_token, 'web')).active, true);
    assert.equal((await introspect(test, own.access_token, 'orders-api')).active, true);
    for (const clientId of ['invoices-api', 'machine'])
      assert.deepEqual(await introspect(test, own.access_token, clientId), { active: false });
    for (const token of ['x', 'tsr_x', 'tsa_x', own.id_token, `${own.access_token}x`])
      assert.deepEqual(await introspect(test, token, 'web'), { active: false });
  });

  it('RFC 7662 2.1 wants POST, a confidential client and a token', async () => {
    const { access_token } = await tokensOf();
    assert.equal((await test.post('/introspect', { token: access_token })).status, 401);
    assert.equal((await test.post('/introspect', { token: access_token }, basic('orders-api', 'x'))).status, 401);
    assert.equal((await test.post('/introspect', {}, basic('orders-api'))).status, 400);
    const get = new Request(`${test.issuer}/introspect?token=${access_token}`, { headers: basic('orders-api') });
    assert.equal((await test.server.fetch(get)).status, 405);
  });

  it('of refresh tokens calls only the current one active, and only to its own client', async () => {
    const first = await tokensOf('web', basic('web'));
    const told = await introspect(test, first.refresh_token, 'web');
    assert.equal(told.active, true);
    assert.equal(told.grant_id, claimsOf(first.access_token).grant_id);
    assert.equal(told.exp, test.now() + 7 * 86_400);
    const { body } = await test.post(
      '/token',
      { grant_type: 'refresh_token', refresh_token: first.refresh_token },
      basic('web'),
    );
    assert.deepEqual(await introspect(test, first.refresh_token, 'web'), { active: false });
    assert.equal((await introspect(test, body.refresh_token, 'web')).active, true);
    for (const clientId of ['orders-api', 'machine'])
      assert.deepEqual(await introspect(test, body.refresh_token, clientId), { active: false });
  });

  it('A5 A13 everything that ends is inactive at the next call', async () => {
    const tokens = await tokensOf('web', basic('web'));
    const { sid } = claimsOf(tokens.access_token);
    const ending = {
      reason: 'admin' as const,
      at: test.now(),
      actor: { kind: 'cli' as const },
      until: test.now() + 1000,
    };
    await test.store.commit([{ change: 'end-sessions', where: { sid: String(sid) }, offline: false, ending }]);
    assert.deepEqual(await introspect(test, tokens.access_token, 'web'), { active: false });
    assert.deepEqual(await introspect(test, tokens.refresh_token, 'web'), { active: false });
  });

  it('an expired token is inactive at its second, and a lapsed grant’s refresh token too', async () => {
    const tokens = await tokensOf('web', basic('web'));
    test.advance(899);
    assert.equal((await introspect(test, tokens.access_token, 'web')).active, true);
    test.advance(1);
    assert.equal((await introspect(test, tokens.access_token, 'web')).active, false);
    test.advance(7 * 86_400 - 901);
    assert.equal((await introspect(test, tokens.refresh_token, 'web')).active, true);
    test.advance(1);
    assert.equal((await introspect(test, tokens.refresh_token, 'web')).active, false);
  });
});

describe('revocation', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer({ config });
    browser = test.browser();
  });
  after(() => test.close());

  async function tokensOf(headers: Record<string, string> = {}) {
    const { body } = await redeemCode(test, await obtainCode(test, { browser }), {}, headers);
    return body as { access_token: string; refresh_token: string; id_token: string };
  }
  const revoke = (token: string, client_id = 'spa', more: Record<string, string> = {}) =>
    test.post('/revoke', { token, client_id, ...more });

  it('A13 RFC 7009 2.1 a refresh token ends its grant and every token under it, and no sibling', async () => {
    const sibling = await tokensOf();
    const tokens = await tokensOf();
    const answer = await revoke(tokens.refresh_token);
    assert.equal(answer.status, 200);
    assert.equal((await introspect(test, tokens.access_token)).active, false);
    assert.equal((await refresh(test, tokens.refresh_token)).status, 400);
    assert.equal((await introspect(test, sibling.access_token)).active, true);
    assert.equal((await refresh(test, sibling.refresh_token)).status, 200);
  });

  it('B14 a refresh token of any generation ends the grant: who kept an old one can still sign out', async () => {
    const tokens = await tokensOf();
    const second = await refresh(test, tokens.refresh_token);
    const third = await refresh(test, String(second.body.refresh_token));
    assert.equal((await revoke(tokens.refresh_token)).status, 200);
    assert.equal((await refresh(test, String(third.body.refresh_token))).status, 400);
  });

  it('a bound refresh token is revoked without proof: who lost the key can still sign out', async () => {
    const key = await ProofKey.make(test);
    const tokens = await tokensOf(await key.headers());
    assert.equal((await revoke(tokens.refresh_token)).status, 200);
    assert.equal((await refresh(test, tokens.refresh_token, await key.headers())).status, 400);
  });

  it('A13 an access token is revoked alone: the refresh token lives', async () => {
    const tokens = await tokensOf();
    assert.equal((await revoke(tokens.access_token)).status, 200);
    assert.equal((await introspect(test, tokens.access_token)).active, false);
    const again = await refresh(test, tokens.refresh_token);
    assert.equal((await introspect(test, again.body.access_token)).active, true);
    const [event] = (await eventsOf(test, 'token.revoked')).slice(-1);
    assert.equal(event?.data?.jti, claimsOf(tokens.access_token).jti);
    assert.deepEqual(event?.audiences, [ordersApi]);
    assert.equal((await revoke(tokens.access_token)).status, 200, 'again is no error');
  });

  it('after eight single access tokens the grant ends instead: edges remember a bounded number', async () => {
    let { access_token, refresh_token } = await tokensOf();
    for (let i = 0; i < 9; i++) {
      assert.equal((await revoke(access_token)).status, 200);
      assert.equal((await introspect(test, access_token)).active, false);
      const { body } = await refresh(test, refresh_token);
      if (i === 8) assert.equal(body.error, 'invalid_grant');
      else ({ access_token, refresh_token } = body as { access_token: string; refresh_token: string });
    }
  });

  it('a machine’s token is revoked too', async () => {
    const { body } = await test.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
    await test.post('/revoke', { token: String(body.access_token) }, basic('machine'));
    assert.equal((await introspect(test, body.access_token)).active, false);
  });

  it('RFC 7009 2.2 an unknown token is answered as a revoked one; a wrong hint changes nothing', async () => {
    for (const token of ['x', 'tsr_x', 'a.b.c', (await tokensOf()).id_token])
      assert.equal((await revoke(token)).status, 200);
    const tokens = await tokensOf();
    await revoke(tokens.refresh_token, 'spa', { token_type_hint: 'access_token' });
    assert.equal((await refresh(test, tokens.refresh_token)).status, 400);
    const more = await tokensOf();
    await revoke(more.access_token, 'spa', { token_type_hint: 'nonsense' });
    assert.equal((await introspect(test, more.access_token)).active, false);
  });

  it('RFC 7009 2.1 another client’s token is refused and stays', async () => {
    const tokens = await tokensOf();
    for (const token of [tokens.refresh_token, tokens.access_token]) {
      const answer = await revoke(token, 'other');
      assert.equal(answer.status, 400);
      assert.equal(answer.body.error, 'unauthorized_client');
    }
    assert.equal((await introspect(test, tokens.access_token)).active, true);
    assert.equal((await refresh(test, tokens.refresh_token)).status, 200);
    assert.equal((await revoke(tokens.refresh_token, 'nobody')).status, 401);
    assert.equal((await revoke('')).status, 400);
  });
});

it('A13 a client that was removed and is declared again begins where it was cut off: what was issued before stays dead', async () => {
  const test = await startTestServer();
  try {
    const { context } = test.server;
    const { body } = await test.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
    assert.equal((await introspect(test, body.access_token)).active, true);
    const web = await signInTokens(test, { clientId: 'web' });
    const [grant] = (await context.store.listGrants({ clientId: 'web', now: test.now() }, { limit: 1 })).items;
    const { config } = context;
    const without = { ...config, clients: config.clients.filter((one) => !['machine', 'web'].includes(one.client_id)) };
    const declare = (file: typeof config) => applyDeclarations(file, { ...context, now: test.now() });
    await declare(without);
    for (const clientId of ['machine', 'web'])
      assert.equal((await removeClient(context, { kind: 'cli' }, { clientId })).kind, 'done');
    await declare(config);
    assert.equal((await introspect(test, body.access_token)).active, false);
    const again = await context.store.get('client', 'web');
    // As a grant would be that was not ended by name: of many grants of one client only so many are.
    assert.equal(
      grantEnd({ grant: grant!, client: again, user: { disabled: false }, issuerEpoch: 0 }, test.now()),
      'client_cut_off',
    );
    const form = { grant_type: 'refresh_token', refresh_token: web.refresh_token };
    assert.equal((await test.post('/token', form, basic('web'))).body.error, 'invalid_grant');
    const fresh = await test.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
    assert.equal((await introspect(test, fresh.body.access_token)).active, true);
  } finally {
    await test.close();
  }
});
