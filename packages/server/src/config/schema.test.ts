import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { adminResourceServer } from '../admin-resource-server.ts';
import { formatProblems } from './problem.ts';
import { ConfigError, type ConfigFile, checkConfig, parseConfig } from './schema.ts';

const issuer = 'https://auth.example.com';
const secret = '8kR2b7Zp1QwX5vNc3LfT9yH6';
const longSecret = 'q3V8nT0yXk2LrB7mWc5ZpHs9DgJ4fAeU6iOoYx1KtRb=';

function problemsOf(file: unknown): string[] {
  return formatProblems(checkConfig(file).problems);
}

function ecKey() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

describe('defaults', () => {
  test('the issuer alone is a whole configuration', () => {
    assert.deepEqual(parseConfig({ issuer }), {
      issuer,
      listen: { host: '127.0.0.1', port: 8080 },
      data: 'tessera-data',
      brand: { name: 'Tessera' },
      trustedProxies: [],
      lifetimes: {
        accessToken: 900,
        idToken: 900,
        authorizationCode: 60,
        idle: 604_800,
        absolute: 7_776_000,
        session: 7_776_000,
        sso: 43_200,
        ssoRemembered: 2_592_000,
        retryWindow: 30,
      },
      throttle: {
        account: { failures: 10, window: 900 },
        source: { failures: 60, window: 900 },
        client: { failures: 30, window: 300 },
      },
      keys: { rotateEvery: 7_776_000, announceFor: 86_400 },
      unknownScopes: 'drop',
      workers: 1,
      eventRetention: 7_776_000,
      reuseEnds: 'grant',
      logLevel: 'info',
      users: [],
      clients: [],
      resourceServers: [],
    });
  });

  const ports: [issuer: string, port: number][] = [
    ['http://localhost:3000', 3000],
    ['http://127.0.0.1:9000/auth', 9000],
    ['http://[::1]', 80],
    ['https://localhost:3000', 8080],
    ['https://auth.example.com', 8080],
  ];
  for (const [url, port] of ports)
    test(`the port for ${url} is ${port}`, () => assert.equal(parseConfig({ issuer: url }).listen.port, port));

  const whole = {
    client_id: 'app',
    client_name: 'app',
    post_logout_redirect_uris: [],
    id_token_signed_response_alg: 'RS256',
    defaultResources: [],
    resources: 'any',
    strategy: 'sliding-revocable',
    lifetimes: {},
    rotation: true,
    pkce: 'required',
    dpop: 'optional',
    consent: 'ask',
    offlineAccess: false,
    disabled: false,
  } as const;
  const redirect_uris = ['https://app.example.com/callback'];
  const jwks = { keys: [ecKey().publicKey.export({ format: 'jwk' })] };
  const clients: [name: string, given: object, filled: object][] = [
    [
      'with redirect URIs is public and signs users in',
      { redirect_uris },
      {
        redirect_uris,
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        scope: 'openid profile email',
      },
    ],
    [
      'with a secret and redirect URIs authenticates by it',
      { redirect_uris, client_secret: secret },
      {
        redirect_uris,
        client_secret: secret,
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['authorization_code', 'refresh_token'],
        scope: 'openid profile email',
      },
    ],
    [
      'with a secret alone acts for itself and has no scopes',
      { client_secret: secret },
      {
        redirect_uris: [],
        client_secret: secret,
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['client_credentials'],
        scope: '',
      },
    ],
    [
      'with keys authenticates by them',
      { jwks },
      {
        redirect_uris: [],
        jwks,
        token_endpoint_auth_method: 'private_key_jwt',
        grant_types: ['client_credentials'],
        scope: '',
      },
    ],
    [
      'that is stateless gets no refresh tokens',
      { redirect_uris, strategy: 'stateless' },
      {
        redirect_uris,
        strategy: 'stateless',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        scope: 'openid profile email',
      },
    ],
    [
      'with offlineAccess may be granted offline_access',
      { redirect_uris, offlineAccess: true, scope: 'openid' },
      {
        redirect_uris,
        offlineAccess: true,
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        scope: 'openid offline_access',
      },
    ],
  ];
  for (const [name, given, filled] of clients)
    test(`a client ${name}`, () => {
      const config = parseConfig({ issuer, clients: [{ client_id: 'app', ...given }] });
      assert.deepEqual(config.clients, [{ ...whole, ...filled }]);
    });

  const lifetimes: [given: NonNullable<ConfigFile['lifetimes']>, filled: object][] = [
    [{ absolute: 180 }, { idle: 180, absolute: 180 }],
    [{ session: 3600 }, { sso: 3600, ssoRemembered: 3600 }],
    [{ sso: 5_184_000 }, { sso: 5_184_000, ssoRemembered: 5_184_000 }],
    [{ ssoRemembered: 60 }, { sso: 60, ssoRemembered: 60 }],
    [
      { accessToken: 1, idle: 60, retryWindow: 0 },
      { accessToken: 1, idle: 60, retryWindow: 0 },
    ],
  ];
  for (const [given, filled] of lifetimes)
    test(`a default lifetime gives way to ${JSON.stringify(given)} (A16)`, () => {
      const found = parseConfig({ issuer, lifetimes: given }).lifetimes;
      assert.deepEqual({ ...found, ...filled }, found);
    });

  test('a declared user remembers which keys the file names', () => {
    const [user] = parseConfig({ issuer, users: [{ username: 'ada', roles: ['clerk'] }] }).users;
    assert.deepEqual(user, {
      username: 'ada',
      emailVerified: false,
      claims: {},
      roles: ['clerk'],
      disabled: false,
      named: ['username', 'roles'],
    });
  });

  test('apps may name the audiences of the server itself', () => {
    const config = parseConfig({
      issuer,
      clients: [
        {
          client_id: 'app',
          redirect_uris: ['https://a.example/cb'],
          defaultResources: [issuer, ...adminResourceServer(issuer).audiences],
        },
      ],
      resourceServers: [{ id: 'orders', audiences: ['urn:example:orders'] }],
    });
    assert.deepEqual(config.resourceServers, [
      {
        id: 'orders',
        name: 'orders',
        audiences: ['urn:example:orders'],
        scopes: {},
        roles: {},
        tokenFormat: 'jwt',
        algorithm: 'ES256',
        clients: [],
      },
    ]);
  });
});

