import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseConfig } from '@tessera/server';
import type { TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  introspect,
  obtainCode,
  ordersApi,
  password,
  pkce,
  redeemCode,
  refresh,
  secret,
  signInTokens,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const { clients: declared = [], resourceServers = [] } = testConfig('http://localhost:8080');
const shortApi = 'https://api.example.com/short';
const app = (client_id: string, more: object) => ({
  client_id,
  redirect_uris: [`https://${client_id}.example.com/callback`],
  scope: 'openid orders:read short:read',
  consent: 'skip' as const,
  ...more,
});
const clients = [
  ...declared,
  app('stateless', { strategy: 'stateless', lifetimes: { accessToken: 120 } }),
  app('backed', { strategy: 'server-backed', lifetimes: { absolute: 180, accessToken: 50 } }),
  app('slides', { strategy: 'sliding', lifetimes: { idle: 60, accessToken: 300 } }),
  app('stays', {
    client_secret: secret,
    rotation: false,
    strategy: 'sliding',
    lifetimes: { idle: 60, accessToken: 300 },
  }),
  app('capped', { strategy: 'sliding-revocable', lifetimes: { idle: 60, absolute: 180, accessToken: 300 } }),
  app('brief', { lifetimes: { accessToken: 200 } }),
];
const config = {
  clients,
  resourceServers: [
    ...resourceServers,
    {
      id: 'short',
      audiences: [shortApi],
      scopes: { 'short:read': {} },
      accessTokenLifetime: 100,
      clients: ['orders-api'],
    },
  ],
} as never;

describe('strategies', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer({ config });
  });
  after(() => test.close());

  async function tokensOf(client_id: string, browser: TestBrowser = test.browser(), parameters = {}) {
    const { body } = await redeemCode(test, await obtainCode(test, { browser, client_id, parameters }));
    return body as { access_token: string; refresh_token: string; expires_in: number };
  }
  const use = (client_id: string, refresh_token: string) =>
    test.post('/token', { grant_type: 'refresh_token', refresh_token, client_id });

  /** Uses a grant every so many seconds until it is refused; says after how long that was, and checks every access token on the way. */
  async function liveUntilRefused(client_id: string, every: number, atMost: number): Promise<number> {
    const born = test.now();
    let { access_token, refresh_token } = await tokensOf(client_id);
    for (;;) {
      const { exp } = claimsOf(access_token) as { exp: number };
      const grant = await test.store.getGrant(claimsOf(access_token).grant_id as string);
      assert.ok(grant && exp <= Math.min(grant.endsAt, grant.idleAt ?? grant.endsAt), 'exp outlives what it hangs on');
      if (test.now() - born >= atMost) return atMost;
      test.advance(every);
      const { status, body } = await use(client_id, refresh_token);
      assert.equal((await introspect(test, access_token)).active, status === 200 && exp > test.now());
      if (status !== 200) return test.now() - born;
      ({ access_token, refresh_token } = body as { access_token: string; refresh_token: string });
    }
  }

  it('A4 stateless: no refresh token, and the grant goes with its one access token', async () => {
    const tokens = await tokensOf('stateless');
    assert.equal(tokens.refresh_token, undefined);
    assert.equal(tokens.expires_in, 120);
    const form = { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'stateless' };
    assert.equal((await test.post('/token', form)).body.error, 'unauthorized_client');
    test.advance(119);
    assert.equal((await introspect(test, tokens.access_token)).active, true);
    test.advance(1);
    assert.equal((await introspect(test, tokens.access_token)).active, false);
    await test.server.endLapsed();
    const grant = await test.store.getGrant(claimsOf(tokens.access_token).grant_id as string);
    assert.notEqual(grant?.endedAt, null);
  });

  it('A5 server-backed: a fixed life that use does not extend, and revocable at once', async () => {
    assert.equal(await liveUntilRefused('backed', 40, 400), 200);
    const tokens = await tokensOf('backed');
    await test.post('/revoke', { token: tokens.refresh_token, client_id: 'backed' });
    assert.equal((await use('backed', tokens.refresh_token)).status, 400);
    assert.equal((await introspect(test, tokens.access_token)).active, false);
  });

  it('A6 sliding: idle 60 s with a use every 40 s is alive at 5 min', async () => {
    assert.equal(await liveUntilRefused('slides', 40, 300), 300);
  });

  it('A6 sliding: unused it is alive at 59 s and dead at 60 s, at refresh and at an API', async () => {
    const alive = await tokensOf('slides');
    test.advance(59);
    assert.equal((await introspect(test, alive.access_token)).active, true);
    const used = await use('slides', alive.refresh_token);
    assert.deepEqual([used.status, used.body.expires_in], [200, 60], 'what a use gives hangs on the limit it moved');
    const dead = await tokensOf('slides');
    assert.equal(dead.expires_in, 60, 'the access token says so too, for who verifies offline');
    test.advance(60);
    assert.equal((await introspect(test, dead.access_token)).active, false);
    assert.equal((await use('slides', dead.refresh_token)).status, 400);
  });

  it('A6 sliding without rotation: what a use gives hangs on the limit it moved, and the same token lives on', async () => {
    const pending = await obtainCode(test, { client_id: 'stays' });
    const { refresh_token } = (await redeemCode(test, pending, {}, basic('stays'))).body as { refresh_token: string };
    const form = { grant_type: 'refresh_token', refresh_token };
    for (let uses = 0; uses < 3; uses++) {
      test.advance(59);
      const used = await test.post('/token', form, basic('stays'));
      assert.deepEqual([used.status, used.body.expires_in], [200, 60]);
      assert.equal(used.body.refresh_token, refresh_token);
    }
    test.advance(60);
    assert.equal((await test.post('/token', form, basic('stays'))).status, 400);
  });

  it('A6 the use of a replayed token slides nothing and revives nothing', async () => {
    const tokens = await tokensOf('slides');
    const { body } = await use('slides', tokens.refresh_token);
    test.advance(30);
    assert.equal((await use('slides', tokens.refresh_token)).status, 200);
    test.advance(30);
    assert.equal((await use('slides', String(body.refresh_token))).status, 400);
  });

  it('A7 sliding and revocable: dead at 3 min though active, at refresh and at an API; revoking at 1 min ends it too', async () => {
    assert.equal(await liveUntilRefused('capped', 40, 400), 200);
    assert.equal(await liveUntilRefused('capped', 59, 400), 236);
    const tokens = await tokensOf('capped');
    test.advance(30);
    const { body } = await use('capped', tokens.refresh_token);
    test.advance(30);
    await test.post('/revoke', { token: String(body.refresh_token), client_id: 'capped' });
    assert.equal((await introspect(test, body.access_token)).active, false);
    assert.equal((await use('capped', String(body.refresh_token))).status, 400);
  });

  it('A16 the shorter of client’s and resource server’s access token lifetime counts, else the server’s', async () => {
    const browser = test.browser();
    const table: [string, string, number][] = [
      ['spa', ordersApi, 900],
      ['brief', ordersApi, 200],
      ['brief', shortApi, 100],
    ];
    for (const [client_id, resource, expected] of table)
      assert.equal((await tokensOf(client_id, browser, { resource })).expires_in, expected, `${client_id} ${resource}`);
    const { body } = await test.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
    assert.equal(body.expires_in, 900);
  });
});

