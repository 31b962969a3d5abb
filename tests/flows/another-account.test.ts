import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page, TestBrowser } from '../test-browser.ts';
import { password, pkce, signInTokens, startTestServer, type TestServer } from '../test-server.ts';

describe('another account than the one signed in', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer();
    browser = test.browser();
    await signInTokens(test, { browser });
  });
  after(() => test.close());

  const authorize = (change: Record<string, string>) =>
    browser.go(
      `${test.issuer}/authorize?${new URLSearchParams({
        response_type: 'code',
        client_id: 'web',
        redirect_uri: 'https://web.example.com/callback',
        scope: 'openid',
        code_challenge: pkce().challenge,
        code_challenge_method: 'S256',
        ...change,
      })}`,
    );
  const filledIn = (page: Page) => /name="username"[^>]* value="([^"]*)"/.exec(page.html)?.[1];

  /** The page asks who one is, and does not take one for ada. */
  function assertAsksAnew(page: Page, name = ''): void {
    assert.equal(page.heading, 'Sign in');
    assert.doesNotMatch(page.html, /still you|signed in as/);
    assert.equal(filledIn(page), name);
  }

  it('who asks for another account on the consent page or the account chooser is not asked to prove to be the one they leave', async () => {
    for (const parameters of [{}, { prompt: 'select_account' }, { prompt: 'consent', login_hint: 'Ada@example.com' }])
      assertAsksAnew(await browser.submit(await authorize(parameters), { decision: 'switch' }));
  });

  it('nor after a wrong password there, and whom the app suggests instead is filled in', async () => {
    const page = await browser.submit(await authorize({ login_hint: 'bob' }), { decision: 'switch' });
    assertAsksAnew(page, 'bob');
    assertAsksAnew(await browser.submit(page, { username: 'bob', password: 'wrong' }), 'bob');
  });

  it('OpenID Connect Core 3.1.2.1 nor is whoever an app does not ask for, by id_token_hint', async () => {
    const bobs = await signInTokens(test, { username: 'bob' });
    assertAsksAnew(await authorize({ id_token_hint: bobs.id_token }));
    assertAsksAnew(await authorize({ id_token_hint: bobs.id_token, prompt: 'login' }));
  });

  it('prompt=login still says whom it takes one for', async () => {
    const page = await authorize({ prompt: 'login' });
    assert.match(page.html, /still you/);
    assert.equal(filledIn(page), 'ada');
  });

  it('signing in as somebody else goes on as them', async () => {
    const page = await browser.submit(await authorize({ prompt: 'select_account' }), { decision: 'switch' });
    const consent = await browser.submit(page, { username: 'bob', password });
    assert.equal(consent.heading, 'Allow access?');
    assert.match(consent.html, />bob</);
  });
});
