import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, type TestContext } from 'node:test';
import { build } from 'esbuild';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { chromiumArguments, chromiumPath, launchChromium } from '../../../../tests/chromium.ts';
import { TestAuthorizationServer } from '../../testing/authorization-server.ts';
import type { TokenStorage } from '../core/index.ts';
import type { TesseraClient } from './tessera-client.ts';

const skip =
  chromiumPath === undefined
    ? 'NO CHROMIUM: set CHROMIUM_PATH or install /usr/bin/chromium; the browser layer is untested'
    : false;
if (skip !== false) console.warn(skip);

/** What `testing/browser-page.ts` hangs on the window. */
declare const tessera: {
  client: TesseraClient;
  storage: TokenStorage;
  changes: string[];
  required: string[];
  arrived: string | undefined;
};

let script = '';
let browser: Browser | undefined;
before(async () => {
  if (chromiumPath === undefined) return;
  const bundled = await build({
    entryPoints: [new URL('../../testing/browser-page.ts', import.meta.url).pathname],
    bundle: true,
    format: 'esm',
    write: false,
    conditions: ['tessera-source'],
    logLevel: 'error',
  });
  script = bundled.outputFiles[0]?.text ?? '';
  browser = await launchChromium();
});
after(() => browser?.close());

type Stage = {
  server: TestAuthorizationServer;
  /** A browser profile of its own. */
  context: BrowserContext;
  /** The address of the app, set to keep tokens in a storage. */
  url(storage?: 'local' | 'session'): string;
};

/** Server and app on two origins, and a fresh profile. */
async function makeStage(t: TestContext): Promise<Stage> {
  const server = await TestAuthorizationServer.start();
  const app = await TestAuthorizationServer.start();
  app.page = {
    html: '<!doctype html><title>app</title><script type="module" src="/app.js"></script>',
    scripts: { '/app.js': script },
  };
  if (browser === undefined) throw new Error('no browser');
  const context = await browser.newContext();
  t.after(async () => {
    await context.close();
    await server.stop();
    await app.stop();
  });
  const issuer = encodeURIComponent(encodeURIComponent(server.origin));
  const url = (storage?: string) =>
    `${app.origin}/issuer=${issuer}${storage === undefined ? '' : `+storage=${storage}`}`;
  return { server, context, url };
}

async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => 'tessera' in globalThis && tessera.arrived !== undefined);
  return page;
}

async function signIn(page: Page): Promise<void> {
  await page.evaluate(() => void tessera.client.signIn());
  await page.waitForFunction(() => 'tessera' in globalThis && tessera.arrived === 'signed_in');
}

const callApi = (page: Page, url: string) =>
  page.evaluate(async (address) => {
    const response = await tessera.client.fetch(address, { method: 'POST', body: 'hello' });
    return `${response.status} ${await response.text()}`;
  }, url);

const whatIsStored = (page: Page) =>
  page.evaluate(async () => ({
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await indexedDB.databases()).map(({ name }) => name),
    cookies: document.cookie,
    caches: await caches.keys(),
  }));

const nothing = { local: [], session: [], databases: [], cookies: '', caches: [] };

test('B5: without an adapter the browser stores nothing at all, and a reload is signed out', { skip }, async (t) => {
  const { server, context, url } = await makeStage(t);
  const page = await openPage(context, url());
  await signIn(page);
  assert.match(await callApi(page, `${server.origin}/api`), /^200 .*"body":"hello"/);
  await page.evaluate(() => tessera.client.refresh());
  assert.deepEqual(await whatIsStored(page), nothing);
  assert.deepEqual(await context.cookies(), []);
  await page.reload();
  await page.waitForFunction(() => 'tessera' in globalThis && tessera.arrived !== undefined);
  assert.equal(await page.evaluate(async () => (await tessera.client.getTokens()) ?? null), null);
});

test('B13, D1: two tabs with localStorage cause one refresh, with calls in both at once', { skip }, async (t) => {
  const { server, context, url } = await makeStage(t);
  const one = await openPage(context, url('local'));
  server.accessTokenLifetime = 1;
  await signIn(one);
  server.accessTokenLifetime = 900;
  const two = await openPage(context, url('local'));
  assert.equal(await two.evaluate(async () => (await tessera.client.getUser())?.sub), 'alice');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  server.tokenDelayMs = 300;
  server.apiNonce = 'api-nonce';
  server.tokenNonce = 'token-nonce';
  const calls = [one, two].flatMap((page) => Array.from({ length: 5 }, () => callApi(page, `${server.origin}/api`)));
  for (const answer of await Promise.all(calls)) assert.match(answer, /^200 /);
  const refreshes = server.requests.filter(({ grant_type }) => grant_type === 'refresh_token');
  assert.equal([...server.grants.values()][0]?.generation, 1);
  assert.equal(refreshes.length, 2, 'one refusal that hands out the nonce, one refresh');
  server.tokenNonce = undefined;
  server.requests.length = 0;
  // On one clock tick in both, or a slow machine would let the first finish before the second begins, and two would be right.
  const refreshAt = (at: number) =>
    new Promise((resolve) => setTimeout(resolve, at - Date.now())).then(() => tessera.client.refresh());
  const at = Date.now() + 1500;
  server.tokenDelayMs = 2000;
  await Promise.all([one, two].map((page) => page.evaluate(refreshAt, at)));
  assert.equal(server.count('/token', 'refresh_token'), 1, 'explicit refreshes at the same moment too');
});

