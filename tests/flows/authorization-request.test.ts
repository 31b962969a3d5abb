import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page, TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  obtainCode,
  ordersApi,
  password,
  pkce,
  redeemCode,
  secret,
  signInTokens,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const callback = 'https://spa.example.com/callback';
const { clients: declared = [] } = testConfig('http://localhost:8080');
const clients = [
  ...declared,
  {
    client_id: 'native',
    redirect_uris: [
      'http://127.0.0.1/callback',
      'http://[::1]/callback',
      'http://localhost:7777/callback',
      'http://127.0.0.1/with?tenant=1',
      'com.example.app:/callback',
    ],
    scope: 'openid orders:read',
    consent: 'skip' as const,
  },
  {
    client_id: 'single',
    redirect_uris: ['https://single.example.com/cb?x=1'],
    scope: 'openid orders:read',
    consent: 'skip' as const,
  },
  {
    client_id: 'words',
    redirect_uris: ['https://words.example.com/zurück/日本'],
    scope: 'openid',
    consent: 'skip' as const,
  },
  { client_id: 'off', redirect_uris: ['https://off.example.com/callback'], disabled: true },
];

/** The parameters of a request that is right. */
function right(): Record<string, string> {
  return {
    response_type: 'code',
    client_id: 'spa',
    redirect_uri: callback,
    scope: 'openid orders:read',
    state: 'state-1',
    code_challenge: pkce().challenge,
    code_challenge_method: 'S256',
  };
}

function urlOf(test: TestServer, parameters: Record<string, string> | [string, string][]): string {
  return `${test.issuer}/authorize?${new URLSearchParams(parameters)}`;
}

/** Asserts that a person sees an error page and nobody is redirected. */
function assertErrorPage(page: Page): void {
  assert.ok(page.status >= 400 && page.status < 500, `status ${page.status}`);
  assert.equal(page.headers.get('location'), null);
  assert.match(page.html, /<h1/);
  assert.ok(page.headers.get('tessera-refusal-id'));
  assert.equal(page.headers.get('x-frame-options'), 'DENY');
}