describe('settings of the server that are refused, each with its line', () => {
  const cases: [given: Record<string, unknown>, line: string][] = [
    [
      { issuer: undefined },
      'issuer: is missing; expected the URL of this server, such as "https://auth.example.com"; set it here, by --issuer or by TESSERA_ISSUER',
    ],
    [
      { issuer: 'auth.example.com' },
      'issuer: "auth.example.com" is not a URL; expected one such as "https://auth.example.com"',
    ],
    [{ issuer: 'http://auth.example.com' }, 'issuer: "http://auth.example.com" is http and not on loopback; use https'],
    [{ issuer: 'ftp://auth.example.com' }, 'issuer: "ftp://auth.example.com" has the scheme "ftp"; use https'],
    [{ issuer: 'https://a.example/?x=1' }, 'issuer: "https://a.example/?x=1" has a query; an issuer has none'],
    [{ issuer: 'https://a.example/#' }, 'issuer: "https://a.example/#" has a fragment; an issuer has none'],
    [{ issuer: 'https://a.example/' }, 'issuer: "https://a.example/" ends with a slash; write "https://a.example"'],
    [
      { issuer: 'https://A.example:443/x/../y' },
      'issuer: "https://A.example:443/x/../y" is not in its usual spelling; write "https://a.example/y"',
    ],
    [
      { issuer: 'https://root:hunter2@a.example' },
      'issuer: "https://…@a.example" has a user name or password; leave it out',
    ],
    [
      { issuer: ' https://a.example' },
      'issuer: " https://a.example" is not a URL; expected one such as "https://auth.example.com"',
    ],
    [
      { issuer: 7 },
      'issuer: expected the URL of this server, such as "https://auth.example.com"; set it here, by --issuer or by TESSERA_ISSUER, got 7',
    ],
    [{ isuer: 'x' }, 'isuer: unknown key; did you mean "issuer"?'],
    [{ trusted_proxies: [] }, 'trusted_proxies: unknown key; did you mean "trustedProxies"?'],
    [{ client: [] }, 'client: unknown key; did you mean "clients"?'],
    [{ listen: { prot: 1 } }, 'listen.prot: unknown key; did you mean "port"?'],
    [{ listen: { tls: true } }, 'listen.tls: unknown key; known here: host, port'],
    [{ listen: null }, 'listen: expected a section (key: value), got null'],
    [{ listen: { port: 65_536 } }, 'listen.port: expected a whole number from 0 to 65535, got 65536'],
    [{ listen: { port: -1 } }, 'listen.port: expected a whole number from 0 to 65535, got -1'],
    [{ listen: { port: '80' } }, 'listen.port: expected a whole number from 0 to 65535, got "80"'],
    [
      { listen: { host: 'http://x' } },
      'listen.host: "http://x" is not an address or host name; expected one such as "127.0.0.1" or "0.0.0.0"',
    ],
    [{ data: '' }, 'data: is empty; expected a folder'],
    [{ brand: { name: ' ' } }, 'brand.name: is empty; expected text'],
    [{ brand: { name: 'x'.repeat(61) } }, 'brand.name: has 61 characters; at most 60 are allowed'],
    [{ brand: { accent: 'red' } }, 'brand.accent: "red" is not a colour; expected one such as "#a63d2f"'],
    [{ brand: { accentDark: '#12345' } }, 'brand.accentDark: "#12345" is not a colour; expected one such as "#a63d2f"'],
    [
      { brand: { logo: 'https://cdn.example/logo.svg' } },
      'brand.logo: "https://cdn.example/logo.svg" is neither a path on this server, such as "/assets/logo.svg", nor a data:image/ URL; pages fetch nothing from elsewhere',
    ],
    [
      { brand: { logo: '//cdn.example/logo.svg' } },
      'brand.logo: "//cdn.example/logo.svg" is neither a path on this server, such as "/assets/logo.svg", nor a data:image/ URL; pages fetch nothing from elsewhere',
    ],
    [
      { brand: { logo: 'data:text/html,<script>' } },
      'brand.logo: is a data: URL but not of an image; expected data:image/…, without spaces, quotes and angle brackets',
    ],
    [{ trustedProxies: '10.0.0.1' }, 'trustedProxies: expected a list, got text of 8 characters'],
    [
      { trustedProxies: ['proxy.local'] },
      'trustedProxies[0]: "proxy.local" is not an IP address or CIDR range; expected one such as "10.0.0.0/8"',
    ],
    [{ trustedProxies: ['10.0.0.0/33'] }, 'trustedProxies[0]: "10.0.0.0/33" has the prefix "33"; expected 1 to 32'],
    [{ trustedProxies: ['fd00::/129'] }, 'trustedProxies[0]: "fd00::/129" has the prefix "129"; expected 1 to 128'],
    [
      { trustedProxies: ['0.0.0.0/0'] },
      'trustedProxies[0]: "0.0.0.0/0" would believe everybody; name the proxies\' own addresses',
    ],
    [{ trustedProxies: ['::1', '::1'] }, 'trustedProxies[1]: "::1" stands twice; name it once'],
    [
      { lifetimes: { accessToken: 0 } },
      'lifetimes.accessToken: expected a whole number of seconds from 1 to 86400, got 0',
    ],
    [
      { lifetimes: { accessToken: 1.5 } },
      'lifetimes.accessToken: expected a whole number of seconds from 1 to 86400, got 1.5',
    ],
    [
      { lifetimes: { accessToken: '15m' } },
      'lifetimes.accessToken: expected a whole number of seconds from 1 to 86400, got "15m"; write 900',
    ],
    [
      { lifetimes: { accessToken: 900_000 } },
      'lifetimes.accessToken: expected a whole number of seconds from 1 to 86400, got 900000; durations are in seconds: write 900 if these are milliseconds',
    ],
    [
      { lifetimes: { authorizationCode: 601 } },
      'lifetimes.authorizationCode: expected a whole number of seconds from 1 to 600, got 601',
    ],
    [
      { lifetimes: { idle: Number.POSITIVE_INFINITY } },
      'lifetimes.idle: expected a whole number of seconds from 1 to 315360000, got Infinity',
    ],
    [{ lifetimes: { idle: null } }, 'lifetimes.idle: expected a whole number of seconds from 1 to 315360000, got null'],
    [
      { lifetimes: { retryWindow: 301 } },
      'lifetimes.retryWindow: expected a whole number of seconds from 0 to 300, got 301',
    ],
    [
      { lifetimes: { idle: 181, absolute: 180 } },
      'lifetimes.idle: 181 is longer than absolute (180), which ends the grant first; at most 180 makes sense',
    ],
    [
      { lifetimes: { sso: 61, session: 60 } },
      'lifetimes.sso: 61 is longer than session (60), which ends the session first; at most 60 makes sense',
    ],
    [
      { lifetimes: { ssoRemembered: 61, session: 60 } },
      'lifetimes.ssoRemembered: 61 is longer than session (60), which ends the session first; at most 60 makes sense',
    ],
    [
      { lifetimes: { sso: 20, ssoRemembered: 10 } },
      'lifetimes.ssoRemembered: 10 is shorter than sso (20); "keep me signed in" must not sign out earlier',
    ],
    [
      { throttle: { account: { failures: 0 } } },
      'throttle.account.failures: expected a whole number from 1 to 10000, got 0',
    ],
    [{ throttle: { acount: {} } }, 'throttle.acount: unknown key; did you mean "account"?'],
    [
      { keys: { rotateEvery: 60, announceFor: 60 } },
      'keys.announceFor: 60 is not shorter than rotateEvery (60); announce for less than a key signs',
    ],
    [{ unknownScopes: 'ignore' }, 'unknownScopes: expected "drop" or "refuse", got "ignore"'],
    [{ reuseEnds: 'Session' }, 'reuseEnds: expected "grant" or "session", got "Session"; did you mean "session"?'],
    [{ eventRetention: 60 }, 'eventRetention: expected a whole number of seconds from 172800 to 315360000, got 60'],
    [{ logLevel: 'warning' }, 'logLevel: expected "silent" or "error" or "warn" or "info" or "debug", got "warning"'],
    [{ users: {} }, 'users: expected a list, got a section'],
    [{ clients: ['web'] }, 'clients[0]: expected a section (key: value), got text of 3 characters'],
  ];
  for (const [given, line] of cases) test(line, () => assert.deepEqual(problemsOf({ issuer, ...given }), [line]));
});

