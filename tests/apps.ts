import assert from 'node:assert/strict';
import { TestBrowser } from './test-browser.ts';
import { basic, ordersApi, pkce, secret } from './test-server.ts';

/** The password of ada, and its hash at a cost next to nothing: these tests are not about passwords. */
const password = 'correct horse battery staple';
const passwordHash = '$argon2id$v=19$m=8,t=1,p=1$BQUFBQUFBQUFBQUFBQUFBQ$+QkpxyyJ8JxP6Xl7S16CHzK72HdvtyWyB9Bk4ESY6ZU';
const clientIds = ['spa', 'web'] as const;

/** Where a request goes: the issuer everybody knows, and the address of the process that is asked. `timeoutMs`: when the client gives up. */
export type Reach = { issuer: string; url: string; timeoutMs?: number };

/** An app signed in under a browser's session, with what it holds. */
export type App = {
  clientId: (typeof clientIds)[number] | 'brief';
  browser: TestBrowser;
  idToken: string;
  accessToken: string;
  refreshToken: string;
};

/** What came back. */
export type Answer = { status: number; headers: Headers; body: Record<string, unknown> };

/** The settings of a server with ada, a public and a confidential app, and an API. */
export function appsConfig(issuer: string): Record<string, unknown> {
  return {
    issuer,
    data: 'data',
    logLevel: 'warn',
    // A restart on a busy machine takes its time; the length of the window is proven elsewhere.
    lifetimes: { retryWindow: 120 },
    users: [{ username: 'ada', passwordHash }],
    clients: [
      ...[...clientIds, 'brief' as const].map((client_id) => ({
        client_id,
        ...(client_id !== 'spa' && { client_secret: secret }),
        // Its grants lapse within seconds.
        ...(client_id === 'brief' && { lifetimes: { idle: 2 } }),
        redirect_uris: [`https://${client_id}.example.com/callback`],
        scope: 'openid orders:read',
        defaultResources: [ordersApi],
        consent: 'skip',
      })),
      { client_id: 'machine', client_secret: secret, grant_types: ['client_credentials'], scope: 'orders:read' },
      { client_id: 'orders-api', client_secret: secret, grant_types: ['client_credentials'] },
    ],
    resourceServers: [{ id: 'orders', audiences: [ordersApi], scopes: { 'orders:read': {} }, clients: ['orders-api'] }],
  };
}

/** A browser whose requests to the issuer go to `reach` at the time. */
export function browserAt(reach: () => Reach): TestBrowser {
  const { issuer } = reach();
  return new TestBrowser(issuer, (request) => {
    const { url, timeoutMs } = reach();
    const signal = timeoutMs === undefined ? request.signal : AbortSignal.timeout(timeoutMs);
    return fetch(new Request(request.url.replace(issuer, url), request), { signal });
  });
}

/** An authorization code on its way to that app, through sign-in as it comes. */
export async function authorizeApp(browser: TestBrowser, clientId: App['clientId']) {
  const { verifier, challenge } = pkce();
  const redirect_uri = `https://${clientId}.example.com/callback`;
  const callback = await browser.authorize(
    { client_id: clientId, redirect_uri, scope: 'openid orders:read', code_challenge: challenge },
    { username: 'ada', password },
  );
  const code = callback.searchParams.get('code');
  assert.ok(code, `no code came back: ${callback}`);
  return { grant_type: 'authorization_code', code, redirect_uri, code_verifier: verifier };
}

/** One browser, one session, and both apps signed in under it. */
export async function signInApps(reach: () => Reach, which: readonly App['clientId'][] = clientIds): Promise<App[]> {
  const browser = browserAt(reach);
  const apps: App[] = [];
  for (const clientId of which) {
    const { status, body } = await postAs(reach(), '/token', clientId, await authorizeApp(browser, clientId));
    assert.equal(status, 200, JSON.stringify(body));
    const { id_token, access_token, refresh_token } = body as Record<string, string>;
    apps.push({
      clientId,
      browser,
      idToken: id_token as string,
      accessToken: access_token as string,
      refreshToken: refresh_token as string,
    });
  }
  return apps;
}

/** Presents a refresh token. */
export function present(reach: Reach, { clientId }: Pick<App, 'clientId'>, token: string): Promise<Answer> {
  return postAs(reach, '/token', clientId, { grant_type: 'refresh_token', refresh_token: token });
}

/** Revokes a refresh token, and with it the grant. */
export function revoke(reach: Reach, { clientId }: Pick<App, 'clientId'>, token: string): Promise<Answer> {
  return postAs(reach, '/revoke', clientId, { token });
}

/** Signs the browser out; true when the server said that it is done. */
export async function signOut({ issuer }: Pick<Reach, 'issuer'>, { browser, idToken }: App): Promise<boolean> {
  const query = new URLSearchParams({ id_token_hint: idToken });
  const response = await browser.request(`${issuer}/end-session?${query}`);
  return response.status === 303 && (response.headers.get('location') ?? '').includes('/signed-out');
}

/** What introspection says of a token, asked by a client that may know. */
export function introspectAs(reach: Reach, clientId: 'web' | 'orders-api', token: string): Promise<Answer> {
  return postAs(reach, '/introspect', clientId, { token });
}

/** Posts a form as that client and reads the answer. */
export async function postAs(
  { url, timeoutMs }: Pick<Reach, 'url' | 'timeoutMs'>,
  path: string,
  clientId: string,
  form: Record<string, string>,
): Promise<Answer> {
  const isPublic = clientId === 'spa';
  const response = await fetch(url + path, {
    method: 'POST',
    headers: isPublic ? {} : basic(clientId),
    body: new URLSearchParams({ ...form, ...(isPublic && { client_id: clientId }) }),
    ...(timeoutMs !== undefined && { signal: AbortSignal.timeout(timeoutMs) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
}
