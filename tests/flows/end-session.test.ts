import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page, TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  introspect,
  obtainCode,
  redeemCode,
  refresh,
  signInTokens,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

const home = 'https://spa.example.com/';

describe('signing out by an app', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  const endSession = (browser: TestBrowser, parameters: Record<string, string>) =>
    browser.go(`${test.issuer}/end-session?${new URLSearchParams(parameters)}`);

  /** Asserts that a person sees a page and the session lives. */
  async function assertNothingEnded(page: Page, token: string): Promise<void> {
    assert.ok(page.url.startsWith(test.issuer), page.url);
    assert.equal((await introspect(test, token)).active, true);
  }

  it('A17 with an ID token of this very session all its apps are signed out at once, and the browser goes back with its state', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const { body: web } = await redeemCode(
      test,
      await obtainCode(test, { browser, client_id: 'web' }),
      {},
      basic('web'),
    );
    const page = await endSession(browser, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: home,
      state: 'a&b',
    });
    assert.equal(page.url, `${home}?state=a%26b`);
    for (const token of [tokens.access_token, web.access_token])
      assert.equal((await introspect(test, token)).active, false);
    assert.equal((await refresh(test, tokens.refresh_token)).status, 400);
    assert.equal((await browser.go(`${test.issuer}/account`)).heading, 'Sign in');
    assert.equal(
      [...browser.cookies.keys()].some((name) => name.includes('session')),
      false,
    );
  });

  it('an expired ID token is good as a hint; without a place to go the browser lands on our own page', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    test.advance(3600);
    const page = await endSession(browser, { id_token_hint: tokens.id_token });
    assert.ok(page.url.startsWith(`${test.issuer}/signed-out`), page.url);
    assert.equal(page.status, 200);
    assert.equal((await refresh(test, tokens.refresh_token)).status, 400);
  });

  it('RP-Initiated Logout 2 and B17: without a hint, or with one of another session, the user is asked', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const other = await signInTokens(test);
    for (const parameters of [
      {},
      { client_id: 'spa' },
      { client_id: 'spa', post_logout_redirect_uri: home },
      { id_token_hint: other.id_token },
    ])
      await assertNothingEnded(await endSession(browser, parameters as Record<string, string>), tokens.access_token);
    const asked = await endSession(browser, { client_id: 'spa', post_logout_redirect_uri: home, state: 's' });
    assert.match(asked.html, /Demo SPA/);
    const stayed = await browser.submit(asked, { decision: 'stay' });
    await assertNothingEnded(stayed, tokens.access_token);
    const out = await browser.submit(asked, { decision: 'sign-out' });
    assert.equal(out.url, `${home}?state=s`);
    assert.equal((await introspect(test, tokens.access_token)).active, false);
  });

  it('RP-Initiated Logout 3: nobody is sent to an address that is not registered, character by character', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const hint = { id_token_hint: tokens.id_token };
    const bad: Record<string, string>[] = [
      { post_logout_redirect_uri: 'https://evil.net/' },
      { ...hint, post_logout_redirect_uri: 'https://evil.net/' },
      { ...hint, post_logout_redirect_uri: 'https://spa.example.com' },
      { ...hint, post_logout_redirect_uri: `${home}x` },
      { ...hint, post_logout_redirect_uri: `${home}#` },
      { ...hint, post_logout_redirect_uri: 'https://spa.example.com/callback' },
      { ...hint, post_logout_redirect_uri: 'https://web.example.com/' },
      { ...hint, post_logout_redirect_uri: 'javascript:alert(1)' },
      { client_id: 'nobody', post_logout_redirect_uri: home },
      { post_logout_redirect_uri: home },
      { ...hint, client_id: 'web' },
      { id_token_hint: `${tokens.id_token.slice(0, -4)}AAAA` },
      { id_token_hint: tokens.access_token },
      { id_token_hint: 'x' },
    ];
    for (const parameters of bad) {
      const page = await endSession(browser, parameters);
      assert.equal(page.status, 400, JSON.stringify(parameters));
      await assertNothingEnded(page, tokens.access_token);
    }
  });

  it('RP-Initiated Logout 2: it may come by POST from another site, for which browsers keep Lax cookies back', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const without = test.browser();
    const first = await without.request(`${test.issuer}/end-session`, {
      method: 'POST',
      body: new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: home }),
      headers: { origin: 'https://spa.example.com', 'sec-fetch-site': 'cross-site' },
    });
    assert.equal(first.status, 303);
    const sentOn = first.headers.get('location') as string;
    const page = await browser.go(new URL(sentOn, test.issuer).href);
    assert.equal(page.url, home);
    assert.equal((await introspect(test, tokens.access_token)).active, false);
    for (const told of [...tokens.id_token.split('.'), encodeURIComponent(home)])
      assert.ok(!sentOn.includes(told), 'what was posted must not end up in histories and logs');
  });

  it('what was posted is judged as what comes in the address, and its trace is good for an hour', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const post = (parameters: Record<string, string>) =>
      test
        .browser()
        .request(`${test.issuer}/end-session`, { method: 'POST', body: new URLSearchParams(parameters) })
        .then((answer) => answer.headers.get('location') as string);
    const wrong = { id_token_hint: tokens.id_token, post_logout_redirect_uri: 'https://evil.example.net/' };
    const refused = await browser.go(await post(wrong));
    assert.equal(refused.status, 400);
    assert.equal((await browser.go(await post({}))).heading, 'Sign out?');
    const late = await post({ id_token_hint: tokens.id_token });
    test.advance(3601);
    assert.equal((await browser.go(late)).heading, 'Sign out?', 'then it asks, as without an ID token');
    await browser.go(`${test.issuer}/end-session?posted=x`);
    assert.equal((await test.store.getSession(String(claimsOf(tokens.access_token).sid)))?.endedAt, null);
  });

  it('what is too long to go on in an address is refused on a page, and what is not read does not make it longer', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const post = (form: Record<string, string>) =>
      browser.go(`${test.issuer}/end-session`, { method: 'POST', body: new URLSearchParams(form) });
    const asked = { client_id: 'spa', post_logout_redirect_uri: home };
    const long = 's'.repeat(2049);
    for (const page of [
      await post({ ...asked, state: long }),
      await endSession(browser, { ...asked, state: long }),
      await post({ ...asked, id_token_hint: 't'.repeat(20_000) }),
    ]) {
      assert.equal(page.status, 400);
      assert.match(page.html, /longer than 2048 characters|too long for the address/);
      await assertNothingEnded(page, tokens.access_token);
    }
    const page = await post({ ...asked, state: 's'.repeat(2048), more: 'x'.repeat(40_000) });
    assert.equal(page.heading, 'Sign out?');
    assert.ok(page.url.length < 8192, `the address has ${page.url.length} characters`);
  });

  it('A9 A17 when the browser has lost its cookie, the session that the ID token names ends all the same', async () => {
    const tokens = await signInTokens(test);
    const reopened = test.browser();
    const page = await endSession(reopened, { id_token_hint: tokens.id_token, post_logout_redirect_uri: home });
    assert.equal(page.url, home);
    assert.equal((await introspect(test, tokens.access_token)).active, false);
    assert.equal((await refresh(test, tokens.refresh_token)).status, 400);
  });

  it('signing out when already signed out is no error', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const parameters = { id_token_hint: tokens.id_token, post_logout_redirect_uri: home };
    await endSession(browser, parameters);
    assert.equal((await endSession(browser, parameters)).url, home);
    assert.equal((await endSession(test.browser(), {})).status, 200);
  });

  it('A9 an offline grant outlives the sign-out of an app', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, {
      browser,
      clientId: 'web',
      parameters: { scope: 'openid orders:read offline_access', prompt: 'consent' },
    });
    assert.equal(claimsOf(tokens.access_token).sid, undefined);
    await endSession(browser, { id_token_hint: tokens.id_token });
    assert.equal((await introspect(test, tokens.access_token)).active, true);
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    assert.equal((await test.post('/token', form, basic('web'))).status, 200);
  });
});