describe('clients that are refused, each with its line', () => {
  const redirect_uris = ['https://app.example.com/callback'];
  const privateJwk = ecKey().privateKey.export({ format: 'jwk' });
  const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
  const confidential = { redirect_uris, client_secret: secret };
  const cases: [given: Record<string, unknown>, line: string][] = [
    [{ redirect_uris, client_id: undefined }, 'clients[0].client_id: is missing; expected a client_id'],
    [
      { redirect_uris, client_id: 'my app' },
      'clients[0].client_id: "my app" is not a client_id; expected 1 to 255 printable ASCII characters without spaces',
    ],
    [{ redirectUris: [], redirect_uris }, 'clients[0].redirectUris: unknown key; did you mean "redirect_uris"?'],
    [
      { client_secret: 'short' },
      'clients[0].client_secret: is text of 5 characters, at least 22 of this kind are needed for 128 bits; make one with: openssl rand -base64 32',
    ],
    [
      { client_secret: '0123456789abcdef0123456' },
      'clients[0].client_secret: is text of 23 characters, at least 32 of this kind are needed for 128 bits; make one with: openssl rand -base64 32',
    ],
    [
      { client_secret: 'abcdefgh'.repeat(4) },
      'clients[0].client_secret: repeats itself, expected a random value of at least 128 bits; make one with: openssl rand -base64 32',
    ],
    [
      { client_secret: 'x'.repeat(64) },
      'clients[0].client_secret: repeats itself, expected a random value of at least 128 bits; make one with: openssl rand -base64 32',
    ],
    [
      { client_secret: 'abcdefghijklmnopqrstuvwxyz' },
      'clients[0].client_secret: repeats itself, expected a random value of at least 128 bits; make one with: openssl rand -base64 32',
    ],
    [
      { client_secret: `${secret}é` },
      'clients[0].client_secret: has characters beyond printable ASCII; make one with: openssl rand -base64 32',
    ],
    [
      { client_secret: 12_345 },
      'clients[0].client_secret: expected text, { env: NAME } or { file: PATH }, got a number; put it in quotes',
    ],
    [
      { client_secret: { evn: 'X' } },
      'clients[0].client_secret: expected text, { env: NAME } or { file: PATH }, got a section',
    ],
    [{ client_secret: { env: 'X' } }, 'clients[0].client_secret: names a secret that was not read'],
    [
      { redirect_uris, token_endpoint_auth_method: 'client_secret_post' },
      'clients[0].client_secret: is missing; client_secret_post needs one, make it with: openssl rand -base64 32',
    ],
    [
      { ...confidential, token_endpoint_auth_method: 'none' },
      'clients[0].client_secret: stands in a public client (token_endpoint_auth_method "none"), which can keep no secret; leave one of the two out',
    ],
    [
      { ...confidential, token_endpoint_auth_method: 'basic' },
      'clients[0].token_endpoint_auth_method: expected "none" or "client_secret_basic" or "client_secret_post" or "private_key_jwt", got "basic"',
    ],
    [
      { token_endpoint_auth_method: 'private_key_jwt' },
      "clients[0].jwks: is missing; private_key_jwt needs the app's public keys",
    ],
    [
      { client_secret: secret, jwks: { keys: [ecKey().publicKey.export({ format: 'jwk' })] } },
      'clients[0].jwks: is used by private_key_jwt alone, not by client_secret_basic',
    ],
    [{ jwks: { keys: [] } }, 'clients[0].jwks.keys: is empty; expected at least one public key'],
    [
      { jwks: { keys: [privateJwk] } },
      'clients[0].jwks.keys[0]: holds the private member "d"; give the public key alone, and replace this one',
    ],
    [
      { jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } },
      'clients[0].jwks.keys[0]: is a symmetric key; private_key_jwt needs a public key',
    ],
    [{ jwks: { keys: [shortRsa] } }, 'clients[0].jwks.keys[0]: is an RSA key of 1024 bits; at least 2048 are needed'],
    [
      { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }] } },
      'clients[0].jwks.keys[0]: is not a valid EC key; expected a public key as a JWK',
    ],
    [
      { jwks: { keys: [{ kty: 'OKP', crv: 'X25519', x: 'AAAA' }] } },
      'clients[0].jwks.keys[0]: is a key of kind "OKP X25519"; expected RSA, EC (P-256, P-384, P-521) or OKP (Ed25519)',
    ],
    [
      { redirect_uris: ['http://example.com/cb'] },
      'clients[0].redirect_uris[0]: "http://example.com/cb" is http and not on loopback; use https',
    ],
    [
      { redirect_uris: ['http://localhost.example.com/cb'] },
      'clients[0].redirect_uris[0]: "http://localhost.example.com/cb" is http and not on loopback; use https',
    ],
    [
      { redirect_uris: ['/callback'] },
      'clients[0].redirect_uris[0]: "/callback" is not an absolute URI; expected one such as "https://app.example.com/callback"',
    ],
    [
      { redirect_uris: ['https://a.example/cb#'] },
      'clients[0].redirect_uris[0]: "https://a.example/cb#" has a fragment; redirect URIs have none',
    ],
    [
      { redirect_uris: ['https://*.example.com/cb'] },
      'clients[0].redirect_uris[0]: "https://*.example.com/cb" has a wildcard; register each URI in full',
    ],
    [
      { redirect_uris: ['javascript:alert(1)'] },
      'clients[0].redirect_uris[0]: "javascript:alert(1)" has the scheme "javascript"; use https, or for a native app a scheme of its own with a dot, such as "com.example.app:/callback"',
    ],
    [
      { redirect_uris: ['data:text/html,x'] },
      'clients[0].redirect_uris[0]: "data:text/html,x" has the scheme "data"; use https, or for a native app a scheme of its own with a dot, such as "com.example.app:/callback"',
    ],
    [
      { redirect_uris: ['myapp:/cb'] },
      'clients[0].redirect_uris[0]: "myapp:/cb" has the scheme "myapp"; use https, or for a native app a scheme of its own with a dot, such as "com.example.app:/callback"',
    ],
    [
      { redirect_uris: ['https://a.example\\evil/cb'] },
      'clients[0].redirect_uris[0]: "https://a.example\\\\evil/cb" has a space or a backslash; percent-encode it',
    ],
    [
      { redirect_uris: ['java\tscript:alert(1)'] },
      'clients[0].redirect_uris[0]: "java\\tscript:alert(1)" is not an absolute URI; expected one such as "https://app.example.com/callback"',
    ],
    [
      { redirect_uris: ['https://u:p@a.example/cb'] },
      'clients[0].redirect_uris[0]: "https://…@a.example/cb" has a user name or password; leave it out',
    ],
    [
      { ...confidential, redirect_uris: ['com.example.app:/cb'] },
      'clients[0].redirect_uris[0]: "com.example.app:/cb" has a private-use scheme, which only a public client (a native app) may use; use https',
    ],
    [
      { redirect_uris, post_logout_redirect_uris: ['http://a.example/'] },
      'clients[0].post_logout_redirect_uris[0]: "http://a.example/" is http and not on loopback; use https',
    ],
    [
      { redirect_uris: [] },
      'clients[0].redirect_uris: is empty; authorization_code needs at least one, such as "https://app.example.com/callback"',
    ],
    [
      { ...confidential, grant_types: ['client_credentials'] },
      'clients[0].redirect_uris: is used by authorization_code alone, which grant_types lacks; add it or leave redirect_uris out',
    ],
    [
      { redirect_uris, grant_types: ['authorization_code', 'client_credentials'] },
      'clients[0].grant_types: has "client_credentials", which a public client cannot use; give it a client_secret or jwks',
    ],
    [
      { client_secret: secret, grant_types: ['refresh_token'] },
      'clients[0].grant_types: has "refresh_token" without "authorization_code", which alone issues refresh tokens; add it or leave both out',
    ],
    [
      { redirect_uris, grant_types: ['authorization_code', 'implicit'] },
      'clients[0].grant_types[1]: expected "authorization_code" or "refresh_token" or "client_credentials", got "implicit"',
    ],
    [
      { redirect_uris, scope: 'openid "x"' },
      'clients[0].scope: "openid \\"x\\"" has a character that scopes cannot have; expected scopes with single spaces between',
    ],
    [
      { redirect_uris, scope: 'openid offline_access' },
      'clients[0].scope: has "offline_access", which offlineAccess does not allow; set offlineAccess: true or leave it out',
    ],
    [
      { redirect_uris, rotation: false },
      'clients[0].rotation: false is refused for a public client: a stolen refresh token would stay good as long as its session; leave it true',
    ],
    [
      { redirect_uris, pkce: 'optional' },
      'clients[0].pkce: "optional" is refused for a public client: a stolen code would be enough; leave it "required"',
    ],
    [
      { redirect_uris, strategy: 'stateless', grant_types: ['authorization_code', 'refresh_token'] },
      'clients[0].grant_types: has "refresh_token", which strategy "stateless" excludes; leave it out or choose another strategy',
    ],
    [
      { redirect_uris, strategy: 'stateless', offlineAccess: true },
      'clients[0].offlineAccess: true is excluded by strategy "stateless"; leave it out or choose another strategy',
    ],
    [
      { client_secret: secret, offlineAccess: true },
      'clients[0].offlineAccess: true needs "refresh_token" in grant_types; add it or leave offlineAccess out',
    ],
    [
      { redirect_uris, lifetimes: { idle: null } },
      'clients[0].lifetimes.idle: null does not slide, and strategy "sliding-revocable" does; choose "server-backed" or a number',
    ],
    [
      { redirect_uris, strategy: 'server-backed', lifetimes: { idle: 60 } },
      'clients[0].lifetimes.idle: 60 has no effect: strategy "server-backed" does not slide; use absolute, or a strategy that slides',
    ],
    [
      { redirect_uris, lifetimes: { idle: 181, absolute: 180 } },
      'clients[0].lifetimes.idle: 181 is longer than absolute (180), which ends the grant first; at most 180 makes sense',
    ],
    [
      { redirect_uris, lifetimes: { accessToken: 86_401 } },
      'clients[0].lifetimes.accessToken: expected a whole number of seconds from 1 to 86400, got 86401',
    ],
    [
      { redirect_uris, lifetimes: { refreshToken: 1 } },
      'clients[0].lifetimes.refreshToken: unknown key; known here: accessToken, idle, absolute, retryWindow',
    ],
    [
      { redirect_uris, logo_uri: 'http://a.example/logo.png' },
      'clients[0].logo_uri: "http://a.example/logo.png" is http and not on loopback; use https',
    ],
    [
      { redirect_uris, policy_uri: 'javascript:x' },
      'clients[0].policy_uri: "javascript:x" has the scheme "javascript"; use https',
    ],
    [
      { redirect_uris, resources: [issuer], defaultResources: ['https://api.example.com'] },
      'clients[0].defaultResources[0]: "https://api.example.com" is not among resources; add it there',
    ],
    [
      { redirect_uris, resources: ['https://api.example.com/ordres'] },
      'clients[0].resources[0]: "https://api.example.com/ordres" is an audience of no resource server in this file; did you mean "https://api.example.com/orders"?',
    ],
    [{ redirect_uris, resources: 'all' }, 'clients[0].resources: expected "any" or a list of audiences, got "all"'],
    [{ redirect_uris, offlineAccess: 'yes' }, 'clients[0].offlineAccess: expected true or false, got "yes"'],
  ];
  for (const [given, line] of cases)
    test(line, () => {
      const found = problemsOf({
        issuer,
        clients: [{ client_id: 'app', ...given }],
        resourceServers: [{ id: 'orders', audiences: ['https://api.example.com/orders', 'https://api.example.com'] }],
      });
      assert.deepEqual(found, [line]);
    });

  test('a confidential client may do without rotation and with optional PKCE', () => {
    const given = { client_id: 'app', ...confidential, rotation: false, pkce: 'optional' as const };
    assert.deepEqual(problemsOf({ issuer, clients: [given] }), []);
  });

  const redirects = [
    'https://app.example.com/callback?x=1',
    'http://localhost:5173/callback',
    'http://127.0.0.1/cb',
    'http://[::1]:8000/cb',
    'com.example.app:/oauth2redirect',
  ];
  for (const uri of redirects)
    test(`a public client may register ${uri}`, () =>
      assert.deepEqual(problemsOf({ issuer, clients: [{ client_id: 'app', redirect_uris: [uri] }] }), []));
});

