import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { chromiumPath, launchChromium } from '../chromium.ts';
import { password, pkce, startTestServer, type TestServer, testConfig } from '../test-server.ts';

if (chromiumPath === undefined)
  console.error(
    'SKIPPED: no way back to an app was walked. Set CHROMIUM_PATH to a Chromium to run redirects-of-apps.browser.test.ts.',
  );

const { clients: declared = [] } = testConfig('http://localhost:8080');
const clients = [
  ...declared.filter(({ client_id }) => client_id !== 'spa'),
  {
    client_id: 'spa',
    client_name: 'An app',
    redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
    post_logout_redirect_uris: ['http://127.0.0.1/callback'],
    scope: 'openid',
  },
];

describe('the way back to an app in Chromium', { skip: chromiumPath === undefined && 'no Chromium' }, () => {
  let test: TestServer;
  let browser: Browser;
  /** Where apps send people on to: another origin than that of their redirect URIs. */
  let home: Server;
  const apps: Server[] = [];

  before(async () => {
    test = await startTestServer({ listen: true, config: { clients } });
    home = await site('127.0.0.1', undefined);
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    for (const one of [home, ...apps]) one?.close();
    await test?.close();
  });

  /** A site that shows a page, or sends whoever comes on to `next`. */
  function site(host: string, next: string | undefined): Promise<Server> {
    const server = createServer((_request, response) => {
      if (next === undefined) response.writeHead(200, { 'content-type': 'text/html' }).end('<title>landed</title>');
      else response.writeHead(303, { location: next }).end();
    });
    return new Promise((resolve, reject) => server.once('error', reject).listen(0, host, () => resolve(server)));
  }
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const homeUrl = () => `http://localhost:${portOf(home)}/home`;

  /** Signs in and allows; the browser must end up at `end`. */
  async function walk(redirectUri: string, parameters: Record<string, string> = {}, end = homeUrl()): Promise<void> {
    const context = await browser.newContext();
    const page = await context.newPage();
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: redirectUri,
      scope: 'openid',
      prompt: 'consent',
      code_challenge: pkce().challenge,
      code_challenge_method: 'S256',
      ...parameters,
    });
    await page.goto(`${test.issuer}/authorize?${query}`);
    await page.fill('#username', 'ada');
    await page.fill('#password', password);
    await page.click('button.primary');
    await page.click('button[value=allow]');
    await page.waitForURL((url) => url.href.startsWith(end), { timeout: 5000 });
    await context.close();
  }

  it('leads on to wherever the app sends people, by redirect and by form_post', async () => {
    const app = await site('127.0.0.1', homeUrl());
    apps.push(app);
    await walk(`http://127.0.0.1:${portOf(app)}/callback`);
    await walk(`http://127.0.0.1:${portOf(app)}/callback`, { response_mode: 'form_post' });
  });

  it('leads on when one cancels, and when one signs out', async () => {
    const app = await site('127.0.0.1', homeUrl());
    apps.push(app);
    const callback = `http://127.0.0.1:${portOf(app)}/callback`;
    const context = await browser.newContext();
    const page = await context.newPage();
    const query = {
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: callback,
      scope: 'openid',
      code_challenge_method: 'S256',
    };
    await page.goto(`${test.issuer}/authorize?${new URLSearchParams({ ...query, code_challenge: pkce().challenge })}`);
    await page.click('button[value=cancel]');
    await page.waitForURL(homeUrl(), { timeout: 5000 });
    await page.goto(`${test.issuer}/sign-in`);
    await page.fill('#username', 'ada');
    await page.fill('#password', password);
    await page.click('button.primary');
    await page.waitForURL('**/account');
    const signOut = new URLSearchParams({ client_id: 'spa', post_logout_redirect_uri: callback });
    await page.goto(`${test.issuer}/end-session?${signOut}`);
    await page.click('button[value=sign-out]');
    await page.waitForURL(homeUrl(), { timeout: 5000 });
    await context.close();
  });

  it('RFC 8252 7.3 leads to a program that listens on the IPv6 loopback address', async (t) => {
    const app = await site('::1', undefined).catch(() => undefined);
    if (app === undefined) return t.skip('this machine has no IPv6 loopback address');
    apps.push(app);
    const callback = `http://[::1]:${portOf(app)}/callback`;
    await walk(callback, {}, callback);
    await walk(callback, { response_mode: 'form_post' }, callback);
  });
});
