import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page, TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  eventsOf,
  introspect,
  obtainCode,
  password,
  redeemCode,
  refresh,
  signInTokens,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

describe('the account page', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  const account = (browser: TestBrowser) => browser.go(`${test.issuer}/account`);

  function formOf(page: Page, decision: string, value?: string): number {
    return page.forms.findIndex(
      (form) =>
        form.html.includes(`value="${decision}"`) &&
        (value === undefined || Object.values(form.hidden).includes(value)),
    );
  }

  it('asks who one is, then shows what is signed in; nothing of it is a secret', async () => {
    const browser = test.browser();
    const page = await account(browser);
    assert.equal(page.heading, 'Sign in');
    const tokens = await signInTokens(test, { browser });
    const shown = await browser.submit(page, { username: 'ada', password });
    assert.equal(shown.heading, 'Where you are signed in');
    assert.match(shown.html, /Demo SPA/);
    const { sid, grant_id } = claimsOf(tokens.access_token);
    for (const secret of [sid, grant_id, tokens.refresh_token, tokens.access_token, ...browser.cookies.values()])
      assert.equal(shown.html.includes(String(secret)), false);
  });

  it('A9 ends one session of several, and that one only', async () => {
    const here = test.browser();
    const there = test.browser();
    const mine = await signInTokens(test, { browser: here });
    const other = await signInTokens(test, { browser: there, headers: { 'user-agent': 'other' } });
    const page = await account(here);
    const sessionForms = page.forms.filter((form) => form.hidden.session !== undefined);
    assert.ok(sessionForms.length >= 2);
    // Which is which: the last signed in comes directly after one's own.
    const handles = sessionForms.map((form) => form.hidden.session as string);
    for (const handle of handles.slice(1)) {
      const now = await account(here);
      const index = formOf(now, 'sign-out', handle);
      assert.equal((await here.submit(now, { decision: 'sign-out' }, index)).status, 200);
    }
    assert.equal((await introspect(test, other.access_token)).active, false);
    assert.equal((await refresh(test, other.refresh_token)).status, 400);
    assert.equal((await introspect(test, mine.access_token)).active, true);
    assert.equal((await account(there)).heading, 'Sign in');
  });

  it('A9 signing out everywhere ends all browsers and offline grants, also those whose browser was signed out before', async () => {
    const browsers = [test.browser(), test.browser(), test.browser()];
    const tokens = [];
    for (const browser of browsers) tokens.push(await signInTokens(test, { browser }));
    const cli = test.browser();
    const offline = await signInTokens(test, {
      browser: cli,
      clientId: 'web',
      parameters: { scope: 'openid orders:read offline_access', prompt: 'consent' },
    });
    await cli.go(`${test.issuer}/end-session?${new URLSearchParams({ id_token_hint: offline.id_token })}`);
    const bobs = await signInTokens(test, { username: 'bob' });
    const page = await account(browsers[0] as TestBrowser);
    const done = await (browsers[0] as TestBrowser).submit(
      page,
      { decision: 'sign-out-everywhere' },
      formOf(page, 'sign-out-everywhere'),
    );
    assert.ok(done.url.startsWith(`${test.issuer}/signed-out`), done.url);
    for (const one of tokens) {
      assert.equal((await introspect(test, one.access_token)).active, false);
      assert.equal((await refresh(test, one.refresh_token)).status, 400);
    }
    assert.equal((await introspect(test, offline.access_token)).active, false);
    const form = { grant_type: 'refresh_token', refresh_token: offline.refresh_token };
    assert.equal((await test.post('/token', form, basic('web'))).status, 400);
    for (const browser of browsers) assert.equal((await account(browser)).heading, 'Sign in');
    assert.equal((await introspect(test, bobs.access_token)).active, true, 'and nobody else’s');
  });

  it('B20 withdrawing ends that app’s grants, offline ones too, and no others; the next request asks again', async () => {
    const browser = test.browser();
    const spa = await signInTokens(test, { browser });
    const webTokens = async (parameters: Record<string, string>) => {
      const obtained = await obtainCode(test, { browser, client_id: 'web', parameters });
      return (await redeemCode(test, obtained, {}, basic('web'))).body;
    };
    const web = await webTokens({});
    const offline = await webTokens({ scope: 'openid orders:read offline_access', prompt: 'consent' });
    const page = await account(browser);
    const done = await browser.submit(page, { decision: 'withdraw' }, formOf(page, 'withdraw', 'web'));
    assert.equal(done.status, 200);
    assert.match(done.html, /Web App/);
    for (const one of [web, offline]) assert.equal((await introspect(test, one.access_token, 'web')).active, false);
    assert.equal((await introspect(test, spa.access_token)).active, true);
    const events = await eventsOf(test, 'consent.withdrawn');
    assert.equal(events.at(-1)?.clientId, 'web');
    const again = await browser.go(
      `${test.issuer}/authorize?${new URLSearchParams({ response_type: 'code', client_id: 'web', scope: 'openid orders:read', code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' })}`,
    );
    assert.equal(again.heading, 'Allow access?');
  });

  it('a page whose session ended elsewhere says that what was pressed was not done', async () => {
    const browser = test.browser();
    await signInTokens(test, { browser });
    const elsewhere = test.browser();
    const living = await signInTokens(test, { browser: elsewhere });
    const page = await account(browser);
    const signOut = await browser.go(`${test.issuer}/end-session`);
    await browser.submit(signOut, { decision: 'sign-out' });
    const answer = await browser.submit(page, { decision: 'sign-out-everywhere' }, formOf(page, 'sign-out-everywhere'));
    assert.equal(answer.status, 403);
    assert.equal(answer.heading, 'Sign in');
    assert.match(answer.html, /signed out in the meantime, so nothing was done/);
    assert.equal((await introspect(test, living.access_token)).active, true);
    const again = await browser.submit(answer, { username: 'ada', password });
    assert.equal(again.heading, 'Where you are signed in');
  });

  it('another user’s session, or an invented one, cannot be named', async () => {
    const bob = test.browser();
    const bobs = await signInTokens(test, { browser: bob, username: 'bob' });
    const bobsPage = await account(bob);
    const handle = bobsPage.forms.find((form) => form.hidden.session)?.hidden.session as string;
    const browser = test.browser();
    await signInTokens(test, { browser });
    const page = await account(browser);
    for (const session of [handle, 'x', String(claimsOf(bobs.access_token).sid), '']) {
      const index = formOf(page, 'sign-out');
      const answer = await browser.submit(page, { decision: 'sign-out', session }, index);
      assert.ok(answer.status < 500);
    }
    assert.equal((await introspect(test, bobs.access_token)).active, true);
  });
});