describe('users that are refused, each with its line', () => {
  const hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g';
  const cases: [given: Record<string, unknown>, line: string][] = [
    [{ username: undefined }, 'users[0].username: is missing; expected a user name'],
    [{ username: ' ada' }, 'users[0].username: begins or ends with a blank; leave it out'],
    [{ username: 'a\u0000b' }, 'users[0].username: has a control character; expected plain text'],
    [{ username: 'a\ud800b' }, 'users[0].username: has a control character; expected plain text'],
    [{ username: 'ada\u200b' }, 'users[0].username: has an invisible character; leave it out'],
    [{ username: 'a\u202eb' }, 'users[0].username: has an invisible character; leave it out'],
    [{ email: 'ada' }, 'users[0].email: is not an e-mail address; expected one such as "ada@example.com"'],
    [{ password: 'hunter2' }, 'users[0].password: is text of 7 characters; at least 8 are needed'],
    [
      { password: 12_345_678 },
      'users[0].password: expected text, { env: NAME } or { file: PATH }, got a number; put it in quotes',
    ],
    [{ password: { file: 'x' } }, 'users[0].password: names a secret that was not read'],
    [
      { passwordHash: '$2b$10$abcdefghijklmnopqrstuv' },
      'users[0].passwordHash: is text of 29 characters but not an argon2id hash; expected $argon2id$v=19$m=…,t=…,p=…$salt$hash',
    ],
    [
      { password: 'long enough', passwordHash: hash },
      'users[0].passwordHash: stands beside password; keep one of the two',
    ],
    [{ claims: { sub: 'x' } }, 'users[0].claims.sub: is set by the server; choose another name'],
    [
      { claims: { email: 'x' } },
      'users[0].claims.email: is set by the server; use the keys email and emailVerified; choose another name',
    ],
    [
      { roles: ['two words'] },
      'users[0].roles[0]: "two words" is not allowed; expected printable ASCII without spaces, quotes and backslashes',
    ],
    [{ roles: ['a', 'a'] }, 'users[0].roles[1]: "a" stands twice; name it once'],
    [{ pasword: 'hunter2hunter2' }, 'users[0].pasword: unknown key; did you mean "password"?'],
  ];
  for (const [given, line] of cases)
    test(line, () => assert.deepEqual(problemsOf({ issuer, users: [{ username: 'ada', ...given }] }), [line]));
});