test('D1: a tab that gets the lock sees what the tab before it wrote, although localStorage lags behind', {
  skip,
}, async (t) => {
  const { context, url } = await makeStage(t);
  const pages = [await openPage(context, url('local')), await openPage(context, url('local'))];
  // How often it gave up waiting, as on a machine so busy that localStorage lags behind by more than a second.
  const count = (times: number) =>
    (async () => {
      let gaveUp = 0;
      for (let round = 0; round < times; round++) {
        await navigator.locks.request('count', async () => {
          const beganMs = Date.now();
          const value = Number((await tessera.storage.getLatest?.('count')) ?? 0);
          if (Date.now() - beganMs >= 1000) gaveUp++;
          await tessera.storage.set('count', String(value + 1));
        });
      }
      return gaveUp;
    })();
  for (let tries = 1; ; tries++) {
    const gaveUp = await Promise.all(pages.map((page) => page.evaluate(count, 30)));
    const counted = await pages[0]?.evaluate(() => tessera.storage.getLatest?.('count'));
    if (gaveUp.every((times) => times === 0) || tries === 5) return assert.equal(counted, '60');
    await pages[0]?.evaluate(() => tessera.storage.remove('count'));
  }
});

test('two tabs: signing out in one is heard and obeyed in the other', { skip }, async (t) => {
  const { server, context, url } = await makeStage(t);
  const one = await openPage(context, url('local'));
  await signIn(one);
  const two = await openPage(context, url('local'));
  await one.evaluate(() => tessera.client.signOut());
  await two.waitForFunction(() => tessera.changes.includes('elsewhere'));
  const code = await two.evaluate(
    (address) => tessera.client.fetch(address).catch((error) => error.code),
    `${server.origin}/api`,
  );
  assert.equal(code, 'sign_in_required');
  assert.deepEqual(await two.evaluate(() => tessera.required), ['sign_in_required']);
  const { local, session } = await whatIsStored(one);
  assert.deepEqual({ local, session }, { local: [], session: [] });
  assert.equal([...server.grants.values()][0]?.ended, true);
});

test('B3, B6: localStorage survives a restart of the browser, and its refresh token with its key', {
  skip,
}, async (t) => {
  const { server, context, url } = await makeStage(t);
  await context.close();
  const profile = await mkdtemp(join(tmpdir(), 'tessera-client-'));
  let second: BrowserContext | undefined;
  // Chromium writes there until it has ended.
  t.after(async () => {
    await second?.close();
    await rm(profile, { recursive: true, force: true });
  });
  const first = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath ?? '',
    args: chromiumArguments,
  });
  await signIn(await openPage(first, url('local')));
  await first.close();
  second = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath ?? '',
    args: chromiumArguments,
  });
  const page = await openPage(second, url('local'));
  assert.equal(await page.evaluate(async () => (await tessera.client.refresh()).token_type), 'DPoP');
  assert.match(await callApi(page, `${server.origin}/api`), /^200 /);
  assert.equal(server.grants.size, 1, 'nobody had to sign in again');
});

test('the DPoP key in IndexedDB cannot be read out by script', { skip }, async (t) => {
  const { context, url } = await makeStage(t);
  const page = await openPage(context, url('local'));
  await signIn(page);
  const attempt = await page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('tessera-client');
      opening.onsuccess = () => resolve(opening.result);
    });
    const all = await new Promise<{ privateKey: CryptoKey }[]>((resolve) => {
      const reading = database.transaction('dpop-keys').objectStore('dpop-keys').getAll();
      reading.onsuccess = () => resolve(reading.result);
    });
    database.close();
    const [stored] = all;
    if (stored === undefined) return 'no key';
    return crypto.subtle.exportKey('jwk', stored.privateKey).then(
      () => 'exported',
      (error) => error.name,
    );
  });
  assert.equal(attempt, 'InvalidAccessError');
});

test('B7: sessionStorage survives a reload and ends with its tab', { skip }, async (t) => {
  const { server, context, url } = await makeStage(t);
  const page = await openPage(context, url('session'));
  await signIn(page);
  await page.reload();
  await page.waitForFunction(() => 'tessera' in globalThis && tessera.arrived !== undefined);
  assert.match(await callApi(page, `${server.origin}/api`), /^200 /);
  await page.evaluate(() => tessera.client.refresh());
  await page.close();
  const other = await openPage(context, url('session'));
  assert.equal(await other.evaluate(async () => (await tessera.client.getTokens()) ?? null), null);
});