describe('lifetimes of a fresh install', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  it('B2 an access token lives 900 s', async () => {
    const tokens = await signInTokens(test);
    assert.equal(tokens.expires_in, 900);
    const { exp, iat, nbf } = claimsOf(tokens.access_token) as Record<string, number>;
    assert.equal(Number(exp) - Number(iat), 900);
    assert.equal(nbf, iat);
  });

  it('B4 C16 a refresh token is opaque, alive at 7 days less a second, and dead after 7 days unused', async () => {
    const alive = await signInTokens(test);
    assert.equal(alive.refresh_token.split('.').length, 1);
    test.advance(7 * 86_400 - 1);
    assert.equal((await refresh(test, alive.refresh_token)).status, 200);
    const dead = await signInTokens(test);
    test.advance(7 * 86_400);
    assert.equal((await refresh(test, dead.refresh_token)).status, 400);
  });

  it('the session ends after 90 days at the latest, however often it is used', async () => {
    const born = test.now();
    let { access_token, refresh_token } = await signInTokens(test);
    for (;;) {
      test.advance(6 * 86_400);
      const { status, body } = await refresh(test, refresh_token);
      if (status !== 200) break;
      ({ access_token, refresh_token } = body as { access_token: string; refresh_token: string });
      assert.ok((claimsOf(access_token).exp as number) <= born + 90 * 86_400);
    }
    assert.equal(test.now() - born, 90 * 86_400);
    await test.server.endLapsed();
    const session = await test.store.getSession(claimsOf(access_token).sid as string);
    assert.equal(session?.endReason, 'expired');
  });

  it('the last access token before the end is cut to it', async () => {
    let { refresh_token } = await signInTokens(test);
    for (let day = 6; day < 90; day += 6) {
      test.advance(6 * 86_400);
      ({ refresh_token } = (await refresh(test, refresh_token)).body as { refresh_token: string });
    }
    test.advance(6 * 86_400 - 100);
    const { body } = await refresh(test, refresh_token);
    assert.equal(body.expires_in, 100);
  });
});