describe('resource servers that are refused, each with its line', () => {
  const cases: [given: Record<string, unknown>, line: string][] = [
    [{ id: 'a/b' }, 'resourceServers[0].id: "a/b" is not an id; expected 1 to 128 letters, digits and . _ ~ -'],
    [
      { audiences: [] },
      'resourceServers[0].audiences: is empty; expected at least one audience, such as "https://api.example.com"',
    ],
    [{ audiences: undefined }, 'resourceServers[0].audiences: is missing; expected a list'],
    [
      { audiences: ['orders'] },
      'resourceServers[0].audiences[0]: "orders" is not an absolute URI; expected one such as "https://api.example.com"',
    ],
    [
      { audiences: ['https://api.example.com#x'] },
      'resourceServers[0].audiences[0]: "https://api.example.com#x" has a fragment; an audience has none (RFC 8707)',
    ],
    [
      { audiences: [issuer] },
      `resourceServers[0].audiences[0]: "${issuer}" is an audience of this server itself; choose another`,
    ],
    [
      { audiences: adminResourceServer(issuer).audiences },
      `resourceServers[0].audiences[0]: "${adminResourceServer(issuer).audiences[0]}" is an audience of this server itself; choose another`,
    ],
    [{ id: 'tessera-admin' }, 'resourceServers[0].id: "tessera-admin" is this server\'s own; choose another'],
    [
      { scopes: { 'orders read': {} } },
      'resourceServers[0].scopes["orders read"]: "orders read" is not allowed; expected printable ASCII without spaces, quotes and backslashes',
    ],
    [
      { scopes: { openid: {} } },
      'resourceServers[0].scopes.openid: is a scope of OpenID Connect and belongs to no resource server; choose another name',
    ],
    [
      { scopes: { 'orders:read': { descripton: 'x' } } },
      'resourceServers[0].scopes["orders:read"].descripton: unknown key; did you mean "description"?',
    ],
    [
      { scopes: { 'orders:read': 'See your orders' } },
      'resourceServers[0].scopes["orders:read"]: expected a section (key: value), got text of 15 characters',
    ],
    [
      { roles: { clerk: ['a b'] } },
      'resourceServers[0].roles.clerk[0]: "a b" is not allowed; expected printable ASCII without spaces, quotes and backslashes',
    ],
    [
      { accessTokenLifetime: 86_401 },
      'resourceServers[0].accessTokenLifetime: expected a whole number of seconds from 1 to 86400, got 86401',
    ],
    [
      { algorithm: 'none' },
      'resourceServers[0].algorithm: expected "ES256" or "RS256" or "EdDSA" or "HS256", got "none"',
    ],
    [
      { algorithm: 'HS256' },
      'resourceServers[0].secret: is missing; HS256 needs a secret of 256 bits, make one with: openssl rand -base64 32',
    ],
    [{ secret: longSecret }, 'resourceServers[0].secret: is used by HS256 alone; leave it out with ES256'],
    [
      { algorithm: 'HS256', secret },
      'resourceServers[0].secret: is text of 24 characters, at least 43 of this kind are needed for 256 bits; make one with: openssl rand -base64 32',
    ],
    [
      { algorithm: 'HS256', secret: longSecret, tokenFormat: 'opaque' },
      'resourceServers[0].algorithm: "HS256" signs JWTs, and tokenFormat is "opaque"; leave one of the two out',
    ],
    [{ clients: ['aip'] }, 'resourceServers[0].clients[0]: "aip" is no client in this file; did you mean "api"?'],
    [
      { clients: ['spa'] },
      'resourceServers[0].clients[0]: "spa" is a public client, which cannot prove who it is; give it a client_secret or jwks',
    ],
  ];
  for (const [given, line] of cases)
    test(line, () => {
      const found = problemsOf({
        issuer,
        clients: [
          { client_id: 'api', client_secret: secret },
          { client_id: 'spa', redirect_uris: ['https://a.example/cb'] },
        ],
        resourceServers: [{ id: 'orders', audiences: ['https://api.example.com'], ...given }],
      });
      assert.deepEqual(found, [line]);
    });
});