/** Asserts that the refusal went to the client, with state and issuer. */
function assertRefusedToClient(test: TestServer, page: Page, error: string, state: string | null = 'state-1'): URL {
  const url = new URL(page.url);
  assert.equal(`${url.origin}${url.pathname}`, callback, page.url);
  assert.equal(url.searchParams.get('error'), error, page.url);
  assert.equal(url.searchParams.get('state'), state);
  assert.equal(url.searchParams.get('iss'), test.issuer);
  assert.equal(url.searchParams.get('code'), null);
  assert.match(url.searchParams.get('error_description') ?? '', /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
  return url;
}

describe('an authorization request', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer({ config: { clients } });
    browser = test.browser();
    await obtainCode(test, { browser });
  });
  after(() => test.close());

  const go = (change: Record<string, string>, with_ = browser) => with_.go(urlOf(test, { ...right(), ...change }));

  it('RFC 6749 4.1.2.1 an unknown client, a disabled one or none gets an error page, never a redirect', async () => {
    assertErrorPage(await go({ client_id: 'nobody' }));
    assertErrorPage(await go({ client_id: '' }));
    assertErrorPage(await go({ client_id: 'off', redirect_uri: 'https://off.example.com/callback' }));
    assertErrorPage(await go({ client_id: 'machine' }));
    assertErrorPage(await go({ client_id: 'spa\u0001' }));
  });

  it('RFC 9700 4.1.3 redirect URIs are compared character by character', async () => {
    const tricks = [
      `${callback}/`,
      `${callback}/../callback`,
      `${callback}?`,
      `${callback}?a=b`,
      `${callback}#`,
      `${callback}#fragment`,
      `${callback} `,
      ` ${callback}`,
      `${callback}%20`,
      `${callback}%2e`,
      callback.replace('callback', 'Callback'),
      callback.replace('https', 'HTTPS'),
      callback.replace('https', 'http'),
      callback.replace('spa.example', 'SPA.example'),
      callback.replace('example.com', 'example.com.evil.net'),
      callback.replace('example.com', 'example.com:443'),
      callback.replace('//spa', '//user@spa'),
      callback.replace('//spa', '//evil.net@spa'),
      callback.replace('//spa', '//evil.net#@spa'),
      callback.replace('//spa', '//evil.net\\@spa'),
      callback.replace('//spa', '//x.spa'),
      callback.replace('//', '/'),
      callback.replace('//', '\\\\'),
      callback.replace('callback', 'call%62ack'),
      callback.replace('callback', './callback'),
      callback.replace('callback', '%2e%2e/callback'),
      callback.slice(0, -1),
      'https://spa.example.com/',
      'https://spa.example.com',
      '//spa.example.com/callback',
      '/callback',
      'javascript:alert(1)',
      'data:text/html,x',
      'urn:ietf:wg:oauth:2.0:oob',
    ];
    for (const redirect_uri of tricks) {
      const page = await go({ redirect_uri });
      assert.equal(page.headers.get('location'), null, redirect_uri);
      assertErrorPage(page);
    }
  });

  it('RFC 8252 7.3 and 8.3: on a loopback address the port floats, and nothing else; on localhost nothing does', async () => {
    const table: [string, boolean][] = [
      ['http://127.0.0.1/callback', true],
      ['http://127.0.0.1:80/callback', true],
      ['http://127.0.0.1:51004/callback', true],
      ['http://[::1]:51004/callback', true],
      ['http://localhost:7777/callback', true],
      ['com.example.app:/callback', true],
      ['http://127.0.0.1:51004/with?tenant=1', true],
      ['http://127.0.0.1:51004/with?tenant=2', false],
      ['http://127.0.0.1:51004/with', false],
      ['http://localhost:7778/callback', false],
      ['http://localhost/callback', false],
      ['https://127.0.0.1:51004/callback', false],
      ['http://127.0.0.2:51004/callback', false],
      ['http://127.0.0.1.evil.net:51004/callback', false],
      ['http://127.0.0.1:51004@evil.net/callback', false],
      ['http://user@127.0.0.1:51004/callback', false],
      ['http://127.0.0.1:51004/callback/', false],
      ['http://127.0.0.1:51004/callback?', false],
      ['http://127.0.0.1:51004/callback?a=b', false],
      ['http://127.0.0.1:51004/callback#', false],
      ['http://127.0.0.1:51004/callback#x', false],
      ['http://127.0.0.1:51004/Callback', false],
      ['http://127.0.0.1:51004/./callback', false],
      ['http://127.0.0.1:51004\\callback', false],
      ['http://127.0.0.1:99999/callback', false],
      ['http://127.0.0.1:/callback', false],
      ['http://127.0.0.1:5x/callback', false],
      ['http://127.1:51004/callback', false],
      ['http://2130706433:51004/callback', false],
      ['http://0x7f.0.0.1:51004/callback', false],
      ['http://[0:0:0:0:0:0:0:1]:51004/callback', false],
      ['http://[::ffff:127.0.0.1]:51004/callback', false],
      ['http://0.0.0.0:51004/callback', false],
      ['com.example.app://callback', false],
      ['com.example.app:/callback/', false],
      ['com.example.evil:/callback', false],
    ];
    for (const [redirect_uri, isRight] of table) {
      const page = await go({ client_id: 'native', redirect_uri });
      const { href } = new URL(page.url);
      const wentThere = href.startsWith(`${redirect_uri}${redirect_uri.includes('?') ? '&' : '?'}code=`);
      assert.equal(wentThere || page.url.includes('code='), isRight, `${redirect_uri} → ${page.url}`);
      if (!isRight) assertErrorPage(page);
    }
  });

  it('a single registered redirect URI need not be named; its own query survives; the token request then names none', async () => {
    const { verifier, challenge } = pkce();
    const page = await go({ client_id: 'single', redirect_uri: '', code_challenge: challenge });
    const url = new URL(page.url);
    assert.equal(url.searchParams.get('x'), '1');
    const code = url.searchParams.get('code') as string;
    const form = { grant_type: 'authorization_code', client_id: 'single', code, code_verifier: verifier };
    assert.equal((await test.post('/token', form)).status, 200);
    // Two registered: which one is meant nobody can know.
    assertErrorPage(await go({ redirect_uri: '' }));
  });

  it('RFC 3987 3.1 a redirect URI with other letters than ASCII is written into the header percent-encoded', async () => {
    const page = await go({ client_id: 'words', redirect_uri: 'https://words.example.com/zurück/日本' });
    assert.match(page.url, /^https:\/\/words\.example\.com\/zur%C3%BCck\/%E6%97%A5%E6%9C%AC\?code=/);
  });

  it('OAuth 2.1 4.1.1 only response_type=code is offered, in the query or by form post', async () => {
    assertRefusedToClient(test, await go({ response_type: '' }), 'invalid_request');
    for (const response_type of ['token', 'id_token', 'code id_token', 'code token', 'none', 'CODE'])
      assertRefusedToClient(test, await go({ response_type }), 'unsupported_response_type');
    for (const response_mode of ['fragment', 'web_message', 'query.jwt', 'x'])
      assertRefusedToClient(test, await go({ response_mode }), 'invalid_request');
  });

  it('C9 PKCE: missing, plain, without method and malformed challenges are refused', async () => {
    assertRefusedToClient(test, await go({ code_challenge: '', code_challenge_method: '' }), 'invalid_request');
    assertRefusedToClient(test, await go({ code_challenge: '' }), 'invalid_request');
    assertRefusedToClient(test, await go({ code_challenge_method: 'plain' }), 'invalid_request');
    assertRefusedToClient(test, await go({ code_challenge_method: '' }), 'invalid_request');
    assertRefusedToClient(test, await go({ code_challenge_method: 's256' }), 'invalid_request');
    for (const code_challenge of ['short', `${pkce().challenge}x`, `${pkce().challenge.slice(0, 42)}=`])
      assertRefusedToClient(test, await go({ code_challenge }), 'invalid_request');
  });

  it('RFC 9207 and RFC 6749 4.1.2: the answer carries the issuer and the state as it came, or no state', async () => {
    const state = `a&b=c#?%20 "<>'日本 ${'x'.repeat(1000)}`;
    const answered = new URL((await go({ state })).url);
    assert.equal(answered.searchParams.get('state'), state);
    assert.equal(answered.searchParams.get('iss'), test.issuer);
    const { state: _, ...stateless } = right();
    const without = new URL((await browser.go(urlOf(test, stateless))).url);
    assert.equal(without.searchParams.has('state'), false);
    assert.deepEqual([...without.searchParams.keys()].sort(), ['code', 'iss']);
    assertRefusedToClient(test, await go({ state: 'x'.repeat(2049) }), 'invalid_request', null);
  });

  it('RFC 6749 3.1 a parameter that comes twice is refused: to the client, or on a page where it says who the client is', async () => {
    const twice = (name: string, value: string) =>
      browser.go(urlOf(test, [...(Object.entries(right()) as [string, string][]), [name, value]]));
    assertErrorPage(await twice('client_id', 'spa'));
    assertErrorPage(await twice('redirect_uri', 'https://evil.net/'));
    assertErrorPage(await twice('redirect_uri', callback));
    assertRefusedToClient(test, await twice('scope', 'openid'), 'invalid_request');
    assertRefusedToClient(test, await twice('code_challenge', pkce().challenge), 'invalid_request');
    assertRefusedToClient(test, await twice('state', 'state-2'), 'invalid_request', null);
  });

  it('OIDC Core 3.1.2.1 the request may come by POST, but not twice over in the query', async () => {
    const posted = await browser.go(`${test.issuer}/authorize`, { method: 'POST', body: new URLSearchParams(right()) });
    assert.ok(new URL(posted.url).searchParams.get('code'), posted.url);
    assertErrorPage(await browser.go(urlOf(test, right()), { method: 'POST', body: '' }));
    const json = { method: 'POST', body: JSON.stringify(right()), headers: { 'content-type': 'application/json' } };
    assertErrorPage(await browser.go(`${test.issuer}/authorize`, json));
  });

  it('C23 a cross-site POST, with which browsers send no Lax cookie, still finds the signed-in user', async () => {
    const stranger = test.browser();
    const first = await stranger.request(`${test.issuer}/authorize`, {
      method: 'POST',
      body: new URLSearchParams({ ...right(), prompt: 'none' }),
      headers: { origin: 'https://spa.example.com', 'sec-fetch-site': 'cross-site' },
    });
    assert.equal(first.status, 303);
    // The redirect is a GET: now the cookies come along.
    const page = await browser.go(first.headers.get('location') as string);
    assert.ok(new URL(page.url).searchParams.get('code'), page.url);
  });

  it('OIDC Core 6 and 3.1.2.6: request objects and registration are refused by name', async () => {
    assertRefusedToClient(test, await go({ request: 'x' }), 'request_not_supported');
    assertRefusedToClient(test, await go({ request_uri: 'https://x.example' }), 'request_uri_not_supported');
    assertRefusedToClient(test, await go({ registration: '{}' }), 'registration_not_supported');
  });

  it('C7 an unknown or unregistered scope is dropped, and what is granted is told; malformed ones are refused', async () => {
    const obtained = await obtainCode(test, {
      browser,
      parameters: { scope: 'openid orders:read orders:delete phone tessera:users:write toString __proto__' },
    });
    const { body } = await redeemCode(test, obtained);
    assert.equal(body.scope, 'openid orders:read');
    assert.equal(claimsOf(body.access_token).scope, 'openid orders:read');
    assertRefusedToClient(test, await go({ scope: 'openid "' }), 'invalid_scope');
    assertRefusedToClient(test, await go({ scope: 'openid \u00e9' }), 'invalid_scope');
  });

  it('A26 a resource nobody registered is refused, and so is one with a fragment or no URI at all', async () => {
    for (const resource of ['https://nobody.example.com', `${ordersApi}#x`, 'orders', `${ordersApi}/`])
      assertRefusedToClient(test, await go({ resource }), 'invalid_target');
  });

  it('malformed values are refused to the client', async () => {
    const bad: Record<string, string>[] = [
      { prompt: 'sometimes' },
      { prompt: 'none login' },
      { max_age: '-1' },
      { max_age: '1.5' },
      { max_age: 'x' },
      { nonce: 'x'.repeat(513) },
      { dpop_jkt: 'x' },
      { id_token_hint: 'x' },
      { claims: '[' },
      { claims: '[]' },
      { claims: '"x"' },
      { claims: '{"id_token":{"acr":{"essential":"yes"}}}' },
      { claims: `{"id_token":{"x":${'['.repeat(1000)}${']'.repeat(1000)}}}` },
    ];
    for (const change of bad) assertRefusedToClient(test, await go(change), 'invalid_request');
  });
});