test('B14: offline, sign-out empties the tab at once; back online the server hears of it by itself', {
  skip,
}, async (t) => {
  const { server, context, url } = await makeStage(t);
  const page = await openPage(context, url('local'));
  await signIn(page);
  await context.setOffline(true);
  const result = await page.evaluate(() => tessera.client.signOut());
  assert.deepEqual(result, { revocation: 'pending', redirected: false });
  assert.equal(await page.evaluate(async () => (await tessera.client.getTokens()) ?? null), null);
  // By the clock it is tried again after 5 s, in vain, and 30 s after that.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  await context.setOffline(false);
  await page.waitForFunction(() => localStorage.length === 0, undefined, { timeout: 25_000 });
  assert.equal([...server.grants.values()][0]?.ended, true);
});

test('B14: signing out of the whole browser goes to the server and comes back', { skip }, async (t) => {
  const { server, context, url } = await makeStage(t);
  const page = await openPage(context, url('local'));
  await signIn(page);
  await page.evaluate(() => void tessera.client.signOut({ everywhereInThisBrowser: true }));
  await page.waitForURL(`${server.origin}/**`);
  assert.ok(server.last('/end-session')?.query.has('id_token_hint'));
  assert.equal([...server.grants.values()][0]?.ended, true);
});

test('B14: on a full disk whoever is signed in stays so over a reload', { skip }, async (t) => {
  const { server, context, url } = await makeStage(t);
  const page = await openPage(context, url('local'));
  await signIn(page);
  // What a browser does with a write when the disk is full: it aborts the transaction.
  await page.addInitScript(() => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...given) {
      const request = put.apply(this, given);
      this.transaction.abort();
      return request;
    };
  });
  const failures: Error[] = [];
  page.on('pageerror', (error) => failures.push(error));
  await page.reload();
  await page.waitForFunction(() => 'tessera' in globalThis && tessera.arrived !== undefined);
  assert.match(await callApi(page, `${server.origin}/api`), /^200 /);
  assert.deepEqual(failures, []);
});

test('a page that is shown again from memory asks for the sign-in anew', { skip }, async (t) => {
  const { server, context, url } = await makeStage(t);
  const page = await openPage(context, url());
  const call = () => page.evaluate((address) => tessera.client.fetch(address).catch(() => 'refused'), server.origin);
  await call();
  await call();
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await call();
  assert.deepEqual(await page.evaluate(() => tessera.required), ['sign_in_required', 'sign_in_required']);
});

test('a Content-Security-Policy that forbids the issuer is among the reasons an error names', { skip }, async (t) => {
  const { context, url } = await makeStage(t);
  await context.route('**/issuer=*', async (route) => {
    const response = await route.fetch();
    const policy = "default-src 'none'; script-src 'self'; require-trusted-types-for 'script'";
    await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } });
  });
  const page = await openPage(context, url());
  const message = await page.evaluate(() => tessera.client.signIn().catch((error) => `${error.code} ${error.message}`));
  assert.match(String(message), /^network no answer from .*CORS.*Content-Security-Policy/);
});

test('a laptop whose clock is an hour fast signs in, comes back after a reload, and calls the API', {
  skip,
}, async (t) => {
  const { server, context, url } = await makeStage(t);
  await context.addInitScript(() => {
    const { now } = Date;
    Date.now = () => now() + 3_600_000;
  });
  const page = await openPage(context, url('local'));
  await signIn(page);
  await page.reload();
  await page.waitForFunction(() => 'tessera' in globalThis && tessera.arrived !== undefined);
  assert.match(await callApi(page, `${server.origin}/api`), /^200 /);
  // What was learned before the reload is gone: one with the wrong time, and one with the right.
  assert.equal(server.count('/token', 'refresh_token'), 2);
});

test('B13: forms, blobs and requests are sent a second time whole', { skip }, async (t) => {
  const { server, context, url } = await makeStage(t);
  const page = await openPage(context, url());
  await signIn(page);
  for (const kind of ['form', 'blob', 'request'] as const) {
    server.expireAccessTokens();
    const answer = await page.evaluate(
      async ([address, kind]) => {
        const form = new FormData();
        form.append('file', new Blob(['x'.repeat(300_000)]), 'a.txt');
        const body = kind === 'form' ? form : new Blob(['x'.repeat(300_000)]);
        const request = new Request(address, { method: 'POST', body });
        const response = await (kind === 'request'
          ? tessera.client.fetch(request)
          : tessera.client.fetch(address, { method: 'POST', body }));
        return [response.status, ((await response.json()).body.match(/x/g) ?? []).length >= 300_000];
      },
      [`${server.origin}/api`, kind] as const,
    );
    assert.deepEqual(answer, [200, true], kind);
  }
});
