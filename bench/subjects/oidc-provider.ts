import { argon2, createHmac, generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type OidcContext, Provider, type ResourceServerInfo } from 'oidc-provider';
import { declared } from '../declared.ts';
import { openPeerDatabase, type PeerDatabase } from './peer-database.ts';
import { runSubject, type SubjectOptions, type SubjectReady } from './subject-program.ts';

// The peer: oidc-provider with the clients, scopes, algorithms and lifetimes of tessera-bench.yaml, and a durable adapter. Where its defaults would make it do less or more than
// Tessera does for the same request, the setting says so.
const accessTokenLifetime = 7200;
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
const openIdScopes = 'openid profile email';
let database: PeerDatabase | undefined;
runSubject(start, async () => database?.close());

async function start({ port, folder, sessions, store, isGrouped = false }: SubjectOptions): Promise<SubjectReady> {
  await mkdir(folder, { recursive: true });
  const issuer = `http://localhost:${port}`;
  const db = await openPeerDatabase(folder, store, isGrouped);
  database = db;
  const secrets = readSecrets(folder);
  const provider = new Provider(issuer, configuration(db, secrets));
  const prepared = await prepareSessions(provider, db, secrets.cookieKey, sessions);
  await serve(provider, db, port);
  return { issuer, ...prepared };
}

type Secrets = { jwks: { keys: unknown[] }; cookieKey: string };

