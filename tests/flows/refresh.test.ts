import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { RootKeys } from '../../packages/server/src/secrets/root-keys.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import type { Store } from '../../packages/server/src/store/store.ts';
import { openRefreshToken, sealRefreshToken } from '../../packages/server/src/tokens/refresh-token.ts';
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
  slowed,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const { clients: declared = [], resourceServers = [] } = testConfig('http://localhost:8080');
const invoicesApi = 'https://api.example.com/invoices';
const clients = [
  ...declared,
  {
    client_id: 'other',
    redirect_uris: ['https://other.example.com/callback'],
    scope: 'openid orders:read',
    consent: 'skip' as const,
  },
  {
    client_id: 'keeps',
    client_secret: secret,
    redirect_uris: ['https://keeps.example.com/callback'],
    scope: 'openid orders:read',
    rotation: false,
    consent: 'skip' as const,
  },
];
const config = {
  clients,
  resourceServers: [
    ...resourceServers,
    { id: 'invoices', audiences: [invoicesApi], scopes: { 'invoices:read': {} }, roles: {} },
  ],
};

type Answer = Awaited<ReturnType<typeof refresh>>;

function assertRefused(answer: Answer, error = 'invalid_grant'): void {
  assert.equal(answer.status, 400);
  assert.equal(answer.body.error, error);
  assert.equal(answer.body.access_token, undefined);
  assert.match(String(answer.body.refusal_id), /^[\w-]{12}$/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
}

/** Why the refusal happened, as the operator reads it. */
async function reasonOf(test: TestServer, answer: Answer): Promise<unknown> {
  await test.server.context.refusals.flush();
  const events = await eventsOf(test, 'request.refused', 'refresh.reused');
  return events.find((event) => event.data?.refusalId === answer.body.refusal_id)?.data?.reason;
}

describe('refreshing', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer({ config });
    browser = test.browser();
  });
  after(() => test.close());

  async function fresh(headers: Record<string, string> = {}, options: Parameters<typeof obtainCode>[1] = {}) {
    const { body, status } = await redeemCode(test, await obtainCode(test, { browser, ...options }), {}, headers);
    assert.equal(status, 200, JSON.stringify(body));
    return body as { access_token: string; refresh_token: string; id_token: string; scope: string };
  }

  it('A14 B18 C8 gives a successor with each use, and its access token is new', async () => {
    const tokens = await fresh();
    const second = await refresh(test, tokens.refresh_token);
    assert.equal(second.status, 200);
    assert.notEqual(second.body.refresh_token, tokens.refresh_token);
    assert.notEqual(second.body.access_token, tokens.access_token);
    const third = await refresh(test, String(second.body.refresh_token));
    assert.equal(third.status, 200);
    assert.equal(new Set([tokens, second.body, third.body].map((one) => one.refresh_token)).size, 3);
    assert.equal(claimsOf(third.body.access_token).grant_id, claimsOf(tokens.access_token).grant_id);
  });

  it('OIDC Core 12.2: the ID token of a refresh names the same user, client and sign-in, without nonce', async () => {
    const tokens = await fresh({}, { parameters: { nonce: 'n-1' } });
    const before = claimsOf(tokens.id_token);
    test.advance(5);
    const after = claimsOf((await refresh(test, tokens.refresh_token)).body.id_token);
    assert.equal(before.nonce, 'n-1');
    assert.equal(after.nonce, undefined);
    for (const name of ['iss', 'sub', 'aud', 'auth_time', 'sid', 'acr'])
      assert.deepEqual(after[name], before[name], name);
    assert.equal(Number(after.iat), Number(before.iat) + 5);
  });

  it('D7 D6 a client that goes to and fro between two places is told of once an hour, and refreshes all the same', async () => {
    const [here, there] = [{ 'user-agent': 'here' }, { 'user-agent': 'there' }];
    const tokens = await fresh(here);
    const grantId = claimsOf(tokens.access_token).grant_id as string;
    const changes = async () =>
      (await test.store.readEvents({ types: ['grant.origin_changed'], grantId, limit: 9 })).length;
    let token = tokens.refresh_token;
    const useFrom = async (headers: Record<string, string>) => {
      const { status, body } = await refresh(test, token, headers);
      assert.equal(status, 200);
      token = String(body.refresh_token);
    };
    for (const place of [there, here, there]) await useFrom(place);
    test.advance(3599);
    await useFrom(here);
    assert.equal(await changes(), 1);
    test.advance(1);
    await useFrom(there);
    assert.equal(await changes(), 2);
  });

  it('A14 verdict unknown: what this server did not seal is refused, whatever is changed in it, and ends nothing', async () => {
    const tokens = await fresh();
    const token = tokens.refresh_token;
    const flipped = (at: number) => token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    const bad = [
      'tsr_',
      'x',
      token.slice(0, -1),
      `${token}A`,
      ` ${token}`,
      `${token}=`,
      token.replace('tsr_', 'tsr-'),
      tokens.access_token,
      tokens.id_token,
      ...[4, 8, 20, 32, 40, 50, 70, 99].map(flipped),
    ];
    for (const one of bad) {
      const answer = await refresh(test, one);
      assertRefused(answer);
      assert.equal(await reasonOf(test, answer), 'refresh_unknown', one);
    }
    assert.equal((await refresh(test, token)).status, 200);
  });

  it('A14 verdict unknown: a leaked seal key is not enough, the secret in the row is the second lock', async () => {
    const tokens = await fresh();
    const { rootKeys } = test.server.context;
    const opened = openRefreshToken(rootKeys, tokens.refresh_token);
    assert.ok(opened);
    const forged = sealRefreshToken(rootKeys, { ...opened, secret: randomBytes(16) }) as string;
    const answer = await refresh(test, forged);
    assertRefused(answer);
    assert.equal(await reasonOf(test, answer), 'refresh_unknown');
    assert.equal((await refresh(test, tokens.refresh_token)).status, 200);
  });

  it('A14 verdict foreign: another client is refused with the same words and ends nothing, not even with a spent token', async () => {
    const tokens = await fresh();
    const unknown = await refresh(test, 'tsr_unknown');
    const steal = (token: string) =>
      test.post('/token', { grant_type: 'refresh_token', refresh_token: token, client_id: 'other' });
    const foreign = await steal(tokens.refresh_token);
    assertRefused(foreign);
    assert.equal(foreign.body.error_description, unknown.body.error_description);
    assert.equal(await reasonOf(test, foreign), 'refresh_foreign');
    const { body } = await refresh(test, tokens.refresh_token);
    test.advance(60);
    assertRefused(await steal(tokens.refresh_token));
    assert.equal((await refresh(test, String(body.refresh_token))).status, 200);
  });

  it('A14 verdict ended: refused after the grant ended, and nothing revives it', async () => {
    const tokens = await fresh();
    await test.post('/revoke', { token: tokens.refresh_token, client_id: 'spa' });
    const answer = await refresh(test, tokens.refresh_token);
    assertRefused(answer);
    assert.equal(await reasonOf(test, answer), 'grant_ended');
    assert.equal((await introspect(test, tokens.access_token)).active, false);
  });

  it('A14 verdict ahead: a generation above the stored one is refused and ends nothing', async () => {
    const tokens = await fresh();
    const { rootKeys } = test.server.context;
    const opened = openRefreshToken(rootKeys, tokens.refresh_token);
    assert.ok(opened);
    const ahead = sealRefreshToken(rootKeys, { ...opened, generation: 7 }) as string;
    const answer = await refresh(test, ahead);
    assertRefused(answer);
    assert.equal(await reasonOf(test, answer), 'refresh_ahead');
    assert.equal((await refresh(test, tokens.refresh_token)).status, 200);
  });

  it('D1 verdict replay: within the window of 30 s the spent token returns the same successor, and the window is never extended', async () => {
    const tokens = await fresh();
    const { body } = await refresh(test, tokens.refresh_token);
    for (const seconds of [10, 10, 10]) {
      test.advance(seconds);
      const again = await refresh(test, tokens.refresh_token);
      assert.equal(again.status, 200);
      assert.equal(again.body.refresh_token, body.refresh_token);
    }
    assert.equal((await refresh(test, String(body.refresh_token))).status, 200);
  });

  it('A14 D1 verdict reuse: after the window the grant ends, its tokens with it; siblings of the same session live; the event names both origins', async () => {
    const sibling = await fresh();
    const tokens = await fresh();
    const { body } = await refresh(test, tokens.refresh_token, { 'user-agent': 'owner' });
    test.advance(31);
    const answer = await refresh(test, tokens.refresh_token, { 'user-agent': 'thief' });
    assertRefused(answer);
    assert.equal(await reasonOf(test, answer), 'refresh_reused');
    assertRefused(await refresh(test, String(body.refresh_token)));
    assert.equal((await introspect(test, body.access_token)).active, false);
    assert.equal((await introspect(test, sibling.access_token)).active, true);
    assert.equal((await refresh(test, sibling.refresh_token)).status, 200);

    const grantId = claimsOf(tokens.access_token).grant_id as string;
    const [reused] = await test.store.readEvents({ types: ['refresh.reused'], grantId, limit: 9 });
    assert.deepEqual(reused?.data?.presentedFrom, { ip: '127.0.0.1', userAgent: 'thief' });
    assert.deepEqual(reused?.data?.lastUsedFrom, { ip: '127.0.0.1', userAgent: 'owner' });
    const [ended] = await test.store.readEvents({ types: ['grant.ended'], grantId, limit: 9 });
    assert.equal(ended?.data?.reason, 'refresh_reused');
    assert.deepEqual(ended?.audiences, [ordersApi]);
    const session = await test.store.getSession(claimsOf(tokens.access_token).sid as string);
    assert.equal(session?.endedAt, null);
    const again = await refresh(test, tokens.refresh_token);
    assert.equal(await reasonOf(test, again), 'refresh_reused');
    assert.equal((await test.store.readEvents({ types: ['refresh.reused'], grantId, limit: 9 })).length, 1);
  });

  it('D1 verdict superseded: an older token within the window of a later rotation is refused and ends nothing; after the window it is reuse', async () => {
    const tokens = await fresh();
    const second = await refresh(test, tokens.refresh_token);
    test.advance(100);
    const third = await refresh(test, String(second.body.refresh_token));
    const answer = await refresh(test, tokens.refresh_token);
    assertRefused(answer);
    assert.equal(await reasonOf(test, answer), 'refresh_superseded');
    assert.equal((await introspect(test, third.body.access_token)).active, true);
    test.advance(31);
    assert.equal(await reasonOf(test, await refresh(test, tokens.refresh_token)), 'refresh_reused');
    assertRefused(await refresh(test, String(third.body.refresh_token)));
  });

  it('D1 fifty parallel redemptions, the store slow: one rotation, forty-nine answers with the same successor, one live token', async () => {
    const store = slowed(await openSqliteStore({ file: ':memory:' }), 3);
    const slow = await startTestServer({ store });
    const { body: tokens } = await redeemCode(slow, await obtainCode(slow));
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(slow, String(tokens.refresh_token))));
    assert.deepEqual([...new Set(answers.map((one) => one.status))], [200]);
    const [successor, ...others] = new Set(answers.map((one) => one.body.refresh_token));
    assert.equal(others.length, 0);
    const grant = await slow.store.getGrant(claimsOf(tokens.access_token).grant_id as string);
    assert.equal(grant?.generation, 2);
    assert.equal(grant?.uses, 1);
    assert.equal(grant?.replays, 49);
    assert.equal((await introspect(slow, successor, 'web')).active, false);
    assert.equal((await refresh(slow, String(successor))).status, 200);
    await slow.close();
  });

  it('D1 a client that gave up while the server was behind: nothing rotates, and nothing of it looks like a theft', async () => {
    const store = slowed(await openSqliteStore({ file: ':memory:' }), 40);
    const slow = await startTestServer({ store });
    const { body: tokens } = await redeemCode(slow, await obtainCode(slow));
    const givingUp = new AbortController();
    const request = (refreshToken: string, signal: AbortSignal) =>
      slow.server.fetch(
        new Request(`${slow.issuer}/token`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: 'spa' }),
          signal,
        }),
      );
    const unheard = request(String(tokens.refresh_token), givingUp.signal);
    givingUp.abort();
    assert.equal((await unheard).status, 503);
    const grantId = claimsOf(tokens.access_token).grant_id as string;
    assert.equal((await slow.store.getGrant(grantId))?.generation, 1);

    // Meanwhile it asked again, twice; what it had given up before is only now judged, long after the window.
    const first = await refresh(slow, String(tokens.refresh_token));
    const second = await refresh(slow, String(first.body.refresh_token));
    slow.advance(60);
    const late = new AbortController();
    const old = request(String(tokens.refresh_token), late.signal);
    late.abort();
    assert.equal((await old).status, 503);
    assert.equal((await refresh(slow, String(second.body.refresh_token))).status, 200);
    await slow.close();
  });

  it('D1 parallel redemptions beside an ending: once it is ended, nobody refreshes', async () => {
    const tokens = await fresh();
    const attempts = Array.from({ length: 10 }, () => refresh(test, tokens.refresh_token));
    const revoked = test.post('/revoke', { token: tokens.refresh_token, client_id: 'spa' });
    const answers = await Promise.all(attempts);
    await revoked;
    for (const { body } of answers)
      if (body.refresh_token) assertRefused(await refresh(test, String(body.refresh_token)));
    for (const { body } of answers)
      if (body.access_token) assert.equal((await introspect(test, body.access_token)).active, false);
  });

  it('A26 RFC 6749 6: scope may be narrowed for one access token, never widened, and the refresh token keeps the grant whole', async () => {
    const tokens = await fresh({}, { parameters: { scope: 'openid orders:read orders:write' } });
    const narrowed = await test.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      client_id: 'spa',
      scope: 'orders:read',
    });
    assert.equal(narrowed.body.scope, 'orders:read');
    assert.equal(claimsOf(narrowed.body.access_token).scope, 'orders:read');
    assert.equal(narrowed.body.id_token, undefined);
    const whole = await refresh(test, String(narrowed.body.refresh_token));
    assert.equal(whole.body.scope, 'openid orders:read orders:write');
    const wider = await test.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: String(whole.body.refresh_token),
      client_id: 'spa',
      scope: 'orders:read profile',
    });
    assertRefused(wider, 'invalid_scope');
    assert.equal((await refresh(test, String(whole.body.refresh_token))).status, 200);
  });

  it('A26 RFC 8707 2.2: a refresh may name one of its resources, never another, and a refusal spends nothing', async () => {
    const all = await fresh({}, { parameters: { scope: 'openid orders:read' } });
    const ask = (token: unknown, resource: string) =>
      test.post('/token', { grant_type: 'refresh_token', refresh_token: String(token), client_id: 'spa', resource });
    assertRefused(await ask(all.refresh_token, invoicesApi), 'invalid_target');
    assertRefused(await ask(all.refresh_token, 'https://nobody.example.com'), 'invalid_target');
    const narrowed = await ask(all.refresh_token, ordersApi);
    assert.equal(narrowed.status, 200);
    assert.equal(claimsOf(narrowed.body.access_token).aud, ordersApi);
  });

  it('A18 a scope the user has lost since is not issued any more, and is not regained by asking', async () => {
    const tokens = await fresh({}, { parameters: { scope: 'openid orders:read orders:write' } });
    const user = await test.store.findUser('ada');
    assert.ok(user);
    const put = (roles: string[], expect: number) =>
      test.store.commit([{ change: 'put', kind: 'user', expect, record: { ...user, roles } }]);
    await put([], user.version);
    const { body } = await refresh(test, tokens.refresh_token);
    assert.equal(body.scope, 'openid orders:read');
    await put(user.roles, user.version + 1);
    assert.equal((await refresh(test, String(body.refresh_token))).body.scope, 'openid orders:read orders:write');
  });

  it('A14 FAPI 2.0 5.3.2.1: a confidential client without rotation gets the same refresh token, as often as it likes', async () => {
    const keepsTokens = await fresh(basic('keeps'), { client_id: 'keeps' });
    const use = () =>
      test.post('/token', { grant_type: 'refresh_token', refresh_token: keepsTokens.refresh_token }, basic('keeps'));
    for (const seconds of [0, 40, 86_400]) {
      test.advance(seconds);
      const answer = await use();
      assert.equal(answer.status, 200);
      assert.equal(answer.body.refresh_token, keepsTokens.refresh_token);
    }
    const parallel = await Promise.all(Array.from({ length: 20 }, use));
    assert.deepEqual([...new Set(parallel.map((one) => one.status))], [200]);
    const stolen = await test.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: keepsTokens.refresh_token,
      client_id: 'keeps',
    });
    assert.equal(stolen.status, 401);
  });

  it('a refresh token in the URL, twice, or missing is refused', async () => {
    const tokens = await fresh();
    const form = { grant_type: 'refresh_token', client_id: 'spa' };
    assertRefused(await test.post(`/token?refresh_token=${tokens.refresh_token}`, form), 'invalid_request');
    assertRefused(await test.post('/token', form), 'invalid_request');
    const twice: [string, string][] = [
      ...(Object.entries(form) as [string, string][]),
      ['refresh_token', tokens.refresh_token],
      ['refresh_token', tokens.refresh_token],
    ];
    assertRefused(await test.post('/token', twice), 'invalid_request');
  });
});

