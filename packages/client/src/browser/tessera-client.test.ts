import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { eventually } from '../../../../tests/eventually.ts';
import { TestAuthorizationServer } from '../../testing/authorization-server.ts';
import { makeFakePage } from '../../testing/fake-page.ts';
import { memoryDpopKeys, memoryStorage } from '../core/index.ts';
import { createTesseraClient, type TesseraClientOptions } from './tessera-client.ts';

async function open(
  t: TestContext,
  options: Partial<TesseraClientOptions> = {},
  address = 'https://app.example/orders?page=2#row-7',
) {
  const server = await TestAuthorizationServer.start();
  t.after(() => server.stop());
  const page = makeFakePage(address);
  const client = createTesseraClient({
    issuer: server.origin,
    client_id: 'web',
    redirect_uri: '/callback',
    post_logout_redirect_uri: '/bye',
    page,
    ...options,
  });
  t.after(() => client.close());
  /** What the browser does after signIn: follows to the server and back. */
  const follow = async () => {
    const back = await server.approve(page.left.at(-1) ?? '');
    page.show(back.href);
  };
  return { server, page, client, follow };
}

test('C11: after signing in the user is back where they were', async (t) => {
  const { client, page, follow } = await open(t);
  await client.signIn();
  await follow();
  assert.ok(page.href().startsWith('https://app.example/callback?code='));
  const result = await client.handleRedirect();
  assert.equal(result.kind, 'signed_in');
  assert.equal(result.kind === 'signed_in' && result.returnTo, '/orders?page=2#row-7');
  assert.equal(result.kind === 'signed_in' && result.user?.sub, 'alice');
  assert.equal(page.href(), 'https://app.example/orders?page=2#row-7');
  assert.equal(page.stored.size, 0, 'no trace of the redirect is left');
  assert.deepEqual(await client.handleRedirect(), { kind: 'none' });
});

test('B5: the trace of a redirect holds no token and stands in sessionStorage only while it is under way', async (t) => {
  const { client, page, follow } = await open(t);
  await client.signIn();
  assert.equal(page.stored.size, 1);
  const [trace = ''] = page.stored.values();
  assert.deepEqual(Object.keys(JSON.parse(trace)).sort(), ['createdAt', 'kind', 'pending', 'returnTo']);
  assert.doesNotMatch(trace, /token/);
  await follow();
  await client.handleRedirect();
  assert.equal(page.stored.size, 0);
});

test('an app’s router shows the place itself', async (t) => {
  const shown: string[] = [];
  const { client, follow } = await open(t, { showPlace: (returnTo) => shown.push(returnTo) });
  await client.signIn({ returnTo: '/welcome' });
  await follow();
  await client.handleRedirect();
  assert.deepEqual(shown, ['/welcome']);
});

const elsewhere = [
  'https://evil.example/',
  '//evil.example/',
  '/\\evil.example',
  'javascript:alert(1)',
  'https://app.example.evil.example/',
  'data:text/html,x',
];
for (const returnTo of elsewhere) {
  test(`returnTo ${returnTo} is no place on this origin and is refused`, async (t) => {
    const { client, page } = await open(t);
    await assert.rejects(client.signIn({ returnTo }), TypeError);
    await assert.rejects(client.signOut({ everywhereInThisBrowser: true, returnTo }), TypeError);
    assert.deepEqual(page.left, []);
  });
}

test('a returnTo whose path begins with two slashes is not read as another host', async (t) => {
  const { client, page, follow } = await open(t);
  await client.signIn({ returnTo: 'https://app.example//evil.example/x' });
  await follow();
  const result = await client.handleRedirect();
  assert.equal(result.kind === 'signed_in' && result.returnTo, '/evil.example/x');
  assert.equal(page.href(), 'https://app.example/evil.example/x');
});

test('signing in from the callback address leads to the start page, not back to the callback', async (t) => {
  const { client, page, follow } = await open(t, {}, 'https://app.example/callback');
  await client.signIn();
  await follow();
  await client.handleRedirect();
  assert.equal(page.href(), 'https://app.example/');
});

