import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createServer, parseConfig, type TesseraServer } from '@tessera/server';
import { cookieJar } from '../../packages/server/src/http/cookies.ts';
import { systemRandom } from '../../packages/server/src/secrets/random.ts';
import { RootKeys } from '../../packages/server/src/secrets/root-keys.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import { TestBrowser } from '../test-browser.ts';
import {
  basic,
  obtainCode,
  password,
  pkce,
  redeemCode,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const pagePaths = [
  '/authorize',
  '/authorize/continue',
  '/sign-in',
  '/choose-account',
  '/consent',
  '/end-session',
  '/signed-out',
  '/',
];

describe('headers', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  it('RFC 9700 4.16 no page can be framed, sniffed, stored or made to run anything', async () => {
    for (const path of pagePaths) {
      const { headers } = await test.server.fetch(new Request(`${test.issuer}${path}`));
      if (headers.get('location')) continue;
      const policy = headers.get('content-security-policy') ?? '';
      assert.match(policy, /default-src 'none'/, path);
      assert.match(policy, /frame-ancestors 'none'/, path);
      assert.match(policy, /base-uri 'none'/, path);
      assert.match(policy, /form-action 'self'/, path);
      assert.doesNotMatch(policy, /unsafe|\*|script-src/, path);
      assert.equal(headers.get('x-frame-options'), 'DENY', path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
      assert.equal(headers.get('cache-control'), 'no-store', path);
      assert.equal(headers.get('referrer-policy'), 'same-origin', path);
      assert.equal(headers.get('access-control-allow-origin'), null, path);
      assert.match(headers.get('content-type') ?? '', /^text\/html; charset=utf-8$/);
    }
  });

  it('RFC 6749 5.1 answers with tokens, refusals and redirects are stored nowhere', async () => {
    const answers = [
      await redeemCode(test, await obtainCode(test)),
      await test.post('/token', {}),
      await test.post('/introspect', { token: 'x' }, basic('orders-api')),
      await test.post('/introspect', {}),
      await test.post('/revoke', { token: 'x', client_id: 'spa' }),
      await test.post('/userinfo', {}),
      await test.post('/events/poll', {}),
      await test.server.fetch(new Request(`${test.issuer}/account`)),
      await test.server.fetch(new Request(`${test.issuer}/nowhere`)),
    ];
    for (const { headers } of answers) assert.equal(headers.get('cache-control'), 'no-store');
  });

  it('scripts of other origins may use the endpoints without cookies, and none of the others', async () => {
    const preflight = async (path: string) =>
      (
        await test.server.fetch(
          new Request(`${test.issuer}${path}`, {
            method: 'OPTIONS',
            headers: {
              origin: 'https://spa.example.com',
              'access-control-request-method': 'POST',
              'access-control-request-headers': 'dpop',
            },
          }),
        )
      ).headers;
    for (const path of ['/token', '/userinfo', '/revoke', '/jwks', '/.well-known/openid-configuration']) {
      const headers = await preflight(path);
      assert.equal(headers.get('access-control-allow-origin'), '*', path);
      assert.match(headers.get('access-control-allow-headers') ?? '', /dpop/);
      assert.equal(headers.get('access-control-allow-credentials'), null);
    }
    for (const path of [...pagePaths, '/account', '/introspect', '/events/poll'])
      assert.equal((await preflight(path)).get('access-control-allow-origin'), null, path);
  });

  it('every refusal has an id, on the wire and in the header', async () => {
    const { body, headers } = await test.post('/token', { grant_type: 'x', client_id: 'spa' });
    assert.equal(headers.get('tessera-refusal-id'), body.refusal_id);
    assert.match(headers.get('access-control-expose-headers') ?? '', /tessera-refusal-id/);
  });

  it('on a loopback http issuer cookies are HttpOnly and Lax, and named by the port', async () => {
    const cookies = await cookiesOfSignIn(test.issuer, test.server);
    assert.ok(cookies.length >= 3);
    for (const cookie of cookies) {
      assert.match(cookie, /^tessera_\w+_8080=[\w-]+; Path=\/; HttpOnly; SameSite=Lax(; Max-Age=\d+)?$/);
    }
  });
});

describe('headers on an https issuer', () => {
  const issuer = 'https://auth.example.com/tenant';
  let server: TesseraServer;
  before(async () => {
    const config = parseConfig({ ...testConfig(issuer), listen: { host: '127.0.0.1', port: 0 } } as never);
    const store = await openSqliteStore({ file: ':memory:' });
    const rootKeys = new RootKeys([{ id: 'AAAAAA', secret: systemRandom(32), state: 'current' }]);
    server = await createServer({ config, store, rootKeys });
  });
  after(() => server.close());

  it('B16 HSTS stands on every answer', async () => {
    const admin = ['/admin/api/openapi.json', '/admin/api/users', '/admin/api/nowhere'];
    for (const path of ['/sign-in', '/token', '/nowhere', '/jwks', '/health', '/account', ...admin]) {
      const { headers } = await server.fetch(new Request(`${issuer}${path}`));
      const value = headers.get('strict-transport-security') ?? '';
      assert.ok(Number(/max-age=(\d+)/.exec(value)?.[1]) >= 31_536_000, path);
      // The operator's other hosts are not ours to bind.
      assert.doesNotMatch(value, /includeSubDomains/i, path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    }
  });

  it('B16 RFC 6265bis 4.1.3 cookies are Secure, HttpOnly and host-bound by their name', async () => {
    for (const cookie of await cookiesOfSignIn(issuer, server))
      assert.match(cookie, /^__Host-tessera_\w+=[\w-]+; Path=\/; HttpOnly; SameSite=Lax; Secure(; Max-Age=\d+)?$/);
  });

  it('RFC 6265 8.5 issuers side by side on one host do not overwrite each other’s cookies', () => {
    const names = [
      'https://auth.example.com',
      issuer,
      'https://auth.example.com/other',
      'https://auth.example.com/other/x',
    ].map((one) => cookieJar(one).name('tessera_session'));
    assert.equal(new Set(names).size, 4);
    for (const name of names) assert.match(name, /^__Host-tessera_session[\w-]*$/);
  });

  it('RFC 8414 3.1 an issuer with a path has its metadata at both places', async () => {
    const get = (url: string) => server.fetch(new Request(url));
    const open = await get(`${issuer}/.well-known/openid-configuration`);
    assert.equal(((await open.json()) as { issuer: string }).issuer, issuer);
    const oauth = await get('https://auth.example.com/.well-known/oauth-authorization-server/tenant');
    assert.equal(((await oauth.json()) as { issuer: string }).issuer, issuer);
    assert.equal((await get('https://auth.example.com/token')).status, 404);
    assert.equal((await get('https://auth.example.com/tenantx/token')).status, 404);
  });
});

/** All cookies that one sign-in sets. */
async function cookiesOfSignIn(issuer: string, server: TesseraServer): Promise<string[]> {
  const cookies: string[] = [];
  const browser = new TestBrowser(issuer, async (request) => {
    const response = await server.fetch(request);
    cookies.push(...response.headers.getSetCookie());
    return response;
  });
  const callback = await browser.authorize(
    { client_id: 'spa', redirect_uri: 'https://spa.example.com/callback', code_challenge: pkce().challenge },
    { username: 'ada', password },
  );
  assert.ok(callback.searchParams.get('code'));
  return cookies;
}
