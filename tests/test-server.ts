import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Seconds } from '@tessera/protocol';
import { type ConfigFile, createServer, parseConfig, type TesseraServer } from '@tessera/server';
import type { Logger } from 'pino';
import type { TimeSource } from '../packages/server/src/clock.ts';
import type { EventType } from '../packages/server/src/events/event-types.ts';
import { systemRandom } from '../packages/server/src/secrets/random.ts';
import { RootKeys } from '../packages/server/src/secrets/root-keys.ts';
import { openSqliteStore } from '../packages/server/src/store/sqlite/open.ts';
import type { EventRecord, Store } from '../packages/server/src/store/store.ts';
import { freePort } from './free-port.ts';
import { TestBrowser } from './test-browser.ts';

/** A whole server in this process, with a store of its own and, unless it listens, the clock in the test's hand. */
export type TestServer = {
  server: TesseraServer;
  issuer: string;
  store: Store;
  /** Moves the clock. */
  advance(seconds: Seconds): void;
  now(): Seconds;
  browser(ip?: string): TestBrowser;
  /** Posts a form to an endpoint and reads the JSON answer. */
  post(
    path: string,
    form: Record<string, string> | [string, string][],
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }>;
  close(): Promise<void>;
};

/** The password of the user every test server has. */
export const password = 'correct horse battery staple';
/** The secret of the confidential clients every test server has. */
export const secret = 'nOt7a-R3al.secret_0123456789abcdefghijkl';

/** The resource server every test server has. */
export const ordersApi = 'https://api.example.com/orders';

/** What every test server declares; `more` replaces whole keys. */
export function testConfig(issuer: string, more: Partial<ConfigFile> = {}): ConfigFile {
  return {
    issuer,
    logLevel: 'silent',
    users: [
      {
        username: 'ada',
        email: 'ada@example.com',
        emailVerified: true,
        password,
        roles: ['editor'],
        claims: { name: 'Ada Lovelace' },
      },
      { username: 'bob', password },
    ],
    clients: [
      {
        client_id: 'spa',
        client_name: 'Demo SPA',
        redirect_uris: ['http://127.0.0.1/callback', 'https://spa.example.com/callback'],
        post_logout_redirect_uris: ['https://spa.example.com/'],
        scope: 'openid profile email orders:read orders:write',
        consent: 'skip',
      },
      {
        client_id: 'web',
        client_name: 'Web App',
        client_secret: secret,
        redirect_uris: ['https://web.example.com/callback'],
        post_logout_redirect_uris: ['https://web.example.com/'],
        scope: 'openid profile email orders:read orders:write',
        offlineAccess: true,
      },
      { client_id: 'machine', client_secret: secret, grant_types: ['client_credentials'], scope: 'orders:read' },
      { client_id: 'orders-api', client_secret: secret, grant_types: ['client_credentials'] },
      {
        client_id: 'operator',
        client_secret: secret,
        grant_types: ['client_credentials'],
        scope:
          'tessera:sessions:read tessera:sessions:write tessera:users:read tessera:users:write tessera:events:read tessera:clients:read tessera:clients:write tessera:keys:read tessera:keys:write',
      },
    ],
    resourceServers: [
      {
        id: 'orders',
        name: 'Orders',
        audiences: [ordersApi],
        scopes: {
          'orders:read': { description: 'See your orders' },
          'orders:write': { description: 'Change your orders' },
        },
        roles: { editor: ['orders:write'] },
        clients: ['orders-api'],
      },
    ],
    ...more,
  } as ConfigFile;
}

/** How a test server is started. `listen`: on a free port, with the real clock, for clients that need a network. */
export type TestServerOptions = {
  config?: Partial<ConfigFile>;
  listen?: boolean;
  store?: Store;
  rootKeys?: RootKeys;
  log?: Logger;
  /** The machine's clocks, instead of a time in the test's hand. */
  time?: TimeSource;
  /** A data folder: the server opens its own store, journal and root keys there, as in earnest. */
  data?: string;
  /** The port to listen on, so that a server that is started again is found where it was. */
  port?: number;
};

/** Starts one. Close it at the end. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const port = options.port ?? (options.listen ? await freePort() : 8080);
  const issuer = `http://localhost:${port}`;
  const config = parseConfig({
    ...testConfig(issuer, options.config),
    listen: { host: '127.0.0.1', port },
    ...(options.data !== undefined && { data: options.data }),
  } as ConfigFile);
  const own = options.data === undefined ? await ownStore(options) : {};
  let offsetMs = 0;
  const startedMs = Date.now();
  const nowMs = options.time
    ? options.time.wallMs
    : options.listen
      ? () => Date.now() + offsetMs
      : () => startedMs + offsetMs;
  const server = await createServer({
    config,
    ...own,
    ...(options.time ? { time: options.time } : { nowMs }),
    random: systemRandom,
    ...(options.log && { log: options.log }),
  });
  if (options.listen) await server.listen();
  return {
    server,
    issuer,
    store: server.context.store,
    advance: (seconds) => {
      offsetMs += seconds * 1000;
    },
    now: () => Math.floor(nowMs() / 1000),
    browser: (ip) => new TestBrowser(issuer, (request) => server.fetch(request, ip)),
    post: async (path, form, headers = {}) => {
      const response = await server.fetch(
        new Request(`${issuer}${path}`, { method: 'POST', body: new URLSearchParams(form), headers }),
      );
      const text = await response.text();
      return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : {}, headers: response.headers };
    },
    close: () => server.close(),
  };
}

async function ownStore({ store, rootKeys }: TestServerOptions): Promise<{ store: Store; rootKeys: RootKeys }> {
  return {
    store: store ?? (await openSqliteStore({ file: ':memory:' })),
    rootKeys: rootKeys ?? new RootKeys([{ id: 'AAAAAA', secret: randomBytes(32), state: 'current' }]),
  };
}

/** The Authorization header of client_secret_basic. */
export function basic(clientId: string, clientSecret: string = secret): Record<string, string> {
  return {
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')}`,
  };
}

