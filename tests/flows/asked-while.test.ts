import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { withdrawConsent } from '../../packages/server/src/admin/consents.ts';
import type { Page, TestBrowser } from '../test-browser.ts';
import { basic, obtainCode, password, pkce, redeemCode, startTestServer, type TestServer } from '../test-server.ts';

const actor = { kind: 'cli' } as const;

describe('what changes while a user is asked', () => {
  let test: TestServer;
  let browser: TestBrowser;
  beforeEach(async () => {
    test = await startTestServer();
    browser = test.browser();
  });
  afterEach(() => test.close());

  const authorize = (more: Record<string, string> = {}) =>
    browser.go(
      `${test.issuer}/authorize?${new URLSearchParams({
        response_type: 'code',
        client_id: 'web',
        redirect_uri: 'https://web.example.com/callback',
        scope: 'openid orders:read orders:write',
        code_challenge: pkce().challenge,
        code_challenge_method: 'S256',
        ...more,
      })}`,
    );
  const submitSignIn = (page: Page, username: string) => browser.submit(page, { username, password });
  const signInAs = async (username: string) => submitSignIn(await browser.go(`${test.issuer}/sign-in`), username);
  const userIdOf = async (username: string) => (await test.store.findUser(username))?.userId as string;
  const consents = async () => (await test.store.list('consent', { limit: 10 })).items;
  const liveSessions = async () =>
    (await test.store.listSessions({ state: 'live', now: test.now() }, { limit: 10 })).items;

  it('B17 what ada was asked is not answered as bob, who signed in since in another tab', async () => {
    const page = await submitSignIn(await authorize(), 'ada');
    assert.match(page.html, /ada/);
    await signInAs('bob');
    const again = await browser.submit(page, { decision: 'allow' });
    assert.deepEqual([again.status, again.heading], [403, 'Allow access?']);
    assert.match(again.html, /bob/);
    assert.deepEqual(await consents(), []);
    assert.ok((await browser.submit(again, { decision: 'allow' })).url.includes('code='));
    assert.deepEqual(
      (await consents()).map(({ userId }) => userId),
      [await userIdOf('bob')],
    );
  });

  it('B17 the account chooser goes on as whom it named, or asks again', async () => {
    await signInAs('ada');
    const page = await authorize({ prompt: 'select_account' });
    await signInAs('bob');
    const again = await browser.submit(page, { decision: 'continue' });
    assert.deepEqual([again.status, again.heading], [403, 'Choose an account']);
  });

  it("B17 ada's account and sign-out pages sign nobody else out", async () => {
    await signInAs('ada');
    const signOut = await browser.go(`${test.issuer}/end-session`);
    const account = await browser.go(`${test.issuer}/account`);
    await signInAs('bob');
    assert.deepEqual((await browser.submit(signOut, { decision: 'sign-out' })).status, 403);
    assert.deepEqual((await browser.submit(account, { decision: 'sign-out-everywhere' })).status, 403);
    assert.equal((await liveSessions()).length, 1);
  });

  it('a page of before is still good when the same user has signed in again', async () => {
    const page = await submitSignIn(await authorize(), 'ada');
    await browser.go(`${test.issuer}/end-session`);
    await signInAs('ada');
    assert.ok((await browser.submit(page, { decision: 'allow' })).url.includes('code='));
  });

  it('C7 consent covers what was shown: a role that came while the page was open is asked for anew', async () => {
    const page = await submitSignIn(await authorize(), 'bob');
    assert.doesNotMatch(page.html, /Change your orders/);
    const userId = await userIdOf('bob');
    const bob = await test.store.get('user', userId);
    assert.ok(bob);
    const editor = { ...bob, roles: ['editor'] };
    await test.store.commit([{ change: 'put', kind: 'user', expect: bob.version, record: editor }]);
    const again = await browser.submit(page, { decision: 'allow' });
    assert.equal(again.heading, 'Allow access?');
    assert.match(again.html, /Change your orders/);
    assert.deepEqual((await consents())[0]?.scopes, ['openid', 'orders:read']);
    assert.ok((await browser.submit(again, { decision: 'allow' })).url.includes('code='));
  });

  it('B20 a consent that was withdrawn and given again for less makes no code of before good for more', async () => {
    const wide = await obtainCode(test, {
      browser,
      client_id: 'web',
      parameters: { scope: 'openid orders:read orders:write' },
    });
    await withdrawConsent(test.server.context, actor, { userId: await userIdOf('ada'), clientId: 'web' });
    const narrow = await obtainCode(test, { browser, client_id: 'web', parameters: { scope: 'openid' } });
    const refused = await redeemCode(test, wide, {}, basic('web'));
    assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_grant']);
    assert.equal((await redeemCode(test, narrow, {}, basic('web'))).body.scope, 'openid');
  });
});
