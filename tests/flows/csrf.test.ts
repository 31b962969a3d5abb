import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page, TestBrowser } from '../test-browser.ts';
import { introspect, password, pkce, signInTokens, startTestServer, type TestServer } from '../test-server.ts';

/** How a form of another site, or a forged one, differs from our own page's. */
const forgeries: [
  string,
  (fields: Record<string, string>) => { fields?: Record<string, string>; headers?: Record<string, string> },
][] = [
  ['from another origin', () => ({ headers: { origin: 'https://evil.net' } })],
  ['from another port', () => ({ headers: { origin: 'http://localhost:9999' } })],
  ['from an opaque origin', () => ({ headers: { origin: 'null' } })],
  ['cross-site, as the browser says', () => ({ headers: { 'sec-fetch-site': 'cross-site' } })],
  ['same-site, as the browser says', () => ({ headers: { 'sec-fetch-site': 'same-site' } })],
  ['without token', ({ csrf: _, ...fields }) => ({ fields })],
  ['with an empty token', (fields) => ({ fields: { ...fields, csrf: '' } })],
  ['with an invented token', (fields) => ({ fields: { ...fields, csrf: 'AAAAAA.x' } })],
  ['with a token of another root key', (fields) => ({ fields: { ...fields, csrf: `BBBBBQ${fields.csrf?.slice(6)}` } })],
];

