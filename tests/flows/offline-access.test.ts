import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  introspect,
  obtainCode,
  redeemCode,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

describe('offline access', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  async function tokensOf(browser: TestBrowser, scope: string) {
    const obtained = await obtainCode(test, { browser, client_id: 'web', parameters: { scope } });
    const { body } = await redeemCode(test, obtained, {}, basic('web'));
    return body as { access_token: string; refresh_token: string; id_token: string; scope: string };
  }
  const use = (refresh_token: string) =>
    test.post('/token', { grant_type: 'refresh_token', refresh_token }, basic('web'));

  it('OIDC Core 11: is granted to a client that may have it, with consent, and ignored for others', async () => {
    const tokens = await tokensOf(test.browser(), 'openid offline_access orders:read');
    assert.match(tokens.scope, /offline_access/);
    assert.equal(claimsOf(tokens.access_token).sid, undefined, 'it outlives its session, so it does not hang on it');
    const browser = test.browser();
    const obtained = await obtainCode(test, { browser, parameters: { scope: 'openid offline_access orders:read' } });
    const { body } = await redeemCode(test, obtained);
    assert.equal(body.scope, 'openid orders:read');
    assert.ok(claimsOf(body.access_token).sid);
  });

  it('A9 outlives the sign-out of its browser and of its app, and its session’s end; not the user’s sign-out everywhere', async () => {
    const browser = test.browser();
    const session = await tokensOf(browser, 'openid orders:read');
    const offline = await tokensOf(browser, 'openid offline_access orders:read');
    await browser.go(`${test.issuer}/end-session?${new URLSearchParams({ id_token_hint: session.id_token })}`);
    assert.equal((await use(session.refresh_token)).status, 400);
    assert.equal((await introspect(test, offline.access_token)).active, true);
    const again = await use(offline.refresh_token);
    assert.equal(again.status, 200);
    const ending = {
      reason: 'signed_out_everywhere' as const,
      at: test.now(),
      actor: { kind: 'server' as const },
      until: test.now() + 1000,
    };
    const { sub } = claimsOf(again.body.access_token);
    await test.store.commit([{ change: 'end-sessions', where: { userId: String(sub) }, offline: true, ending }]);
    assert.equal((await use(String(again.body.refresh_token))).status, 400);
    assert.equal((await introspect(test, again.body.access_token)).active, false);
  });

  it('has its own limits: 7 days unused, 90 days at the most, though the session ended long before', async () => {
    const browser = test.browser();
    const born = test.now();
    let { refresh_token } = await tokensOf(browser, 'openid offline_access orders:read');
    test.advance(3600);
    await browser.go(`${test.issuer}/end-session`);
    for (;;) {
      test.advance(6 * 86_400);
      await test.server.endLapsed();
      const { status, body } = await use(refresh_token);
      if (status !== 200) break;
      refresh_token = String(body.refresh_token);
    }
    const lived = test.now() - born;
    assert.ok(lived >= 90 * 86_400 && lived < 97 * 86_400, String(lived / 86_400));
    const unused = await tokensOf(test.browser(), 'openid offline_access orders:read');
    test.advance(7 * 86_400);
    assert.equal((await use(unused.refresh_token)).status, 400);
  });

  it('a stolen offline token is found out like any other', async () => {
    const tokens = await tokensOf(test.browser(), 'openid offline_access orders:read');
    const { body } = await use(tokens.refresh_token);
    test.advance(31);
    assert.equal((await use(tokens.refresh_token)).status, 400);
    assert.equal((await use(String(body.refresh_token))).status, 400);
    assert.equal((await introspect(test, body.access_token)).active, false);
  });
});