test('calls of handleRedirect at the same time redeem the code once', async (t) => {
  const { client, server, follow } = await open(t);
  await client.signIn();
  await follow();
  const [one, two] = await Promise.all([client.handleRedirect(), client.handleRedirect()]);
  assert.deepEqual(one, two);
  assert.equal(server.count('/token'), 1);
});

test('an answer nobody asked for is state_mismatch: login CSRF (RFC 6749 section 10.12)', async (t) => {
  const { client, page, server } = await open(
    t,
    {},
    'https://app.example/callback?code=attackers&state=attackers&keep=1',
  );
  await assert.rejects(client.handleRedirect(), { code: 'state_mismatch' });
  assert.equal(server.count('/token'), 0);
  assert.equal(page.href(), 'https://app.example/callback?keep=1', 'a reload does not repeat it');
});

test('an answer counts once: the same address again is state_mismatch', async (t) => {
  const { client, page, follow } = await open(t);
  await client.signIn();
  await follow();
  const answer = page.href();
  await client.handleRedirect();
  page.show(answer);
  await assert.rejects(client.handleRedirect(), { code: 'state_mismatch' });
  assert.equal((await client.getUser())?.sub, 'alice', 'who is signed in stays so');
});

test('going back and beginning anew leaves the first sign-in usable', async (t) => {
  const { client, server, page } = await open(t);
  await client.signIn();
  const first = await server.approve(page.left[0] ?? '');
  await client.signIn();
  page.show(first.href);
  assert.equal((await client.handleRedirect()).kind, 'signed_in');
});

test('a sign-in begun more than a day ago is swept and not accepted', async (t) => {
  let now = 1_900_000_000;
  const { client, page, server, follow } = await open(t, { runtime: { now: () => now } });
  server.now = () => now;
  await client.signIn();
  now += 86_401;
  await follow();
  await assert.rejects(client.handleRedirect(), { code: 'state_mismatch' });
  page.show('https://app.example/');
  await client.signIn();
  now += 86_401;
  await client.signIn();
  assert.equal(page.stored.size, 1);
});

test('a refusal carries the server’s error and the place to return to, and clears the address', async (t) => {
  const { client, page, server, follow } = await open(t);
  server.responseParameters = { code: undefined, error: 'access_denied', error_description: 'no' };
  await client.signIn();
  await follow();
  await assert.rejects(client.handleRedirect(), {
    code: 'authorization_refused',
    error: 'access_denied',
    error_description: 'no',
    returnTo: '/orders?page=2#row-7',
  });
  assert.equal(page.href(), 'https://app.example/callback');
  assert.equal(page.stored.size, 0);
});

test('parameters of other pages that look like an answer are left alone', async (t) => {
  const { client, page } = await open(t, {}, 'https://app.example/search?code=42&state=open');
  assert.deepEqual(await client.handleRedirect(), { kind: 'none' });
  assert.equal(page.href(), 'https://app.example/search?code=42&state=open');
});

test('B14: signing out of the whole browser revokes, leaves for the server, and comes back', async (t) => {
  const { client, page, server, follow } = await open(t);
  await client.signIn();
  await follow();
  await client.handleRedirect();
  const id_token = (await client.getTokens())?.id_token;
  const result = await client.signOut({ everywhereInThisBrowser: true, returnTo: '/goodbye', ui_locales: 'de' });
  assert.deepEqual(result, { revocation: 'done', redirected: true });
  assert.equal(await client.getTokens(), undefined);
  const left = new URL(page.left.at(-1) ?? '');
  assert.equal(left.origin + left.pathname, `${server.origin}/end-session`);
  const { state, ...sent } = Object.fromEntries(left.searchParams);
  assert.deepEqual(sent, {
    id_token_hint: id_token,
    client_id: 'web',
    post_logout_redirect_uri: 'https://app.example/bye',
    ui_locales: 'de',
  });
  page.show((await server.approve(left)).href);
  assert.ok(page.href().includes(`state=${state}`));
  assert.deepEqual(await client.handleRedirect(), { kind: 'signed_out', returnTo: '/goodbye' });
  assert.equal(page.href(), 'https://app.example/goodbye');
  assert.equal(page.stored.size, 0);
});