function readSecrets(folder: string): Secrets {
  const file = join(folder, 'secrets.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Secrets;
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const secrets = {
    jwks: {
      keys: [
        { ...ec, kid: 'ec-1', alg: 'ES256', use: 'sig' },
        { ...rsa, kid: 'rsa-1', alg: 'RS256', use: 'sig' },
      ],
    },
    cookieKey: randomBytes(32).toString('base64url'),
  };
  writeFileSync(file, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
}

const resourceServers: Record<string, ResourceServerInfo> = {
  [declared.orders.audience]: resourceServer(declared.orders, { format: 'jwt', alg: 'ES256' }),
  [declared.ledger.audience]: resourceServer(declared.ledger, { format: 'jwt', alg: 'RS256' }),
  // It introspects no JWTs, so what is introspected is opaque and stored.
  [declared.reports.audience]: resourceServer(declared.reports, { format: 'opaque' }),
};

function resourceServer(
  api: { audience: string; scope: string },
  token: { format: 'jwt'; alg: string } | { format: 'opaque' },
): ResourceServerInfo {
  return {
    scope: api.scope,
    audience: api.audience,
    accessTokenTTL: accessTokenLifetime,
    accessTokenFormat: token.format,
    ...(token.format === 'jwt' && { jwt: { sign: { alg: token.alg } } }),
  };
}

function configuration(db: PeerDatabase, { jwks, cookieKey }: Secrets): Record<string, unknown> {
  return {
    adapter: (model: string) => db.adapter(model),
    jwks,
    clients: [
      {
        client_id: declared.web.clientId,
        client_secret: declared.web.clientSecret,
        redirect_uris: [declared.web.redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        id_token_signed_response_alg: 'ES256',
      },
      {
        client_id: declared.machine.clientId,
        client_secret: declared.machine.clientSecret,
        redirect_uris: [],
        response_types: [],
        grant_types: ['client_credentials'],
      },
      {
        client_id: declared.api.clientId,
        client_secret: declared.api.clientSecret,
        redirect_uris: [],
        response_types: [],
        grant_types: ['client_credentials'],
      },
    ],
    scopes: openIdScopes.split(' '),
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    findAccount: async (_context: unknown, id: string) => {
      const account = await db.accountById(id);
      return account && { accountId: id, claims: () => claimsOf(account.accountId, account.username) };
    },
    cookies: { keys: [cookieKey] },
    ttl: {
      AccessToken: accessTokenLifetime,
      ClientCredentials: accessTokenLifetime,
      IdToken: 900,
      AuthorizationCode: 60,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, audience: string) => resourceServers[audience],
      },
    },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    pkce: { required: () => true },
    // Its default renews a confidential client's refresh token only near the end of its life; Tessera renews it each time.
    rotateRefreshToken: true,
    // Its default asks for `offline_access`.
    issueRefreshToken: async (_context: unknown, client: { grantTypeAllowed(type: string): boolean }) =>
      client.grantTypeAllowed('refresh_token'),
    loadExistingGrant: (context: OidcContext) => grantOf(context),
  };
}

/** An app of the company's own: its users are not asked, and its grant is made at its first use. */
async function grantOf({ oidc }: OidcContext) {
  const { provider, client, session, result } = oidc;
  const grantId = result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  if (known) return known;
  const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  grant.addOIDCScope(openIdScopes);
  for (const { audience, scope } of [declared.orders, declared.reports]) grant.addResourceScope(audience, scope);
  await grant.save();
  return grant;
}

function claimsOf(sub: string, username: string): Record<string, unknown> {
  return {
    sub,
    name: 'Bench Mark',
    preferred_username: username,
    email: `${username}@example.com`,
    email_verified: true,
  };
}

async function prepareSessions(
  provider: Provider,
  db: PeerDatabase,
  cookieKey: string,
  count: number,
): Promise<{ cookies: string[]; usernames: string[] }> {
  const salt = randomBytes(16);
  const passwordHash = {
    salt: salt.toString('base64'),
    tag: (await hashPassword(declared.user.password, salt)).toString('base64'),
  };
  const made = Array.from({ length: count }, async (_, index) => {
    const accountId = randomBytes(16).toString('base64url');
    const username = `bench-${accountId.toLowerCase()}-${index}`;
    const session = new provider.Session();
    session.loginAccount({ accountId, loginTs: Math.floor(Date.now() / 1000), amr: ['pwd'] });
    await Promise.all([db.addAccount({ accountId, username, passwordHash }), session.save(14 * 86_400)]);
    return { username, cookie: signedCookie('_session', session.id, cookieKey) };
  });
  const all = await Promise.all(made);
  return { cookies: all.map((one) => one.cookie), usernames: all.map((one) => one.username) };
}

/** A cookie and its signature as Koa's cookies are signed (package keygrip: HMAC-SHA1, URL-safe). */
function signedCookie(name: string, value: string, key: string): string {
  const signature = createHmac('sha1', key).update(`${name}=${value}`).digest('base64url');
  return `${name}=${value}; ${name}.sig=${signature}`;
}

async function serve(provider: Provider, db: PeerDatabase, port: number): Promise<void> {
  const callback = provider.callback();
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000, noDelay: true },
    (request, response) => {
      if (request.url?.startsWith('/interaction/'))
        signInPage(provider, db, request, response).catch(() => response.destroy());
      else void callback(request, response);
    },
  );
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
}

/** The sign-in page, which oidc-provider leaves to its user: as small as it can be. */
async function signInPage(
  provider: Provider,
  db: PeerDatabase,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid } = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(
      `<!doctype html><title>Sign in</title><h1>Sign in</h1><form method="post" action="/interaction/${uid}"><input name="username"><input name="password" type="password"><button>Sign in</button></form>`,
    );
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
  const account = await db.accountByName(form.get('username') ?? '');
  const tag =
    account && (await hashPassword(form.get('password') ?? '', Buffer.from(account.passwordHash.salt, 'base64')));
  if (!account || !tag || !timingSafeEqual(tag, Buffer.from(account.passwordHash.tag, 'base64'))) {
    response.writeHead(401).end();
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: account.accountId, amr: ['pwd'] } });
}

function hashPassword(password: string, nonce: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    argon2('argon2id', { message: Buffer.from(password, 'utf8'), nonce, ...cost }, (error, tag) =>
      error ? reject(error) : resolve(tag),
    ),
  );
}
