import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page, TestBrowser } from '../test-browser.ts';
import { password, pkce, startTestServer, type TestServer } from '../test-server.ts';

describe('the language chosen on a page', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  /** Follows the page's link to itself in German. */
  function inGerman(browser: TestBrowser, page: Page): Promise<Page> {
    return browser.go(linkOf(page, /href="([^"]*)" lang="de"/));
  }

  function linkOf(page: Page, pattern: RegExp): string {
    const address = pattern.exec(page.html)?.[1]?.replaceAll('&amp;', '&');
    assert.ok(address, `the page ${page.heading} has no such link`);
    return new URL(address, page.url).href;
  }

  function assertGerman(page: Page, heading: string): void {
    assert.match(page.html, /<html lang="de"/, page.url);
    assert.equal(page.heading, heading);
  }

  it('holds from sign-in through a wrong password to consent, whatever the app asked for', async () => {
    for (const asked of [{}, { ui_locales: 'en' }]) {
      const browser = test.browser();
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: 'web',
        redirect_uri: 'https://web.example.com/callback',
        scope: 'openid',
        prompt: 'consent',
        code_challenge: pkce().challenge,
        code_challenge_method: 'S256',
        ...asked,
      });
      const page = await inGerman(browser, await browser.go(`${test.issuer}/authorize?${query}`));
      assertGerman(page, 'Anmelden');
      const wrong = await browser.submit(page, { username: 'ada', password: 'wrong' });
      assertGerman(wrong, 'Anmelden');
      const consent = await browser.submit(wrong, { username: 'ada', password });
      assertGerman(consent, 'Zugriff erlauben?');
      assertGerman(await browser.submit(consent, { decision: 'switch' }), 'Anmelden');
    }
  });

  it('holds from the home page through sign-in and the account page to the page after signing out', async () => {
    const browser = test.browser();
    const home = await inGerman(browser, await browser.go(`${test.issuer}/`));
    const page = await browser.go(linkOf(home, /class="button primary" href="([^"]*)"/));
    assertGerman(page, 'Anmelden');
    const wrong = await browser.submit(page, { username: 'ada', password: 'wrong' });
    assertGerman(wrong, 'Anmelden');
    const account = await browser.submit(wrong, { username: 'ada', password });
    assertGerman(account, 'Wo Sie angemeldet sind');
    const gone = await browser.submit(account, { decision: 'withdraw' });
    assertGerman(gone, 'Wo Sie angemeldet sind');
    const everywhere = gone.forms.findIndex(({ html }) => html.includes('sign-out-everywhere'));
    const done = await browser.submit(gone, { decision: 'sign-out-everywhere' }, everywhere);
    assertGerman(done, 'Sie sind abgemeldet');
    assertGerman(await browser.go(linkOf(done, /class="button secondary" href="([^"]*)"/)), 'Anmelden');
  });

  it('holds when an app signs one out, and when one stays', async () => {
    const browser = test.browser();
    await browser.submit(await browser.go(`${test.issuer}/sign-in`), { username: 'ada', password });
    const asked = await inGerman(browser, await browser.go(`${test.issuer}/end-session`));
    assertGerman(asked, 'Abmelden?');
    assertGerman(await browser.submit(asked, { decision: 'stay' }), 'Wo Sie angemeldet sind');
    assertGerman(await browser.submit(asked, { decision: 'sign-out' }), 'Sie sind abgemeldet');
  });
});