describe('refreshing with a key', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer();
    browser = test.browser();
  });
  after(() => test.close());

  async function bound() {
    const key = await ProofKey.make(test);
    const { body } = await redeemCode(test, await obtainCode(test, { browser }), {}, await key.headers());
    return { key, tokens: body as { access_token: string; refresh_token: string; token_type: string } };
  }

  it('RFC 9449 5: the grant is bound to the key; without proof or with another key it is refused and ends nothing', async () => {
    const { key, tokens } = await bound();
    assert.equal(tokens.token_type, 'DPoP');
    const other = await ProofKey.make(test);
    assertRefused(await refresh(test, tokens.refresh_token));
    assertRefused(await refresh(test, tokens.refresh_token, await other.headers()));
    const { body } = await refresh(test, tokens.refresh_token, await key.headers());
    test.advance(3600);
    assertRefused(await refresh(test, tokens.refresh_token));
    assertRefused(await refresh(test, tokens.refresh_token, await other.headers()));
    assert.equal((await refresh(test, String(body.refresh_token), await key.headers())).status, 200);
  });

  it('D1 who slept ten minutes through the answer is asked for a fresh nonce, then gets the same successor', async () => {
    const { key, tokens } = await bound();
    const { body } = await refresh(test, tokens.refresh_token, await key.headers());
    test.advance(600);
    const asked = await refresh(test, tokens.refresh_token, await key.headers());
    assertRefused(asked, 'use_dpop_nonce');
    const nonce = asked.headers.get('dpop-nonce') as string;
    const again = await refresh(test, tokens.refresh_token, await key.headers({ nonce }));
    assert.equal(again.status, 200);
    assert.equal(again.body.refresh_token, body.refresh_token);
    // Still so a day later, until the successor is used.
    test.advance(86_400);
    const late = await refresh(test, tokens.refresh_token, await key.headers());
    const lateNonce = late.headers.get('dpop-nonce') as string;
    const later = await refresh(test, tokens.refresh_token, await key.headers({ nonce: lateNonce }));
    assert.equal(later.body.refresh_token, body.refresh_token);
  });

  it('D1 once the successor was used and the window is over, the spent token is reuse even with key and fresh nonce', async () => {
    const { key, tokens } = await bound();
    const second = await refresh(test, tokens.refresh_token, await key.headers());
    const third = await refresh(test, String(second.body.refresh_token), await key.headers());
    test.advance(31);
    const nonce = third.headers.get('dpop-nonce') as string;
    const answer = await refresh(test, tokens.refresh_token, await key.headers({ nonce }));
    assertRefused(answer);
    assert.equal(await reasonOf(test, answer), 'refresh_reused');
    assertRefused(await refresh(test, String(third.body.refresh_token), await key.headers()));
  });

  it('a proof recorded from the first request is worth nothing for the replay', async () => {
    const { key, tokens } = await bound();
    const headers = await key.headers();
    assert.equal((await refresh(test, tokens.refresh_token, headers)).status, 200);
    const replayed = await refresh(test, tokens.refresh_token, headers);
    assertRefused(replayed, 'invalid_dpop_proof');
  });

  it('D1 fifty parallel redemptions with a proof each give one successor', async () => {
    const { key, tokens } = await bound();
    const proofs = await Promise.all(Array.from({ length: 50 }, () => key.headers()));
    const answers = await Promise.all(proofs.map((headers) => refresh(test, tokens.refresh_token, headers)));
    assert.deepEqual([...new Set(answers.map((one) => one.status))], [200]);
    assert.equal(new Set(answers.map((one) => one.body.refresh_token)).size, 1);
  });
});