describe('staying signed in at the sign-in page', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  const isSignedIn = async (browser: TestBrowser) => {
    const page = await browser.go(
      `${test.issuer}/authorize?${new URLSearchParams({ response_type: 'code', client_id: 'spa', redirect_uri: 'https://spa.example.com/callback', code_challenge: pkce().challenge, code_challenge_method: 'S256' })}`,
    );
    // The answer does not wait for the touch to be written; what is committed after it does.
    await test.store.commit([]);
    return page.url.includes('code=');
  };
  async function signIn(remember: boolean) {
    const browser = test.browser();
    const { challenge } = pkce();
    const query = { client_id: 'spa', redirect_uri: 'https://spa.example.com/callback', code_challenge: challenge };
    const { searchParams } = await browser.authorize(query, { username: 'ada', password, remember });
    assert.ok(searchParams.get('code'));
    return browser;
  }

  it('A15 without "keep me signed in" the cookie goes with the browser and skips the page for 12 h after the last use', async () => {
    const browser = await signIn(false);
    for (let i = 0; i < 4; i++) {
      test.advance(11 * 3600);
      assert.equal(await isSignedIn(browser), true);
    }
    test.advance(12 * 3600);
    assert.equal(await isSignedIn(browser), false);
  });

  it('A15 A29 with it the page is skipped for 30 days after the last use', async () => {
    const browser = await signIn(true);
    for (const days of [29, 29]) {
      test.advance(days * 86_400);
      assert.equal(await isSignedIn(browser), true);
    }
    test.advance(30 * 86_400);
    assert.equal(await isSignedIn(browser), false);
  });

  it('A15 the cookie of "keep me signed in" outlives the browser, the other does not', async () => {
    for (const remember of [true, false]) {
      const browser = test.browser();
      const page = await browser.go(`${test.issuer}/account`);
      const form = page.forms[0];
      const body = new URLSearchParams({
        ...form?.hidden,
        username: 'ada',
        password,
        ...(remember && { remember: 'on' }),
      });
      const response = await browser.request(`${test.issuer}/sign-in`, {
        method: 'POST',
        body,
        headers: { origin: test.issuer },
      });
      const cookie = response.headers.getSetCookie().find((one) => one.startsWith('tessera_session')) as string;
      assert.equal(/Max-Age=(\d+)/.exec(cookie)?.[1], remember ? String(90 * 86_400) : undefined);
    }
  });

  it('the lapse of the cookie ends nothing: the apps stay signed in', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    test.advance(86_400);
    await test.server.endLapsed();
    assert.equal(await isSignedIn(browser), false);
    assert.equal((await refresh(test, tokens.refresh_token)).status, 200);
  });

  it('a session without cookie and without apps ends by itself', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    await test.post('/revoke', { token: tokens.refresh_token, client_id: 'spa' });
    test.advance(12 * 3600);
    await test.server.endLapsed();
    const session = await test.store.getSession(claimsOf(tokens.access_token).sid as string);
    assert.equal(session?.endReason, 'idle');
  });
});

describe('nonsense in the configuration', () => {
  it('A3 A10 A16 is refused when the server starts', () => {
    const wrong: object[] = [
      { lifetimes: { accessToken: 0 } },
      { lifetimes: { accessToken: -1 } },
      { lifetimes: { accessToken: 1.5 } },
      { lifetimes: { idle: 100, absolute: 50 } },
      { clients: [app('x', { rotation: false })] },
      { clients: [app('x', { pkce: 'optional' })] },
      { clients: [app('x', { strategy: 'stateless', grant_types: ['authorization_code', 'refresh_token'] })] },
      { clients: [app('x', { redirect_uris: ['http://example.com/callback'] })] },
      { issuer: 'http://example.com' },
    ];
    for (const more of wrong)
      assert.throws(() => parseConfig(testConfig('http://localhost:8080', more as never)), JSON.stringify(more));
    const right = app('x', { client_secret: secret, rotation: false, scope: 'openid orders:read' });
    assert.ok(parseConfig(testConfig('http://localhost:8080', { clients: [...declared, right] as never })));
  });
});