test('B14: without network, signing out of the whole browser is complete here and says it did not get further', async (t) => {
  const { client, page, server } = await open(t, { retry: { attempts: 1 } });
  await server.stop();
  assert.deepEqual(await client.signOut({ everywhereInThisBrowser: true }), { revocation: 'none', redirected: false });
  assert.deepEqual(page.left, []);
});

test('a server without end-session endpoint is left by revoking alone', async (t) => {
  const { client, server } = await open(t);
  server.metadata = { end_session_endpoint: undefined };
  assert.deepEqual(await client.signOut({ everywhereInThisBrowser: true }), { revocation: 'none', redirected: false });
});

test('B14: a pending revocation is tried again by the clock', async (t) => {
  const waits: number[] = [];
  const { client, server, follow } = await open(t, {
    runtime: { wait: async (durationMs) => void waits.push(durationMs) },
  });
  await client.signIn();
  await follow();
  await client.handleRedirect();
  server.revocationFailures = [503, 503];
  assert.deepEqual(await client.signOut(), { revocation: 'pending', redirected: false });
  for (let turn = 0; turn < 4000 && server.count('/revoke') < 3; turn++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(waits, [5000, 30_000]);
  assert.equal([...server.grants.values()][0]?.ended, true);
});

test('the page’s own origin may receive the token without being listed', async (t) => {
  const { client, follow } = await open(t);
  await client.signIn();
  await follow();
  await client.handleRedirect();
  await client.authorize('GET', new URL('https://app.example/api'));
  await assert.rejects(client.authorize('GET', new URL('https://other.example/api')), { code: 'origin_not_allowed' });
});

test('a sessionStorage that was blocked meanwhile leaves no code in the address', async (t) => {
  const { client, page, follow } = await open(t);
  await client.signIn();
  await follow();
  page.block();
  await assert.rejects(client.handleRedirect(), { code: 'storage_unavailable' });
  assert.equal(page.href(), 'https://app.example/callback');
});

test('a refresh that ends after the client was closed is no error of the page', async (t) => {
  const failures: unknown[] = [];
  const note = (error: unknown) => failures.push(error);
  process.on('uncaughtException', note);
  t.after(() => process.off('uncaughtException', note));
  const { client, server, follow } = await open(t, {
    storage: { ...memoryStorage(), reach: 'browser' },
    dpopKeys: memoryDpopKeys(),
  });
  await client.signIn();
  await follow();
  await client.handleRedirect();
  server.tokenDelayMs = 20;
  const refreshing = client.refresh();
  client.close();
  await refreshing;
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(failures, []);
});

test('a blocked sessionStorage is told before the user is sent away', async (t) => {
  const { client, page } = await open(t);
  page.block();
  await assert.rejects(client.signIn(), { code: 'storage_unavailable' });
  assert.deepEqual(page.left, []);
});

test('B16: an issuer over plain http is refused at once', () => {
  const options = { client_id: 'web', redirect_uri: '/callback', page: makeFakePage('https://app.example/') };
  assert.throws(() => createTesseraClient({ issuer: 'http://auth.example.com', ...options }), { code: 'insecure_url' });
});

test('whoever goes back instead of signing in is sent again at the next call, and nobody who signed out is', async (t) => {
  const { client, page, server, follow } = await open(t);
  const api = `${server.origin}/api`;
  let required = 0;
  client.onSignInRequired(() => {
    required++;
    void client.signIn();
  });
  await assert.rejects(client.fetch(api), { code: 'sign_in_required' });
  await assert.rejects(client.fetch(api), { code: 'sign_in_required' });
  assert.equal(required, 1);
  page.showAgain();
  await assert.rejects(client.fetch(api), { code: 'sign_in_required' });
  assert.equal(required, 2);
  await eventually(() => page.left.length === 2);
  await follow();
  await client.handleRedirect();
  await client.signOut();
  page.showAgain();
  await assert.rejects(client.fetch(api), { code: 'sign_in_required' });
  assert.equal(required, 2);
});

test('a sign-in that could not be begun is begun anew at the next call', async (t) => {
  const { client, page, server } = await open(t, { retry: { attempts: 1 } });
  const failures: unknown[] = [];
  client.onSignInRequired(() => void client.signIn().catch((error) => failures.push(error.code)));
  server.metadata = { jwks_uri: 'nonsense' };
  await assert.rejects(client.fetch(`${server.origin}/api`), { code: 'sign_in_required' });
  await eventually(() => failures.length === 1);
  server.metadata = {};
  await assert.rejects(client.fetch(`${server.origin}/api`), { code: 'sign_in_required' });
  await eventually(() => page.left.length === 1);
});

test('a page that is shown again tells that other tabs may have changed the sign-in', async (t) => {
  const { client, page } = await open(t, { storage: { ...memoryStorage(), reach: 'browser' } });
  const changes: string[] = [];
  client.onChange(({ reason }) => changes.push(reason));
  page.showAgain();
  assert.deepEqual(changes, ['elsewhere']);
  client.close();
  page.showAgain();
  assert.deepEqual(changes, ['elsewhere']);
});

test('a second sign-in after one that was cancelled leads to where the first began', async (t) => {
  const { client, page, server, follow } = await open(t);
  await client.signIn();
  server.responseParameters = { code: undefined, error: 'access_denied' };
  await follow();
  await assert.rejects(client.handleRedirect(), { error: 'access_denied' });
  server.responseParameters = {};
  await client.signIn();
  await follow();
  await client.handleRedirect();
  assert.equal(page.href(), 'https://app.example/orders?page=2#row-7');
});

test('an app whose router uses the hash comes back to its place, though the callback is its one address', async (t) => {
  const { client, page, follow } = await open(t, { redirect_uri: '/' }, 'https://app.example/#/orders/7');
  await client.signIn();
  await follow();
  await client.handleRedirect();
  assert.equal(page.href(), 'https://app.example/#/orders/7');
});

test('while a slow router has not shown the place yet, a second call finds no answer, and no code stands in the address', async (t) => {
  const { client, page, follow } = await open(t, { showPlace: () => undefined });
  await client.signIn();
  await follow();
  await client.handleRedirect();
  assert.equal(page.href(), 'https://app.example/callback');
  assert.deepEqual(await client.handleRedirect(), { kind: 'none' });
});

test('a web server that adds a slash to the callback does not hide the answer', async (t) => {
  const { client, page, follow } = await open(t);
  await client.signIn();
  await follow();
  page.show(page.href().replace('/callback?', '/callback/?'));
  assert.equal((await client.handleRedirect()).kind, 'signed_in');
});

test('B16: a page over plain http is told at once that nobody can come back to it', () => {
  const options = { client_id: 'web', issuer: 'https://auth.example.com' };
  const page = makeFakePage('http://192.168.1.5/');
  assert.throws(() => createTesseraClient({ ...options, redirect_uri: '/callback', page }), {
    code: 'insecure_url',
    message: /^redirect_uri must be https/,
  });
});

test('a frame without an origin may have a client, whose redirects are whole URLs', () => {
  const options = { client_id: 'web', issuer: 'https://auth.example.com', page: makeFakePage('about:srcdoc') };
  createTesseraClient({ ...options, redirect_uri: 'https://app.example/callback' }).close();
  assert.throws(
    () => createTesseraClient({ ...options, redirect_uri: '/callback' }),
    /redirect_uri must be a whole URL/,
  );
});

test('on a server, where there is no window, the error says what to use', () => {
  const options = { client_id: 'web', issuer: 'https://auth.example.com', redirect_uri: '/callback' };
  assert.throws(() => createTesseraClient(options), { code: 'unsupported_environment', message: /TokenClient/ });
});

test('where site data is blocked and BroadcastChannel throws, the client runs without it', (t) => {
  t.mock.method(globalThis, 'BroadcastChannel', () => {
    throw new DOMException('The operation is insecure.', 'SecurityError');
  });
  const storage = { ...memoryStorage(), reach: 'browser' as const };
  const options = { client_id: 'web', issuer: 'https://auth.example.com', redirect_uri: '/callback', storage };
  createTesseraClient({ ...options, page: makeFakePage('https://app.example/') }).close();
});