describe('names that stand twice', () => {
  const app = { client_id: 'app', redirect_uris: ['https://a.example/cb'] };
  const cases: [name: string, file: Record<string, unknown>, lines: string[]][] = [
    [
      'client ids',
      { clients: [app, app] },
      ['clients[1].client_id: "app" is already the client_id at clients[0].client_id; each needs its own'],
    ],
    [
      'user names, compared after NFKC and lower case',
      { users: [{ username: 'Ada' }, { username: '\uFF21da' }] },
      [
        'users[1].username: is the same as users[0].username (compared after NFKC and lower case); sign-in names must differ',
      ],
    ],
    [
      "a user's name and another's address, told without naming them",
      { users: [{ username: 'ada', email: 'ada@example.com' }, { username: 'ADA@example.com' }] },
      [
        'users[1].username: is the same as users[0].email (compared after NFKC and lower case); sign-in names must differ',
      ],
    ],
    ["a user's own name and address", { users: [{ username: 'ada@example.com', email: 'ada@example.com' }] }, []],
    [
      'resource server ids',
      {
        resourceServers: [
          { id: 'orders', audiences: ['https://a.example'] },
          { id: 'orders', audiences: ['https://b.example'] },
        ],
      },
      ['resourceServers[1].id: "orders" is already the id at resourceServers[0].id; each needs its own'],
    ],
    [
      'audiences',
      {
        resourceServers: [
          { id: 'a', audiences: ['https://a.example', 'https://b.example'] },
          { id: 'b', audiences: ['https://b.example'] },
        ],
      },
      [
        'resourceServers[1].audiences[0]: "https://b.example" is already the audience at resourceServers[0].audiences[1]; each needs its own',
      ],
    ],
  ];
  for (const [name, file, lines] of cases) test(name, () => assert.deepEqual(problemsOf({ issuer, ...file }), lines));
});