/** A PKCE pair. */
export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** Tokens of a fresh sign-in of ada with the public client, by the code flow. */
export async function signInTokens(
  test: TestServer,
  options: {
    browser?: TestBrowser;
    username?: string;
    clientId?: 'spa' | 'web';
    parameters?: Record<string, string>;
    headers?: Record<string, string>;
  } = {},
): Promise<
  { access_token: string; refresh_token: string; id_token: string; scope: string; expires_in: number } & Record<
    string,
    unknown
  >
> {
  const { browser = test.browser(), username = 'ada', clientId = 'spa', parameters = {}, headers = {} } = options;
  const { verifier, challenge } = pkce();
  const redirectUri = clientId === 'spa' ? 'https://spa.example.com/callback' : 'https://web.example.com/callback';
  const callback = await browser.authorize(
    {
      client_id: clientId,
      redirect_uri: redirectUri,
      scope: 'openid orders:read',
      code_challenge: challenge,
      ...parameters,
    },
    { username, password },
  );
  const code = callback.searchParams.get('code');
  if (!code) throw new Error(`no code came back: ${callback.searchParams}`);
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier };
  const answer =
    clientId === 'spa'
      ? await test.post('/token', { ...form, client_id: 'spa' }, headers)
      : await test.post('/token', form, { ...basic(clientId), ...headers });
  if (answer.status !== 200) throw new Error(`the code was refused: ${JSON.stringify(answer.body)}`);
  return answer.body as never;
}

/** An authorization code on its way to the client, with what its redemption needs. */
export type ObtainedCode = { code: string; verifier: string; redirect_uri: string; client_id: string; callback: URL };

/** An authorization code of the public client, or another one; ada signs in unless the browser is signed in already. */
export async function obtainCode(
  test: TestServer,
  options: {
    browser?: TestBrowser;
    username?: string;
    client_id?: string;
    redirect_uri?: string;
    parameters?: Record<string, string>;
  } = {},
): Promise<ObtainedCode> {
  const { browser = test.browser(), username = 'ada', client_id = 'spa', parameters = {} } = options;
  const { redirect_uri = `https://${client_id}.example.com/callback` } = options;
  const { verifier, challenge } = pkce();
  const callback = await browser.authorize(
    { client_id, redirect_uri, scope: 'openid orders:read', code_challenge: challenge, ...parameters },
    { username, password },
  );
  const code = callback.searchParams.get('code');
  if (!code) throw new Error(`no code came back: ${callback}`);
  return { code, verifier, redirect_uri, client_id, callback };
}

/** Redeems a code as the client it was issued to would; `form` and `headers` say what is different. */
export function redeemCode(
  test: TestServer,
  obtained: ObtainedCode,
  form: Record<string, string> = {},
  headers: Record<string, string> = {},
) {
  return test.post(
    '/token',
    {
      grant_type: 'authorization_code',
      code: obtained.code,
      redirect_uri: obtained.redirect_uri,
      code_verifier: obtained.verifier,
      ...(headers.authorization === undefined && { client_id: obtained.client_id }),
      ...form,
    },
    headers,
  );
}

/** The events of these types, oldest first. */
export function eventsOf(test: TestServer, ...types: EventType[]): Promise<EventRecord[]> {
  return test.store.readEvents({ types, limit: 500 });
}

/** The claims of a JWT, nothing verified. */
export function claimsOf(token: unknown): Record<string, unknown> {
  return JSON.parse(Buffer.from(String(token).split('.')[1] as string, 'base64url').toString());
}

/** What introspection says of a token, asked by a client that may know. */
export async function introspect(test: TestServer, token: unknown, clientId = 'orders-api') {
  const { body } = await test.post('/introspect', { token: String(token) }, basic(clientId));
  return body;
}

/** A store whose every call takes `ms` longer, so that requests overlap. */
export function slowed(store: Store, ms: number): Store {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function' || name === 'onEvents' || name === 'close') return value.bind?.(target) ?? value;
      return async (...args: unknown[]) => {
        await sleep(ms);
        return value.apply(target, args);
      };
    },
  });
}

/** Redeems a refresh token of the public client. */
export function refresh(test: TestServer, refreshToken: string, headers: Record<string, string> = {}) {
  return test.post('/token', { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: 'spa' }, headers);
}