describe('cross-site requests', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  const authorize = (browser: TestBrowser, change: Record<string, string> = {}) =>
    browser.go(
      `${test.issuer}/authorize?${new URLSearchParams({
        response_type: 'code',
        client_id: 'spa',
        redirect_uri: 'https://spa.example.com/callback',
        code_challenge: pkce().challenge,
        code_challenge_method: 'S256',
        ...change,
      })}`,
    );

  /** Posts a page's form in each forged way, and also with the token of another browser; says what came back. */
  async function forge(
    browser: TestBrowser,
    page: Page,
    fields: Record<string, string>,
    formIndex = 0,
  ): Promise<Page[]> {
    const form = page.forms[formIndex];
    assert.ok(form, `the page ${page.heading} has no form ${formIndex}`);
    const all = { ...form.hidden, ...fields };
    const foreign = (await authorize(test.browser(), { prompt: 'login' })).forms[0]?.hidden.csrf as string;
    assert.notEqual(foreign, form.hidden.csrf);
    const ways: typeof forgeries = [
      ...forgeries,
      ['with the token of another browser', (own) => ({ fields: { ...own, csrf: foreign } })],
    ];
    const answers: Page[] = [];
    for (const [what, change] of ways) {
      const { fields: changed = all, headers = { origin: new URL(test.issuer).origin } } = change(all);
      const answer = await browser.go(form.action, { method: 'POST', body: new URLSearchParams(changed), headers });
      assert.equal(answer.status, 403, `${page.heading}, ${what}`);
      assert.equal(answer.url.includes('code='), false, what);
      answers.push(answer);
    }
    return answers;
  }

  it('B17 sign-in (login CSRF): nobody is signed in by a forged form, with right credentials neither', async () => {
    const browser = test.browser();
    await forge(browser, await authorize(browser), { username: 'ada', password });
    assert.equal((await authorize(browser)).heading, 'Sign in');
    assert.equal(
      [...browser.cookies.keys()].some((name) => name.includes('session')),
      false,
    );
  });

  it('B17 a forged form without any cookie fails', async () => {
    const browser = test.browser();
    const page = await authorize(browser);
    const bare = test.browser();
    const answer = await bare.submit(page, { username: 'ada', password });
    assert.equal(answer.status, 403);
  });

  it('B17 a form that our own page shows after a forgery works: the honest visitor goes on', async () => {
    const browser = test.browser();
    const [answer] = await forge(browser, await authorize(browser), { username: 'ada', password });
    assert.ok((await browser.submit(answer as Page, { username: 'ada', password })).url.includes('code='));
  });

  it('B17 consent: a forged form grants nothing and denies nothing', async () => {
    const browser = test.browser();
    await signInTokens(test, { browser });
    const web = { client_id: 'web', redirect_uri: 'https://web.example.com/callback' };
    const page = await authorize(browser, web);
    await forge(browser, page, { decision: 'allow' });
    await forge(browser, page, { decision: 'deny' });
    assert.equal((await authorize(browser, web)).heading, 'Allow access?');
  });

  it('B17 choosing an account, signing out and the account page', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    await forge(browser, await authorize(browser, { prompt: 'select_account' }), { decision: 'continue' });
    await forge(browser, await browser.go(`${test.issuer}/end-session`), { decision: 'sign-out' });
    const account = await browser.go(`${test.issuer}/account`);
    for (const [index, form] of account.forms.entries())
      for (const decision of ['sign-out', 'sign-out-everywhere', 'withdraw'])
        if (form.html.includes(`value="${decision}"`)) await forge(browser, account, { decision }, index);
    assert.equal((await introspect(test, tokens.access_token)).active, true);
  });

  it('B17 a GET changes nothing', async () => {
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const account = await browser.go(`${test.issuer}/account`);
    for (const form of account.forms) {
      const query = new URLSearchParams({ ...form.hidden, decision: 'sign-out-everywhere' });
      await browser.go(`${form.action}?${query}`);
    }
    const signOut = await browser.go(`${test.issuer}/end-session`);
    await browser.go(`${signOut.url}&${new URLSearchParams({ ...signOut.forms[0]?.hidden, decision: 'sign-out' })}`);
    assert.equal((await introspect(test, tokens.access_token)).active, true);
  });

  it('B17 a form of another site, for which browsers keep Lax cookies back, does not take the session’s cookie away', async () => {
    const stranger = test.browser();
    for (const path of [
      '/sign-out',
      '/account',
      '/sign-in',
      '/consent',
      '/choose-account',
      '/end-session',
      '/authorize',
    ])
      for (const decision of ['sign-out', 'sign-out-everywhere', 'stay', '']) {
        const answer = await stranger.request(`${test.issuer}${path}`, {
          method: 'POST',
          body: new URLSearchParams({ decision }),
          headers: { origin: 'https://evil.net', 'sec-fetch-site': 'cross-site' },
        });
        const taken = answer.headers.getSetCookie().filter((one) => one.includes('session'));
        assert.deepEqual(taken, [], `${path} ${decision}`);
      }
  });

  it('session fixation: the cookie’s secret is new with each sign-in, and a planted one is worth nothing', async () => {
    const browser = test.browser();
    await signInTokens(test, { browser });
    const name = [...browser.cookies.keys()].find((one) => one.includes('session')) as string;
    const before = browser.cookies.get(name) as string;
    await browser.submit(await authorize(browser, { prompt: 'login' }), { username: 'ada', password });
    const after_ = browser.cookies.get(name) as string;
    assert.notEqual(before, after_);
    const thief = test.browser();
    thief.cookies.set(name, before);
    assert.equal((await thief.go(`${test.issuer}/account`)).heading, 'Sign in');
    const planted = test.browser();
    planted.cookies.set(name, 'planted');
    await planted.submit(await authorize(planted), { username: 'ada', password });
    assert.notEqual(planted.cookies.get(name), 'planted');
  });

  it('the attacker’s own session planted in a victim’s browser ends when the victim signs in', async () => {
    const attacker = test.browser();
    const attackers = await signInTokens(test, { browser: attacker, username: 'bob' });
    const victim = test.browser();
    for (const [name, value] of attacker.cookies) victim.cookies.set(name, value);
    const page = await authorize(victim, { prompt: 'login' });
    assert.ok((await victim.submit(page, { username: 'ada', password })).url.includes('code='));
    assert.equal((await introspect(test, attackers.access_token)).active, false);
    assert.equal((await attacker.go(`${test.issuer}/account`)).heading, 'Sign in');
  });
});