test('all problems come at once, those between keys included', () => {
  const lines = problemsOf({
    issuer: 'http://auth.example.com',
    lifetimes: { accessToken: 0, idle: -1 },
    clients: [
      { client_id: 'a b', redirect_uris: ['https://a.example/cb'], rotation: false },
      { client_id: 'm', client_secret: 'short', grant_types: ['refresh_token'] },
    ],
  });
  assert.deepEqual(
    lines.map((line) => line.split(': ')[0]),
    [
      'issuer',
      'lifetimes.accessToken',
      'lifetimes.idle',
      'clients[0].client_id',
      'clients[0].rotation',
      'clients[1].client_secret',
      'clients[1].grant_types',
    ],
  );
});

test('a wrong key causes no second line about what would have followed from it', () => {
  const lines = problemsOf({ issuer, clients: [{ client_id: 'app', client_secret: 7, rotation: false }] });
  assert.deepEqual(lines, [
    'clients[0].client_secret: expected text, { env: NAME } or { file: PATH }, got a number; put it in quotes',
  ]);
});

test('no message holds the value of a secret', () => {
  const marker = 'h7Yq2-visible';
  const text = problemsOf({
    issuer: `https://x:${marker}@a.example`,
    users: [
      { username: 'ada', password: marker, passwordHash: marker },
      { username: 'bob', password: { [marker]: marker }, passwordHash: [marker] },
    ],
    clients: [
      {
        client_id: 'a',
        client_secret: marker,
        jwks: { keys: [{ kty: 'oct', k: marker }, { kty: 'EC', d: marker }, marker] },
      },
      { client_id: 'b', client_secret: [marker] },
      marker,
    ],
    resourceServers: [{ id: 'o', audiences: ['https://o.example'], algorithm: 'HS256', secret: marker }],
  }).join('\n');
  assert.ok(text.length > 500);
  assert.doesNotMatch(text, /visible/);
});

test('what is no file at all is refused with one line', () => {
  for (const file of [null, [], 'issuer', 7])
    assert.match(problemsOf(file).join('\n'), /^the file: expected a section \(key: value\), got [^\n]+$/);
});

test('a ConfigError has a code, the lines, and all of them in its message', () => {
  assert.throws(
    () => parseConfig({ issuer: 'x', lifetimes: { idle: 0 } }),
    (error: ConfigError) => {
      assert.equal(error.code, 'config_invalid');
      assert.equal(error.problems.length, 2);
      for (const line of error.problems) assert.ok(error.message.includes(line));
      return error instanceof ConfigError;
    },
  );
});