describe('what the user is asked', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer({ config: { clients } });
    browser = test.browser();
  });
  after(() => test.close());

  const go = (change: Record<string, string> = {}, with_ = browser) => with_.go(urlOf(test, { ...right(), ...change }));
  const signIn = (page: Page, username = 'ada', with_ = browser) => with_.submit(page, { username, password });

  it('C23 nobody is signed in: the sign-in page; with prompt=none login_required', async () => {
    assert.equal((await go()).heading, 'Sign in');
    assertRefusedToClient(test, await go({ prompt: 'none' }), 'login_required');
  });

  it('C23 A29 once signed in, a second app needs no sign-in, and prompt=none succeeds', async () => {
    assert.ok((await signIn(await go())).url.includes('code='));
    assert.ok((await go()).url.includes('code='));
    assert.ok((await go({ prompt: 'none' })).url.includes('code='));
    const second = await go({ client_id: 'native', redirect_uri: 'com.example.app:/callback' });
    assert.match(second.url, /^com\.example\.app:\/callback\?code=/);
  });

  it('C23 prompt=login asks again although one is signed in, and auth_time moves', async () => {
    test.advance(100);
    const { verifier, challenge } = pkce();
    const page = await go({ prompt: 'login', code_challenge: challenge });
    assert.equal(page.headers.get('location'), null);
    assert.equal(page.forms.length, 1);
    const code = new URL((await signIn(page)).url).searchParams.get('code') as string;
    const { body } = await redeemCode(test, {
      code,
      verifier,
      redirect_uri: callback,
      client_id: 'spa',
      callback: new URL(callback),
    });
    assert.equal(claimsOf(body.id_token).auth_time, test.now());
  });

  it('what is said many times in prompt is carried on once, so that the next address stays within what a request may have', async () => {
    const page = await test.browser().go(`${test.issuer}/authorize`, {
      method: 'POST',
      body: new URLSearchParams({ ...right(), prompt: 'login consent '.repeat(2000) }),
    });
    assert.equal(page.heading, 'Sign in');
    assert.ok(page.url.length < 4096, `the address has ${page.url.length} characters`);
  });

  it('C23 max_age asks again when the sign-in is too old, not before; max_age=0 always; prompt=none says so', async () => {
    test.advance(50);
    assert.ok((await go({ max_age: '50' })).url.includes('code='));
    test.advance(1);
    assertRefusedToClient(test, await go({ max_age: '50', prompt: 'none' }), 'login_required');
    const page = await go({ max_age: '50' });
    assert.equal(page.headers.get('location'), null);
    assert.ok((await signIn(page)).url.includes('code='));
    test.advance(1);
    const zero = await go({ max_age: '0' });
    assert.ok(!zero.url.includes('code='));
    test.advance(20);
    assert.ok((await signIn(zero)).url.includes('code='), 'a slow typist is not sent round in circles');
  });

  it('OIDC Core 3.1.2.3 the page of a request with prompt=login skips nothing for a later request', async () => {
    const again = await go({ prompt: 'login' });
    assert.ok(!again.url.includes('code='));
    // The sealed request of the page, tried without signing in.
    const sealed = again.forms[0]?.hidden.request as string;
    const skipped = await browser.go(`${test.issuer}/authorize/continue?request=${sealed}`);
    assert.ok(!skipped.url.includes('code='));
  });

  it('prompt=select_account shows who is signed in, and one may go on or switch', async () => {
    const page = await go({ prompt: 'select_account' });
    assert.match(page.html, /ada/);
    assert.ok((await browser.submit(page, { decision: 'continue' })).url.includes('code='));
    const other = await go({ prompt: 'select_account' });
    const signInPage = await browser.submit(other, { decision: 'switch' });
    const { url } = await signIn(signInPage, 'bob');
    assert.ok(url.includes('code='));
    assert.ok((await signIn(await go({ prompt: 'login' }))).url.includes('code='));
  });

  it('C7 consent shows app and scopes, is remembered, asked again for more, and with prompt=consent always', async () => {
    const web = { client_id: 'web', redirect_uri: 'https://web.example.com/callback' };
    const page = await go(web);
    assert.equal(page.heading, 'Allow access?');
    assert.match(page.html, /Web App/);
    assert.match(page.html, /See your orders/);
    assert.doesNotMatch(page.html, /Change your orders/);
    const silent = await go({ ...web, prompt: 'none' });
    assert.equal(new URL(silent.url).searchParams.get('error'), 'consent_required');
    const denied = new URL((await browser.submit(page, { decision: 'deny' })).url);
    assert.equal(denied.searchParams.get('error'), 'access_denied');
    assert.equal(denied.searchParams.get('state'), 'state-1');
    assert.equal((await go(web)).heading, 'Allow access?');
    assert.ok((await browser.submit(await go(web), { decision: 'allow' })).url.includes('code='));
    assert.ok((await go(web)).url.includes('code='));
    assert.ok((await go({ ...web, scope: 'openid' })).url.includes('code='));
    assert.equal((await go({ ...web, scope: 'openid orders:read orders:write' })).heading, 'Allow access?');
    assert.equal((await go({ ...web, prompt: 'consent' })).heading, 'Allow access?');
  });

  it('C7 consent covers what was shown: a scope the user gets a role for later is asked for then', async () => {
    const bob = test.browser();
    const web = { client_id: 'web', redirect_uri: 'https://web.example.com/callback', scope: 'openid orders:write' };
    const page = await signIn(await go(web, bob), 'bob', bob);
    assert.doesNotMatch(page.html, /Change your orders/);
    assert.ok((await bob.submit(page, { decision: 'allow' })).url.includes('code='));
    assert.ok((await go(web, bob)).url.includes('code='), 'nothing more to ask');
    const user = await test.store.findUser('bob');
    assert.ok(user);
    const editor = { ...user, roles: ['editor'] };
    await test.store.commit([{ change: 'put', kind: 'user', expect: user.version, record: editor }]);
    const asked = await go(web, bob);
    assert.equal(asked.heading, 'Allow access?');
    assert.match(asked.html, /Change your orders/);
  });

  it('id_token_hint: the same user goes on, another is asked to sign in, and prompt=none refuses', async () => {
    const { id_token } = await signInTokens(test);
    assert.ok((await go({ id_token_hint: id_token, prompt: 'none' })).url.includes('code='));
    const other = await signInTokens(test, { username: 'bob' });
    assertRefusedToClient(test, await go({ id_token_hint: other.id_token, prompt: 'none' }), 'login_required');
    const page = await go({ id_token_hint: other.id_token });
    assert.ok(!page.url.includes('code='));
    // The wrong one signs in all the same: the app must not get somebody else.
    assertRefusedToClient(test, await signIn(page, 'ada'), 'login_required');
    const tampered = `${id_token.slice(0, -4)}AAAA`;
    assertRefusedToClient(test, await go({ id_token_hint: tampered }), 'invalid_request');
    const accessToken = (await signInTokens(test)).access_token;
    assertRefusedToClient(test, await go({ id_token_hint: accessToken }), 'invalid_request');
  });

  it('the claims parameter: a sub that is not the user refuses; an essential acr out of reach refuses, a wish does not', async () => {
    const claims = (value: object) => ({ claims: JSON.stringify(value) });
    const sub = claims({ id_token: { sub: { value: 'nobody' } } });
    assertRefusedToClient(test, await go({ ...sub, prompt: 'none' }), 'login_required');
    const gold = claims({ id_token: { acr: { essential: true, values: ['urn:example:gold'] } } });
    assertRefusedToClient(test, await go(gold), 'unmet_authentication_requirements');
    const wish = claims({ id_token: { acr: { values: ['urn:example:gold'] } } });
    assert.ok((await go(wish)).url.includes('code='));
    assert.ok((await go({ acr_values: 'urn:example:gold' })).url.includes('code='));
    const reached = claims({ id_token: { acr: { essential: true, value: 'urn:tessera:acr:password' } } });
    assert.ok((await go(reached)).url.includes('code='));
  });

  it('the claims parameter asks for single claims, in the ID token or at userinfo, and cannot set what is the issuer’s', async () => {
    const asked = {
      id_token: { email: null, iss: { value: 'https://evil.net' }, auth_time: { essential: true }, passwordHash: null },
      userinfo: { name: { essential: true } },
    };
    const obtained = await obtainCode(test, {
      browser,
      parameters: { scope: 'openid', claims: JSON.stringify(asked) },
    });
    const { body } = await redeemCode(test, obtained);
    const idToken = claimsOf(body.id_token);
    assert.equal(idToken.email, 'ada@example.com');
    assert.equal(idToken.iss, test.issuer);
    assert.equal(idToken.name, undefined);
    assert.equal('passwordHash' in idToken, false);
    const userinfo = await test.server.fetch(
      new Request(`${test.issuer}/userinfo`, { headers: { authorization: `Bearer ${body.access_token}` } }),
    );
    const told = (await userinfo.json()) as Record<string, unknown>;
    assert.deepEqual(told, { sub: idToken.sub, name: 'Ada Lovelace' });
    assert.equal(claimsOf(body.access_token).email, undefined);
  });

  it('Form Post Response Mode: the answer is a form that posts itself, errors too, escaped, and nothing else may run', async () => {
    const page = await go({ response_mode: 'form_post', state: '"><script>alert(1)</script>' });
    assert.equal(page.status, 200);
    const [form] = page.forms;
    assert.equal(form?.action, callback);
    assert.deepEqual(Object.keys(form?.hidden ?? {}).sort(), ['code', 'iss', 'state']);
    assert.equal(form?.hidden.state, '"><script>alert(1)</script>');
    assert.doesNotMatch(page.html, /<script>alert/);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.match(policy, /script-src 'sha256-[^']+'/);
    assert.doesNotMatch(policy, /unsafe/);
    // Chromium holds the app's own redirects to it as well: tests/browser/redirects-of-apps.browser.test.ts.
    assert.doesNotMatch(policy, /form-action/);
    assert.equal(page.headers.get('cache-control'), 'no-store');
    const refused = await go({ response_mode: 'form_post', prompt: 'none', max_age: '0' });
    assert.ok(['login_required', undefined].includes(refused.forms[0]?.hidden.error));
  });

  it('a sealed request is good for an hour, and its changed copy for nothing', async () => {
    const page = await go({ prompt: 'login' });
    const url = new URL(page.url);
    const sealed = url.searchParams.get('request') as string;
    url.searchParams.set('request', `${sealed.slice(0, -6)}AAAAAA`);
    assertErrorPage(await browser.go(url.href));
    test.advance(3601);
    assertErrorPage(await browser.go(page.url));
    assertErrorPage(await browser.go(`${test.issuer}/authorize/continue`));
  });

  it('RFC 9700 2.1 an address taken from the client while the user was asked gets no code, and nobody is sent there', async () => {
    const visitor = test.browser();
    const page = await go({}, visitor);
    const client = await test.store.get('client', 'spa');
    assert.ok(client);
    const without = { ...client, redirectUris: ['http://127.0.0.1/callback'] };
    await test.store.commit([{ change: 'put', kind: 'client', expect: client.version, record: without }]);
    test.server.context.registry.forgetClient('spa');
    assertErrorPage(await visitor.submit(page, { username: 'ada', password }));
    assertErrorPage(await visitor.submit(page, { decision: 'cancel' }));
    await test.store.commit([{ change: 'put', kind: 'client', expect: client.version + 1, record: client }]);
    test.server.context.registry.forgetClient('spa');
  });

  it('signing in as somebody else in the same browser ends the former session, and signing in again renews it', async () => {
    const shared = test.browser();
    const first = await signInTokens(test, { browser: shared });
    const again = await signInTokens(test, { browser: shared, parameters: { prompt: 'login' } });
    assert.equal(claimsOf(again.access_token).sid, claimsOf(first.access_token).sid);
    const page = await go({ prompt: 'login' }, shared);
    assert.ok((await signIn(page, 'bob', shared)).url.includes('code='));
    const { body } = await test.post('/introspect', { token: first.access_token }, basic('orders-api'));
    assert.equal(body.active, false);
  });
});

describe('an authorization request where unknown scopes are refused', () => {
  it('C7 is refused to the client, by name; offline_access stays a wish', async () => {
    const test = await startTestServer({ config: { clients, unknownScopes: 'refuse' } });
    const browser = test.browser();
    const go = (scope: string) => browser.go(urlOf(test, { ...right(), scope }));
    assertRefusedToClient(test, await go('openid orders:delete'), 'invalid_scope');
    assertRefusedToClient(test, await go('openid phone'), 'invalid_scope');
    assert.equal((await go('openid orders:read offline_access')).heading, 'Sign in');
    const machine = (scope: string) =>
      test.post('/token', { grant_type: 'client_credentials', scope }, basic('machine', secret));
    assert.equal((await machine('orders:read orders:write')).body.error, 'invalid_scope');
    assert.equal((await machine('orders:read nonsense')).body.error, 'invalid_scope');
    assert.equal((await machine('orders:read')).status, 200);
    await test.close();
  });
});
