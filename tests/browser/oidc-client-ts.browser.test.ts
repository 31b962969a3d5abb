import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { build } from 'esbuild';
import type { User, UserManager } from 'oidc-client-ts';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromiumPath, launchChromium } from '../chromium.ts';
import {
  claimsOf,
  introspect,
  password,
  refresh,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

if (chromiumPath === undefined)
  console.error(
    'SKIPPED: the stock browser client was not run. Set CHROMIUM_PATH to a Chromium to run oidc-client-ts.browser.test.ts.',
  );

const { clients: declared = [] } = testConfig('http://localhost:8080');
const clients = [
  ...declared.filter(({ client_id }) => client_id !== 'spa'),
  {
    client_id: 'spa',
    client_name: 'Stock SPA',
    redirect_uris: ['http://127.0.0.1/callback'],
    post_logout_redirect_uris: ['http://127.0.0.1/'],
    scope: 'openid email orders:read',
  },
];

/** What the app's page runs: a UserManager whose tokens are kept in localStorage, so that tabs share them. */
const app = `
  import { IndexedDbDPoPStore, UserManager, WebStorageStateStore } from 'oidc-client-ts';
  const { issuer, dpop } = JSON.parse(document.getElementById('settings').textContent);
  globalThis.manager = new UserManager({
    authority: issuer,
    client_id: 'spa',
    redirect_uri: location.origin + '/callback',
    post_logout_redirect_uri: location.origin + '/',
    scope: 'openid email orders:read',
    loadUserInfo: !dpop,
    automaticSilentRenew: false,
    userStore: new WebStorageStateStore({ store: localStorage }),
    ...(dpop && { dpop: { bind_authorization_code: true, store: new IndexedDbDPoPStore() } }),
  });
  if (location.pathname === '/callback') await manager.signinCallback();
  document.title = 'ready';
`;
declare const manager: UserManager;

describe('oidc-client-ts in Chromium', { skip: chromiumPath === undefined && 'no Chromium' }, () => {
  let test: TestServer;
  let site: Server;
  let origin: string;
  let browser: Browser;

  before(async () => {
    const bundled = await build({
      stdin: { contents: app, resolveDir: import.meta.dirname, loader: 'js' },
      bundle: true,
      format: 'esm',
      write: false,
      logLevel: 'error',
    });
    const script = bundled.outputFiles[0]?.text ?? '';
    test = await startTestServer({ listen: true, config: { clients } });
    site = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site');
      if (pathname === '/app.js') {
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
        return;
      }
      const cookie = /dpop=1/.test(request.headers.cookie ?? '');
      const dpop = cookie || searchParams.has('dpop');
      const settings = JSON.stringify({ issuer: test.issuer, dpop });
      response
        .writeHead(200, { 'content-type': 'text/html', ...(dpop && { 'set-cookie': 'dpop=1' }) })
        .end(
          `<!doctype html><title>app</title><script type="application/json" id="settings">${settings}</script><script type="module" src="/app.js"></script>`,
        );
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    site?.close();
    await test?.close();
  });

  async function open(context: BrowserContext, path = '/'): Promise<Page> {
    const page = await context.newPage();
    page.on('pageerror', (error) => assert.fail(error));
    await page.goto(`${origin}${path}`);
    await page.waitForFunction(() => document.title === 'ready');
    return page;
  }

  async function signIn(page: Page): Promise<User> {
    await page.evaluate(() => void manager.signinRedirect());
    await page.waitForURL((url) => url.href.startsWith(test.issuer));
    await page.fill('input[name=username]', 'ada');
    await page.fill('input[name=password]', password);
    await page.click('button[type=submit]');
    const allow = page.locator('button[value=allow]');
    await Promise.race([allow.waitFor(), page.waitForURL(`${origin}/callback**`)]);
    if (await allow.isVisible()) await allow.click();
    await page.waitForURL(`${origin}/callback**`);
    await page.waitForFunction(() => document.title === 'ready');
    return userOf(page);
  }
  const userOf = (page: Page) =>
    page.evaluate(async () => JSON.parse(JSON.stringify(await manager.getUser()))) as Promise<User>;
  const renew = (page: Page) =>
    page.evaluate(async () => JSON.parse(JSON.stringify(await manager.signinSilent()))) as Promise<User>;

  it('A1 A23 signs in through our own pages, asks for consent once, and learns who it is', {
    timeout: 240_000,
  }, async () => {
    const context = await browser.newContext();
    const page = await open(context);
    const user = await signIn(page);
    assert.equal(user.profile.email, 'ada@example.com');
    assert.equal(user.token_type, 'Bearer');
    assert.equal((await introspect(test, user.access_token)).active, true);
    assert.equal(new URL(page.url()).searchParams.get('iss'), test.issuer);
    // C23: a second tab of the same browser needs neither password nor consent.
    const second = await open(context);
    await second.evaluate(() => void manager.signinRedirect());
    await second.waitForURL(`${origin}/callback**`);
    await context.close();
  });

  it('B3 D1 renews silently by its refresh token, also in two tabs at the same moment', {
    timeout: 240_000,
  }, async () => {
    const context = await browser.newContext();
    const one = await open(context);
    const first = await signIn(one);
    const renewed = await renew(one);
    assert.notEqual(renewed.access_token, first.access_token);
    assert.notEqual(renewed.refresh_token, first.refresh_token);

    const two = await open(context);
    for (let round = 0; round < 3; round++) {
      const users = await Promise.all([renew(one), renew(two), renew(one), renew(two)]);
      for (const user of users) assert.equal((await introspect(test, user.access_token)).active, true);
    }
    assert.ok((await renew(two)).access_token, 'and nobody was signed out');
    await context.close();
  });

  it('B14 A17 signs out: back at the app, the refresh token is dead and the next sign-in asks', {
    timeout: 240_000,
  }, async () => {
    const context = await browser.newContext();
    const page = await open(context);
    const user = await signIn(page);
    await page.evaluate(() => void manager.signoutRedirect());
    await page.waitForURL(`${origin}/**`);
    await page.waitForFunction(() => document.title === 'ready');
    assert.equal((await refresh(test, user.refresh_token as string)).status, 400);
    assert.equal((await introspect(test, user.access_token)).active, false);
    await page.evaluate(() => void manager.signinRedirect());
    await page.waitForURL((url) => url.href.startsWith(`${test.issuer}/sign-in`));
    await context.close();
  });

  it('RFC 9449 with DPoP: bound to a key that never leaves the browser, renewed with nonces', {
    timeout: 240_000,
  }, async () => {
    const context = await browser.newContext();
    const page = await open(context, '/?dpop');
    const user = await signIn(page);
    assert.equal(user.token_type, 'DPoP');
    assert.ok((claimsOf(user.access_token).cnf as { jkt: string }).jkt);
    const renewed = await renew(page);
    assert.equal(renewed.token_type, 'DPoP');
    assert.deepEqual(claimsOf(renewed.access_token).cnf, claimsOf(user.access_token).cnf);
    assert.equal(
      (await refresh(test, renewed.refresh_token as string)).status,
      400,
      'without the key it is worth nothing',
    );
    await context.close();
  });
});