describe('refreshing across a rotation of the root keys', () => {
  const a = { id: 'AAAAAA', secret: randomBytes(32) };
  const b = { id: 'BBBBBQ', secret: randomBytes(32) };

  it('D1 D10 gives the same successor before and after, and keeps the sealed cookies and codes working', async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    const kept = leftOpen(store);
    const older = new RootKeys([
      { ...a, state: 'current' },
      { ...b, state: 'accepted' },
    ]);
    const newer = new RootKeys([
      { ...b, state: 'current' },
      { ...a, state: 'accepted' },
    ]);
    const first = await startTestServer({ store: kept, rootKeys: older });
    const browser = first.browser();
    const { body: tokens } = await redeemCode(first, await obtainCode(first, { browser }));
    const { body: unused } = await redeemCode(first, await obtainCode(first, { browser }));
    const { body } = await refresh(first, String(tokens.refresh_token));
    const pending = await obtainCode(first, { browser });
    await first.close();

    const second = await startTestServer({ store: kept, rootKeys: newer });
    const again = await refresh(second, String(tokens.refresh_token));
    assert.equal(again.status, 200);
    assert.equal(again.body.refresh_token, body.refresh_token);
    assert.equal((await redeemCode(second, pending)).status, 200);
    const rotated = await refresh(second, String(body.refresh_token));
    assert.equal(openRefreshToken(newer, String(rotated.body.refresh_token))?.keyId, 'BBBBBQ');
    const replay = await refresh(second, String(body.refresh_token));
    assert.equal(replay.body.refresh_token, rotated.body.refresh_token);
    await second.close();

    // The old key was compromised: what it sealed is refused, what the new one sealed lives.
    const third = await startTestServer({
      store,
      rootKeys: new RootKeys([
        { ...b, state: 'current' },
        { ...a, state: 'refused' },
      ]),
    });
    assertRefused(await refresh(third, String(unused.refresh_token)));
    assert.equal((await refresh(third, String(rotated.body.refresh_token))).status, 200);
    await third.close();
  });

  it('D1 D10 a successor that was sealed under a key refused since is given again under the current one', async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    const startWith = (rootKeys: RootKeys) => startTestServer({ store: leftOpen(store), rootKeys });
    // Nodes that are restarted one after the other: the one issues under b, another rotates under a still.
    const ahead = await startWith(
      new RootKeys([
        { ...b, state: 'current' },
        { ...a, state: 'accepted' },
      ]),
    );
    const { body: tokens } = await redeemCode(ahead, await obtainCode(ahead));
    await ahead.close();
    const behind = await startWith(
      new RootKeys([
        { ...a, state: 'current' },
        { ...b, state: 'accepted' },
      ]),
    );
    const { body: lost } = await refresh(behind, String(tokens.refresh_token));
    await behind.close();
    const last = await startWith(
      new RootKeys([
        { ...b, state: 'current' },
        { ...a, state: 'refused' },
      ]),
    );
    assertRefused(await refresh(last, String(lost.refresh_token)));
    const again = await refresh(last, String(tokens.refresh_token));
    assert.equal(again.status, 200);
    assert.notEqual(again.body.refresh_token, undefined, 'an app without a refresh token would be signed out');
    assert.equal((await refresh(last, String(again.body.refresh_token))).status, 200);
    await last.close();
    await store.close();
  });
});

/** The store, for a server that leaves it open when it closes. */
function leftOpen(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'close') return async () => undefined;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
