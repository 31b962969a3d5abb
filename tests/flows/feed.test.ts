import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type PollAnswer, type Revocation, revocationOf, type SecurityEventClaims } from '@tessera/protocol';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { reloadSigningKeys } from '../../packages/server/src/maintenance.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import { revokeSigningKey } from '../../packages/server/src/tokens/key-rotation.ts';
import { withinASecond } from '../eventually.ts';
import {
  basic,
  claimsOf,
  ordersApi,
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
    ...declared.map((client) =>
      client.client_id === 'spa' ? { ...client, scope: `${client.scope} invoices:read` } : client,
    ),
    { client_id: 'invoices-api', client_secret: secret, grant_types: ['client_credentials' as const] },
  ],
  resourceServers: [
    ...resourceServers,
    { id: 'invoices', audiences: [invoicesApi], scopes: { 'invoices:read': {} }, roles: {}, clients: ['invoices-api'] },
  ],
};

describe('the revocation feed', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer({ config });
  });
  after(() => test.close());

  async function ask(body: object | string, headers: Record<string, string> = {}) {
    const response = await test.server.fetch(
      new Request(`${test.issuer}/events/poll`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    );
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as PollAnswer & { error?: string },
    };
  }
  const poll = async (body: object = {}, clientId = 'orders-api', wait = 0) =>
    (await ask(body, { ...basic(clientId), prefer: `wait=${wait}` })).body;

  async function keys(): Promise<JSONWebKeySet> {
    return (await (await test.server.fetch(new Request(`${test.issuer}/jwks`))).json()) as JSONWebKeySet;
  }

  /** The SETs of an answer, each verified as a receiver must. */
  async function read(answer: PollAnswer): Promise<Revocation[]> {
    const keySet = createLocalJWKSet(await keys());
    const revocations: Revocation[] = [];
    for (const [jti, set] of Object.entries(answer.sets)) {
      const { payload } = await jwtVerify(set, keySet, { issuer: test.issuer, typ: 'secevent+jwt' });
      assert.equal(payload.jti, jti);
      assert.equal(payload.exp, undefined, 'RFC 8417 2.2');
      const revocation = revocationOf(payload as unknown as SecurityEventClaims);
      assert.ok(revocation);
      revocations.push(revocation);
    }
    return revocations;
  }
  const place = (answer: PollAnswer) => claimsOf(answer.mark).jti as string;
  const revoke = (tokens: { refresh_token: string }) =>
    test.post('/revoke', { token: tokens.refresh_token, client_id: 'spa' });

  it('RFC 8936 wants POST, a confidential client that acts for a resource server, and JSON', async () => {
    assert.equal((await ask({})).status, 401);
    assert.equal((await ask({}, basic('orders-api', 'wrong'))).status, 401);
    assert.equal((await ask({}, basic('machine'))).status, 403);
    assert.equal((await ask({}, basic('web'))).status, 403);
    for (const body of ['[', '[]', '{"ack":"x"}', '{"maxEvents":-1}', '{"maxEvents":1.5}', '"x"', '['.repeat(10_000)])
      assert.equal((await ask(body, basic('orders-api'))).status, 400, body.slice(0, 20));
    assert.equal((await ask({}, basic('orders-api'))).headers.get('cache-control'), 'no-store');
  });

  it('C12 tells each ending that concerns the receiver, with until when it matters', async () => {
    const start = place(await poll());
    const [one, two] = [await signInTokens(test), await signInTokens(test)];
    await revoke(one);
    await test.post('/revoke', { token: two.access_token, client_id: 'spa' });
    const told = await read(await poll({ ack: [start] }));
    assert.deepEqual(
      told.map((revocation) => revocation.kind),
      ['grant', 'token'],
    );
    assert.equal((told[0] as { grant_id: string }).grant_id, claimsOf(one.access_token).grant_id);
    assert.equal((told[1] as { jti: string }).jti, claimsOf(two.access_token).jti);
    for (const { until } of told) assert.ok(until >= test.now() + 900, 'as long as any token of before lives');
    const { sid, sub } = claimsOf(two.access_token) as { sid: string; sub: string };
    const ending = {
      reason: 'admin' as const,
      at: test.now(),
      actor: { kind: 'cli' as const },
      until: test.now() + 1000,
    };
    await test.store.commit([{ change: 'end-sessions', where: { sid }, offline: false, ending }]);
    const session = (await read(await poll({ ack: [start] }))).at(-1);
    assert.deepEqual(session, { kind: 'session', sid, iss: test.issuer, sub, until: test.now() + 1000 });
  });

  it('a receiver sees only the audiences it serves', async () => {
    const [orders, invoices] = [place(await poll()), place(await poll({}, 'invoices-api'))];
    await revoke(await signInTokens(test));
    await revoke(await signInTokens(test, { parameters: { scope: 'openid invoices:read' } }));
    await revoke(await signInTokens(test, { parameters: { scope: 'openid orders:read invoices:read' } }));
    assert.equal((await read(await poll({ ack: [orders] }))).length, 2);
    assert.equal((await read(await poll({ ack: [invoices] }, 'invoices-api'))).length, 2);
  });

  it('D2 a newcomer is replayed all that can still matter, and nothing that cannot', async () => {
    const tokens = await signInTokens(test);
    await revoke(tokens);
    const answer = await poll();
    assert.equal(answer.resync, true);
    const isTold = async () =>
      (await read(await poll())).some(
        (one) => one.kind === 'grant' && one.grant_id === claimsOf(tokens.access_token).grant_id,
      );
    assert.equal(await isTold(), true);
    test.advance(900 + 60);
    assert.equal(await isTold(), true, 'while an edge may still accept one of its tokens');
    test.advance(1);
    assert.equal(await isTold(), false);
  });

  it('the cursor: what is acknowledged does not come again, what is not comes again, in pages', async () => {
    const start = place(await poll());
    for (let i = 0; i < 5; i++) await revoke(await signInTokens(test));
    const first = await poll({ ack: [start], maxEvents: 2 });
    assert.equal(Object.keys(first.sets).length, 2);
    assert.equal(first.moreAvailable, true);
    assert.deepEqual(Object.keys((await poll({ ack: [start], maxEvents: 2 })).sets), Object.keys(first.sets));
    const seen = new Set(Object.keys(first.sets));
    let answer = first;
    while (answer.moreAvailable) {
      answer = await poll({ ack: Object.keys(answer.sets), maxEvents: 2 });
      for (const jti of Object.keys(answer.sets)) {
        assert.ok(!seen.has(jti));
        seen.add(jti);
      }
    }
    assert.equal(seen.size, 5);
    assert.equal(Object.keys((await poll({ ack: [place(answer)] })).sets).length, 0);
    assert.equal((await poll({ ack: [place(answer)] })).resync, undefined);
  });

  it('a place of another epoch of the store, of the future or of no form means a resync', async () => {
    await revoke(await signInTokens(test));
    const here = place(await poll());
    const [epoch, position] = here.split('.').map(Number) as [number, number];
    for (const ack of [`${epoch + 1}.${position}`, `${epoch}.${position + 1000}`, 'x', '', `${epoch}.-1`, `${epoch}`]) {
      const answer = await poll({ ack: [ack] });
      assert.equal(answer.resync, true, ack);
      assert.ok(Object.keys(answer.sets).length > 0, ack);
    }
    assert.equal((await poll({ ack: ['x', here] })).resync, undefined, 'the best of several counts');
  });

  it('A13 D2 a waiting poll hears of an ending within a second', async () => {
    await withinASecond(async () => {
      const start = place(await poll());
      const tokens = await signInTokens(test);
      const waiting = poll({ ack: [start] }, 'orders-api', 30);
      await new Promise((resolve) => setTimeout(resolve, 100));
      const began = performance.now();
      await revoke(tokens);
      const answer = await waiting;
      const tookMs = performance.now() - began;
      assert.equal((await read(answer)).length, 1);
      return tookMs;
    });
  });

  it('what does not concern a receiver does not wake it, and the time it waits is bounded by its wish', async () => {
    const start = place(await poll());
    let isAnswered = false;
    const waiting = poll({ ack: [start] }, 'orders-api', 30).then((answer) => {
      isAnswered = true;
      return answer;
    });
    for (let i = 0; i < 12; i++)
      await revoke(await signInTokens(test, { parameters: { scope: 'openid invoices:read' } }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isAnswered, false);
    await revoke(await signInTokens(test));
    assert.equal((await read(await waiting)).length, 1);
    assert.deepEqual((await poll({ ack: [place(await poll())], returnImmediately: true }, 'orders-api', 30)).sets, {});
  });

  it('the mark is signed, names the place and the time as of which that is all', async () => {
    const { mark } = await poll();
    const { payload } = await jwtVerify(mark, createLocalJWKSet(await keys()), {
      issuer: test.issuer,
      typ: 'tessera-feed-mark+jwt',
    });
    assert.ok(Math.abs(Number(payload.as_of_ms) - test.now() * 1000) < 2000);
    assert.match(String(payload.jti), /^\d+\.\d+$/);
    assert.equal(payload.iat, test.now());
  });

  it('a revoked key is told, and neither that event nor any other answer is signed by it, whoever revoked it', async () => {
    for (const elsewhere of [false, true, true, true]) {
      const start = place(await poll());
      const kid = decodeProtectedHeader((await poll()).mark).kid as string;
      const waiting = poll({ ack: [start] }, 'orders-api', 10);
      await new Promise((resolve) => setTimeout(resolve, 30));
      await revokeSigningKey(test.server.context, kid, test.now() + 1000, { kind: 'cli' });
      // Asked at once, before this process has heard of it from the store.
      const [asked, waited] = [await poll({ ack: [start] }), await waiting];
      if (!elsewhere) await reloadSigningKeys(test.server.context);
      const newcomer = await poll();
      for (const answer of [asked, waited, newcomer]) {
        assert.ok(
          Object.values(answer.sets).some((set) => claimsOf(set).sub_id && JSON.stringify(claimsOf(set)).includes(kid)),
        );
        for (const jws of [...Object.values(answer.sets), answer.mark])
          assert.notEqual(decodeProtectedHeader(jws).kid, kid);
        await read(answer);
      }
    }
  });

  it('a revoked key signs nothing while its successor is still being read from a slow store', async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    let isSlow = false;
    const lame = new Proxy(store, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name !== 'list') return value.bind(target);
        return async (...args: unknown[]) => {
          const found = await value.apply(target, args);
          if (isSlow) await new Promise((resolve) => setTimeout(resolve, 200));
          return found;
        };
      },
    });
    const slow = await startTestServer({ config, store: lame });
    const request = async (body: object) => {
      const headers = { ...basic('orders-api'), 'content-type': 'application/json', prefer: 'wait=5' };
      const init = { method: 'POST', headers, body: JSON.stringify(body) };
      const response = await slow.server.fetch(new Request(`${slow.issuer}/events/poll`, init));
      return { status: response.status, body: (await response.json()) as PollAnswer };
    };
    const { body: first } = await request({});
    const kid = decodeProtectedHeader(first.mark).kid as string;
    const waiting = request({ ack: [place(first)] });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await revokeSigningKey(slow.server.context, kid, slow.now() + 1000, { kind: 'cli' });
    isSlow = true;
    await new Promise((resolve) => setTimeout(resolve, 60));
    const { status, body } = await waiting;
    assert.equal(status, 200);
    assert.ok(Object.keys(body.sets).length > 0);
    for (const jws of [...Object.values(body.sets), body.mark]) assert.notEqual(decodeProtectedHeader(jws).kid, kid);
    await slow.close();
  });

  it('it serves nobody’s tokens: an access token for the API is no credential here', async () => {
    const { access_token } = await signInTokens(test, { parameters: { resource: ordersApi } });
    assert.equal((await ask({}, { authorization: `Bearer ${access_token}` })).status, 401);
  });

  it('a stopping server answers those who wait', async () => {
    const other = await startTestServer({ config });
    const request = (body: object) =>
      other.server.fetch(
        new Request(`${other.issuer}/events/poll`, {
          method: 'POST',
          headers: { ...basic('orders-api'), 'content-type': 'application/json', prefer: 'wait=30' },
          body: JSON.stringify(body),
        }),
      );
    const first = (await (await request({})).json()) as PollAnswer;
    const waiting = request({ ack: [place(first)] });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closing = other.close();
    assert.ok((await waiting).status < 600);
    await closing;
  });
});
