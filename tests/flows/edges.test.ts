import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Edge, EdgeOptions } from '@tessera/edge';
import { endingNow } from '../../packages/server/src/sessions/ending.ts';
import {
  basic,
  claimsOf,
  introspect,
  ordersApi,
  refresh,
  signInTokens,
  startTestServer,
  type TestServer,
} from '../test-server.ts';
import { ordersEdge } from './orders-edge.ts';

const howMany = 100;

describe('edges in front of APIs, at the real server', () => {
  let test: TestServer;
  const edges: Edge[] = [];
  before(async () => {
    test = await startTestServer({ listen: true });
  });
  after(async () => {
    await Promise.all(edges.map((edge) => edge.close()));
    await test.close();
  });

  async function startEdge(more: Partial<EdgeOptions> = {}): Promise<Edge> {
    const edge = ordersEdge(test.issuer, more);
    edges.push(edge);
    await edge.start();
    return edge;
  }

  it(`A9 A13 D2 signing out everywhere reaches ${howMany} connected edges, which ask nothing per request`, async () => {
    let asked = 0;
    const counting: typeof fetch = (input, init) => {
      if (!String(input instanceof Request ? input.url : input).includes('/events/poll')) asked++;
      return fetch(input, init);
    };
    const all = await Promise.all(Array.from({ length: howMany }, () => startEdge({ fetch: counting })));
    const browsers = [test.browser(), test.browser(), test.browser()];
    const devices = await Promise.all([...browsers, test.browser()].map((browser) => signInTokens(test, { browser })));
    const bystander = await signInTokens(test, { username: 'bob' });
    const accepted = async (edge: Edge, token: string) => (await verify(edge, token)).ok;
    for (const edge of all) for (const { access_token } of devices) assert.ok(await accepted(edge, access_token));
    const askedBefore = asked;

    const account = await (browsers[0] as (typeof browsers)[0]).go(`${test.issuer}/account`);
    const everywhere = account.forms.findIndex((form) => form.html.includes('sign-out-everywhere'));
    await browsers[0]?.submit(account, { decision: 'sign-out-everywhere' }, everywhere);
    for (const edge of all)
      for (const { access_token } of devices) assert.equal(await untilRefused(edge, access_token), 'session_ended');
    assert.equal(asked, askedBefore);
    for (const { refresh_token } of devices) assert.equal((await refresh(test, refresh_token)).status, 400);
    assert.ok(await accepted(all[0] as Edge, bystander.access_token));

    const newcomer = await startEdge();
    assert.equal(await accepted(newcomer, devices[0]?.access_token ?? ''), false);
  });

  it('A5 A20 an administrator ends a session: the next refresh fails, introspection says inactive, both kinds of edge refuse', async () => {
    const bySignature = await startEdge();
    const byIntrospection = await startEdge({ mode: 'introspection' });
    const tokens = await signInTokens(test);
    for (const edge of [bySignature, byIntrospection]) assert.ok((await verify(edge, tokens.access_token)).ok);
    const ending = await endingNow(test.server.context, 'admin', { kind: 'cli' });
    const sid = claimsOf(tokens.access_token).sid as string;
    await test.store.commit([{ change: 'end-sessions', where: { sid }, offline: true, ending }]);
    assert.equal((await refresh(test, tokens.refresh_token)).body.error, 'invalid_grant');
    assert.equal((await introspect(test, tokens.access_token)).active, false);
    assert.equal((await verify(byIntrospection, tokens.access_token)).ok, false);
    assert.equal(await untilRefused(bySignature, tokens.access_token), 'session_ended');
  });

  it('A20 C12 a token revoked by its client is refused alone', async () => {
    const edge = await startEdge();
    const tokens = await signInTokens(test);
    const { body } = await refresh(test, tokens.refresh_token);
    const second = body.access_token as string;
    await test.post('/revoke', { token: tokens.access_token, client_id: 'spa' });
    assert.equal(await untilRefused(edge, tokens.access_token), 'token_revoked');
    assert.ok((await verify(edge, second)).ok);
  });

  it('A22 A21 a token for the API itself is refused at another one, and without the scope', async () => {
    const elsewhere = await startEdge({ audience: 'https://other.example.com' });
    const edge = await startEdge();
    const { body } = await test.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
    const token = body.access_token as string;
    const wrongApi = await verify(elsewhere, token);
    assert.equal(wrongApi.ok ? '' : wrongApi.reason, 'token_audience_wrong');
    const noScope = await edge.verifyAccessToken(factsOf(token), { scopes: ['orders:write'] });
    assert.ok(!noScope.ok && noScope.status === 403);
    assert.match(JSON.stringify(noScope.headers), /orders:write/);
  });

  it('A4 C1 with the server gone, an edge that serves still accepts until exp', async () => {
    const own = await startTestServer({ listen: true });
    const edge = ordersEdge(own.issuer, { staleness: { maxAge: 3, policy: { serve: 600 } } });
    try {
      await edge.start();
      const { body } = await own.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
      const token = body.access_token as string;
      assert.ok((await verify(edge, token)).ok);
      await own.close();
      assert.ok((await verify(edge, token)).ok);
    } finally {
      await edge.close();
      await own.close();
    }
  });
});

function factsOf(token: string) {
  return { method: 'GET', url: ordersApi, authorization: [`Bearer ${token}`], dpop: [] };
}

function verify(edge: Edge, token: string) {
  return edge.verifyAccessToken(factsOf(token), {});
}

/** Why an edge refuses a token once it has heard; gives up after ten seconds. */
async function untilRefused(edge: Edge, token: string): Promise<string> {
  for (let tries = 0; tries < 1000; tries++) {
    const verdict = await verify(edge, token);
    if (!verdict.ok) return verdict.reason;
    await sleep(10);
  }
  return 'never';
}
