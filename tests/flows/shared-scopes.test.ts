import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createResourceServer } from '../../packages/server/src/admin/resource-servers.ts';
import { claimsOf, obtainCode, password, pkce, redeemCode, startTestServer, type TestServer } from '../test-server.ts';

/** Two resource servers name a scope alike; at one of them a rule keeps it for a role. */
describe('a scope that two resource servers name alike', () => {
  const payroll = 'https://api.example.com/payroll';
  const wiki = 'https://api.example.com/wiki';
  const scope = 'docs:read';
  const app = (client_id: string, more: object) => ({
    client_id,
    redirect_uris: [`https://${client_id}.example.com/callback`],
    consent: 'skip',
    ...more,
  });
  const config = {
    users: [
      { username: 'ada', password, roles: ['hr'] },
      { username: 'bob', password },
    ],
    clients: [
      app('all', { scope }),
      app('asks', { scope: `${scope} pay:see`, consent: 'ask' }),
      app('console', { scope: 'tessera:users:read' }),
    ],
    resourceServers: [
      {
        id: 'payroll',
        name: 'Payroll',
        audiences: [payroll],
        scopes: { [scope]: { description: 'See pay slips' }, 'pay:see': {} },
        roles: { hr: [scope] },
      },
      { id: 'wiki', name: 'Wiki', audiences: [wiki], scopes: { [scope]: { description: 'Read the wiki' } } },
    ],
  };
  let test: TestServer;
  beforeEach(async () => {
    test = await startTestServer({ config: config as never });
  });
  afterEach(() => test.close());

  const tokensOf = async (username: string, client_id: string, parameters: Record<string, string>) =>
    (await redeemCode(test, await obtainCode(test, { username, client_id, parameters }))).body;

  it("A18 A27 a user has it where the rules of that resource server give it, whatever another one's say", async () => {
    for (const [username, resource, expected] of [
      ['bob', payroll, ''],
      ['bob', wiki, scope],
      ['ada', payroll, scope],
      ['ada', wiki, scope],
    ] as const) {
      const tokens = await tokensOf(username, 'all', { scope, resource });
      assert.equal(tokens.scope, expected, `${username} at ${resource}`);
      assert.equal(claimsOf(tokens.access_token).scope, expected);
    }
  });

  it('A18 A22 a token for both says it only when both give it; one of them alone gives what it gives', async () => {
    const bobs = await tokensOf('bob', 'all', { scope });
    assert.deepEqual(claimsOf(bobs.access_token).aud, [payroll, wiki]);
    assert.equal(bobs.scope, '');
    let refresh_token = String(bobs.refresh_token);
    const narrowed = async (resource: string) => {
      const form = { grant_type: 'refresh_token', client_id: 'all', refresh_token, resource };
      const { body } = await test.post('/token', form);
      refresh_token = String(body.refresh_token);
      return body.scope;
    };
    assert.equal(await narrowed(wiki), scope);
    assert.equal(await narrowed(payroll), '');
    assert.equal((await tokensOf('ada', 'all', { scope })).scope, scope);
  });

  it("A18 whoever may register APIs cannot give away the admin API's scopes by naming them anew", async () => {
    const scopes = { 'tessera:users:read': {} };
    const input = { id: 'other', audiences: ['https://other.example.com'], scopes };
    await createResourceServer(test.server.context, { kind: 'cli' }, input as never);
    const tokens = await tokensOf('bob', 'console', {
      scope: 'tessera:users:read',
      resource: `${test.issuer}/admin/api`,
    });
    assert.equal(tokens.scope, '');
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    const users = await test.server.fetch(new Request(`${test.issuer}/admin/api/users`, { headers }));
    assert.equal(users.status, 403);
  });

  it('B20 C7 allowing it at one resource server, and something else at the other, does not allow it there', async () => {
    const browser = test.browser();
    const allow = (parameters: Record<string, string>) => obtainCode(test, { browser, client_id: 'asks', parameters });
    const silently = async (parameters: Record<string, string>) => {
      const asked = { client_id: 'asks', response_type: 'code', prompt: 'none', code_challenge_method: 'S256' };
      const query = new URLSearchParams({ ...asked, code_challenge: pkce().challenge, ...parameters });
      return new URL((await browser.go(`${test.issuer}/authorize?${query}`)).url).searchParams.get('error');
    };
    await allow({ scope, resource: wiki });
    await allow({ scope: 'pay:see', resource: payroll });
    assert.equal(await silently({ scope, resource: payroll }), 'consent_required');
    assert.equal(await silently({ scope: `${scope} pay:see` }), 'consent_required');
    assert.equal(await silently({ scope: 'pay:see', resource: payroll }), null);
    await allow({ scope: `${scope} pay:see`, resource: payroll });
    assert.equal(await silently({ scope, resource: payroll }), null);
    await allow({ scope, resource: wiki });
    assert.equal(await silently({ scope, resource: wiki }), null, 'both were shown');
    assert.equal(await silently({ scope, resource: payroll }), null);
  });

  it('C7 the consent page speaks of the resource server it is for', async () => {
    const shown = async (username: string, resource: string) => {
      const browser = test.browser();
      const asked = { client_id: 'asks', response_type: 'code', scope, resource, code_challenge_method: 'S256' };
      const query = new URLSearchParams({ ...asked, code_challenge: pkce().challenge });
      const page = await browser.go(`${test.issuer}/authorize?${query}`);
      return (await browser.submit(page, { username, password })).html;
    };
    const atWiki = await shown('ada', wiki);
    assert.match(atWiki, /Read the wiki/);
    assert.doesNotMatch(atWiki, /pay slips/);
    assert.match(await shown('ada', payroll), /See pay slips/);
  });
});

/** Permission rules give more than scopes: names of the APIs' own, which two of them may choose alike too. */
describe('a permission that two resource servers name alike', () => {
  const shop = 'https://api.example.com/shop';
  const bank = 'https://api.example.com/bank';
  const config = {
    users: [
      { username: 'ada', password, roles: ['clerk', 'banker'] },
      { username: 'bob', password, roles: ['clerk'] },
    ],
    clients: [
      {
        client_id: 'all',
        redirect_uris: ['https://all.example.com/callback'],
        scope: 'shop:use bank:use bank:close',
        consent: 'skip',
      },
    ],
    resourceServers: [
      {
        id: 'shop',
        audiences: [shop],
        scopes: { 'shop:use': {} },
        roles: { clerk: ['refund', 'greet', 'bank:close'] },
      },
      { id: 'bank', audiences: [bank], scopes: { 'bank:use': {}, 'bank:close': {} }, roles: { banker: ['refund'] } },
    ],
  };
  let test: TestServer;
  beforeEach(async () => {
    test = await startTestServer({ config: config as never });
  });
  afterEach(() => test.close());

  const permissionsOf = async (username: string, parameters: Record<string, string>) => {
    const { body } = await redeemCode(test, await obtainCode(test, { username, client_id: 'all', parameters }));
    return claimsOf(body.access_token).permissions ?? [];
  };
  const both = { scope: 'shop:use bank:use' };

  it('A18 A22 a token for both says it only when each of them gives it; one for one of them what that one gives', async () => {
    assert.deepEqual(await permissionsOf('bob', both), ['greet']);
    assert.deepEqual(await permissionsOf('ada', both), ['refund', 'greet']);
    assert.deepEqual(await permissionsOf('bob', { ...both, resource: shop }), ['refund', 'greet', 'bank:close']);
    assert.deepEqual(await permissionsOf('bob', { ...both, resource: bank }), []);
  });

  it('A18 what is a scope at one of them is told where it was granted alone, whichever rule names it', async () => {
    const scope = `${both.scope} bank:close`;
    assert.deepEqual(await permissionsOf('bob', { scope }), ['greet', 'bank:close']);
  });
});
