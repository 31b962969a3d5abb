import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import type { TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  introspect,
  obtainCode,
  ordersApi,
  redeemCode,
  secret,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const { clients: declared = [], resourceServers = [] } = testConfig('http://localhost:8080');
const hmacSecret = randomBytes(32).toString('base64');
const api = (id: string) => `https://api.example.com/${id}`;
const server = (id: string, more: object = {}) => ({
  id,
  audiences: [api(id)],
  scopes: { [`${id}:read`]: {} },
  clients: ['orders-api'],
  ...more,
});
const app = (client_id: string, more: object = {}) => ({
  client_id,
  redirect_uris: [`https://${client_id}.example.com/callback`],
  scope: 'openid profile email orders:read orders:write rsa:read eddsa:read shared:read opaque:read group:read',
  consent: 'skip' as const,
  ...more,
});
const config = {
  clients: [
    ...declared,
    app('all'),
    app('es', { id_token_signed_response_alg: 'ES256' }),
    app('ed', { id_token_signed_response_alg: 'EdDSA' }),
    app('narrow', { resources: [api('rsa')] }),
    app('default', { defaultResources: [api('rsa')] }),
    {
      client_id: 'robot',
      client_secret: secret,
      grant_types: ['client_credentials'],
      scope: 'orders:read orders:write rsa:read opaque:read',
    },
  ],
  resourceServers: [
    ...resourceServers,
    server('rsa', { algorithm: 'RS256' }),
    server('eddsa', { algorithm: 'EdDSA' }),
    server('shared', { algorithm: 'HS256', secret: hmacSecret }),
    server('opaque', { tokenFormat: 'opaque' }),
    server('group', {
      audiences: [api('group/a'), api('group/b')],
      roles: { editor: ['group:approve'], reader: ['group:look'] },
    }),
  ],
} as never;

describe('access tokens', () => {
  let test: TestServer;
  let browser: TestBrowser;
  let keys: JSONWebKeySet;
  before(async () => {
    test = await startTestServer({ config });
    browser = test.browser();
    keys = (await (await test.server.fetch(new Request(`${test.issuer}/jwks`))).json()) as JSONWebKeySet;
  });
  after(() => test.close());

  async function tokensOf(parameters: Record<string, string> = {}, client_id = 'all') {
    const { body, status } = await redeemCode(test, await obtainCode(test, { browser, client_id, parameters }));
    assert.equal(status, 200, JSON.stringify(body));
    return body as { access_token: string; refresh_token: string; id_token: string; scope: string };
  }
  const asMachine = (form: Record<string, string> = {}) =>
    test.post('/token', { grant_type: 'client_credentials', ...form }, basic('robot'));
  const verify = (token: string, audience: string, algorithms: string[]) =>
    jwtVerify(token, createLocalJWKSet(keys), {
      issuer: test.issuer,
      audience,
      algorithms,
      typ: 'at+jwt',
      currentDate: new Date(test.now() * 1000),
      requiredClaims: ['sub', 'client_id', 'iat', 'nbf', 'exp', 'jti'],
    });

  it('C1 C3 RFC 9068 2.2 has every claim it must, under a key of the published set', async () => {
    const { access_token } = await tokensOf();
    const { payload, protectedHeader } = await verify(access_token, ordersApi, ['ES256']);
    const user = await test.store.findUser('ada');
    assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ']);
    assert.equal(payload.sub, user?.userId);
    assert.equal(payload.client_id, 'all');
    assert.equal(payload.scope, 'openid orders:read');
    assert.equal(payload.iat, test.now());
    assert.equal(payload.nbf, test.now());
    assert.equal(payload.exp, test.now() + 900);
    assert.deepEqual(payload.amr, ['pwd']);
    assert.equal(payload.acr, 'urn:tessera:acr:password');
    assert.ok(payload.sid && payload.grant_id && payload.auth_time);
    assert.notEqual(payload.jti, claimsOf((await tokensOf()).access_token).jti);
  });

  it('C4 carries neither name nor e-mail, whatever is asked for', async () => {
    const claims = JSON.stringify({ id_token: { email: null, name: null }, userinfo: { email: null } });
    const { access_token } = await tokensOf({ scope: 'openid profile email orders:read', claims });
    const allowed = [
      'iss',
      'sub',
      'aud',
      'client_id',
      'jti',
      'iat',
      'nbf',
      'exp',
      'scope',
      'auth_time',
      'acr',
      'amr',
      'grant_id',
      'sid',
      'roles',
      'permissions',
    ];
    assert.deepEqual(
      Object.keys(claimsOf(access_token)).filter((name) => !allowed.includes(name)),
      [],
    );
    assert.doesNotMatch(Buffer.from(access_token.split('.')[1] as string, 'base64url').toString(), /ada|Lovelace|@/);
  });

  it('C2 is signed as its resource server wants: RS256, EdDSA, or HS256 with that server’s own secret', async () => {
    const rsa = await tokensOf({ scope: 'openid rsa:read' });
    assert.equal((await verify(rsa.access_token, api('rsa'), ['RS256'])).payload.scope, 'openid rsa:read');
    const eddsa = await tokensOf({ scope: 'eddsa:read' });
    assert.ok(await verify(eddsa.access_token, api('eddsa'), ['EdDSA']));
    const shared = await tokensOf({ scope: 'openid shared:read' });
    const { payload } = await jwtVerify(shared.access_token, Buffer.from(hmacSecret), {
      algorithms: ['HS256'],
      audience: api('shared'),
      currentDate: new Date(test.now() * 1000),
    });
    assert.equal(payload.scope, 'openid shared:read');
    for (const one of [rsa, eddsa, shared]) assert.equal((await introspect(test, one.access_token)).active, true);
  });

  it('C2 key confusion: none, HS256 under a public key or another server’s secret, and changed tokens are refused', async () => {
    const { access_token } = await tokensOf();
    const [head = '', body = '', signature = ''] = access_token.split('.');
    const shared = (await tokensOf({ scope: 'shared:read' })).access_token.split('.');
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { kid } = decodeProtectedHeader(access_token);
    const forged = [
      `${part({ alg: 'none', typ: 'at+jwt' })}.${body}.`,
      `${part({ alg: 'none', typ: 'at+jwt', kid })}.${body}.${signature}`,
      `${part({ alg: 'HS256', typ: 'at+jwt', kid })}.${body}.${signature}`,
      `${shared[0]}.${body}.${shared[2]}`,
      `${head}.${shared[1]}.${signature}`,
      `${part({ alg: 'RS256', typ: 'at+jwt', kid })}.${body}.${signature}`,
      `${part({ alg: 'ES256', typ: 'JWT', kid })}.${body}.${signature}`,
      `${part({ alg: 'ES256', typ: 'at+jwt', kid, crit: ['x'], x: 1 })}.${body}.${signature}`,
      `${head}.${part({ ...claimsOf(access_token), scope: 'orders:write' })}.${signature}`,
      `${head}.${body}.${signature.slice(0, -2)}AA`,
      `${head}.${body}.`,
      `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
    ];
    for (const token of forged) assert.equal((await introspect(test, token)).active, false, token);
  });

  it('A20 an opaque token says nothing to its bearer; introspection tells its resource server', async () => {
    const { access_token } = await tokensOf({ scope: 'openid opaque:read' });
    assert.match(access_token, /^tsa_[A-Za-z0-9_-]+$/);
    assert.ok(!Buffer.from(access_token.slice(4), 'base64url').toString('latin1').includes('opaque:read'));
    const told = await introspect(test, access_token);
    assert.equal(told.active, true);
    assert.equal(told.aud, api('opaque'));
    const changed = `${access_token.slice(0, -3)}AAA`;
    assert.equal((await introspect(test, changed)).active, false);
    const machine = await asMachine({ scope: 'opaque:read' });
    assert.match(String(machine.body.access_token), /^tsa_/);
  });

  it('A22 A26 RFC 8707: resource gives that audience and its scopes alone; several give several; a kind each', async () => {
    const scope = 'openid orders:read rsa:read group:read';
    const one = claimsOf((await tokensOf({ scope, resource: ordersApi })).access_token);
    assert.equal(one.aud, ordersApi);
    assert.equal(one.scope, 'openid orders:read');
    const group = claimsOf((await tokensOf({ scope: 'group:read' })).access_token);
    assert.deepEqual(group.aud, [api('group/a'), api('group/b')]);
    const part = claimsOf((await tokensOf({ scope: 'group:read', resource: api('group/a') })).access_token);
    assert.equal(part.aud, api('group/a'));
    // A grant may span kinds of tokens; one token cannot.
    const obtained = await obtainCode(test, { browser, client_id: 'all', parameters: { scope } });
    assert.equal((await redeemCode(test, obtained)).body.error, 'invalid_target');
    const narrowed = await redeemCode(test, obtained, { resource: api('rsa') });
    assert.equal(narrowed.status, 200, 'the refusal burned nothing');
    const form = { grant_type: 'refresh_token', client_id: 'all', resource: ordersApi };
    const refreshed = await test.post('/token', { ...form, refresh_token: String(narrowed.body.refresh_token) });
    assert.equal(claimsOf(refreshed.body.access_token).aud, ordersApi);
  });

  it('A26 the token request may narrow what the authorization named, never widen it', async () => {
    const obtained = await obtainCode(test, { browser, client_id: 'all', parameters: { resource: ordersApi } });
    assert.equal((await redeemCode(test, obtained, { resource: api('rsa') })).body.error, 'invalid_target');
    assert.equal((await redeemCode(test, obtained, { resource: ordersApi })).status, 200);
  });

  it('A22 a client reaches only the resources it may, and its default ones when it names none', async () => {
    const refused = await browser.authorize({
      client_id: 'narrow',
      redirect_uri: 'https://narrow.example.com/callback',
      resource: ordersApi,
      code_challenge: 'x'.repeat(43),
    });
    assert.equal(refused.searchParams.get('error'), 'invalid_target');
    const { access_token } = await tokensOf({ scope: 'openid orders:read rsa:read' }, 'narrow');
    assert.equal(claimsOf(access_token).aud, api('rsa'));
    assert.equal(claimsOf(access_token).scope, 'openid rsa:read');
    const byDefault = await tokensOf({ scope: 'openid rsa:read' }, 'default');
    assert.equal(claimsOf(byDefault.access_token).aud, api('rsa'));
    const none = await tokensOf({ scope: 'openid' });
    assert.equal(claimsOf(none.access_token).aud, test.issuer);
  });

  it('A22 a resource taken from a client is not in its next token', async () => {
    const tokens = await tokensOf({ scope: 'openid group:read', resource: api('group/a') });
    const client = await test.store.get('client', 'all');
    assert.ok(client);
    const limited = { ...client, resources: [ordersApi] };
    await test.store.commit([{ change: 'put', kind: 'client', expect: client.version, record: limited }]);
    test.server.context.registry.forgetClient('all');
    const form = { grant_type: 'refresh_token', client_id: 'all', refresh_token: tokens.refresh_token };
    assert.equal((await test.post('/token', form)).body.error, 'invalid_target');
    await test.store.commit([{ change: 'put', kind: 'client', expect: client.version + 1, record: client }]);
    test.server.context.registry.forgetClient('all');
    assert.equal((await test.post('/token', form)).status, 200);
  });

  it('A18 carries roles and permissions of the user at that resource server, and nothing of others', async () => {
    const claims = claimsOf((await tokensOf({ scope: 'openid group:read' })).access_token);
    assert.deepEqual(claims.roles, ['editor']);
    assert.deepEqual(claims.permissions, ['group:approve']);
    const rsa = claimsOf((await tokensOf({ scope: 'openid rsa:read' })).access_token);
    assert.equal(rsa.roles, undefined);
    assert.equal(rsa.permissions, undefined);
  });

  it('A18 A21 a permission that is a scope stands in the token only when the scope was granted', async () => {
    const reads = claimsOf((await tokensOf({ scope: 'openid orders:read' })).access_token);
    assert.equal(reads.scope, 'openid orders:read');
    assert.deepEqual(reads.permissions ?? [], [], 'an app that may read must not carry the permission to write');
    const writes = claimsOf((await tokensOf({ scope: 'openid orders:read orders:write' })).access_token);
    assert.deepEqual(writes.permissions, ['orders:write']);
  });

  it('A18 a scope under a rule is for users with the role alone', async () => {
    const bob = test.browser();
    const parameters = { scope: 'openid orders:read orders:write' };
    const obtained = await obtainCode(test, { browser: bob, username: 'bob', client_id: 'all', parameters });
    const { body } = await redeemCode(test, obtained);
    assert.equal(body.scope, 'openid orders:read');
    assert.equal((await tokensOf(parameters)).scope, 'openid orders:read orders:write');
  });

  it('RFC 6749 4.4 client credentials: a token for the client itself, without session, refresh token or user', async () => {
    const { body } = await asMachine({ scope: 'orders:read' });
    assert.equal(body.refresh_token, undefined);
    assert.equal(body.id_token, undefined);
    assert.equal(body.scope, 'orders:read');
    const { payload } = await verify(String(body.access_token), ordersApi, ['ES256']);
    assert.equal(payload.sub, 'robot');
    for (const name of ['sid', 'grant_id', 'auth_time', 'acr', 'amr', 'roles', 'permissions'])
      assert.equal(payload[name], undefined, name);
    const beyond = await asMachine({ scope: 'orders:read eddsa:read' });
    assert.equal(beyond.body.error, 'invalid_scope');
    assert.equal((await asMachine({ scope: 'openid' })).body.error, 'invalid_scope');
    assert.equal((await asMachine({ resource: 'https://nobody.example.com' })).body.error, 'invalid_target');
    assert.equal((await asMachine({ scope: 'orders:read', resource: api('rsa') })).body.scope ?? '', '');
  });
});

describe('ID tokens', () => {
  let test: TestServer;
  let browser: TestBrowser;
  let keys: JSONWebKeySet;
  before(async () => {
    test = await startTestServer({ config });
    browser = test.browser();
    keys = (await (await test.server.fetch(new Request(`${test.issuer}/jwks`))).json()) as JSONWebKeySet;
  });
  after(() => test.close());

  it('OIDC Core 3.1.3.7 and 3.1.3.6: validates with jose, with nonce, auth_time and at_hash, in each algorithm', async () => {
    const table: [string, string, string][] = [
      ['all', 'RS256', 'sha256'],
      ['es', 'ES256', 'sha256'],
      ['ed', 'EdDSA', 'sha512'],
    ];
    for (const [client_id, algorithm, digest] of table) {
      const parameters = { nonce: `n-${client_id}`, scope: 'openid' };
      const { body } = await redeemCode(test, await obtainCode(test, { browser, client_id, parameters }));
      const { payload, protectedHeader } = await jwtVerify(String(body.id_token), createLocalJWKSet(keys), {
        issuer: test.issuer,
        audience: client_id,
        algorithms: [algorithm],
        currentDate: new Date(test.now() * 1000),
        requiredClaims: ['sub', 'exp', 'iat', 'auth_time', 'nonce', 'at_hash', 'sid'],
      });
      assert.equal(protectedHeader.alg, algorithm);
      assert.equal(payload.nonce, `n-${client_id}`);
      assert.equal(payload.auth_time, test.now());
      const hash = createHash(digest).update(String(body.access_token)).digest();
      assert.equal(payload.at_hash, hash.subarray(0, hash.length / 2).toString('base64url'));
      assert.equal(payload.sid, claimsOf(body.access_token).sid);
      assert.equal(payload.email, undefined);
    }
  });

  it('C17 openid email profile yields who it is; without openid there is none', async () => {
    const parameters = { scope: 'openid profile email' };
    const { body } = await redeemCode(test, await obtainCode(test, { browser, client_id: 'all', parameters }));
    const claims = claimsOf(body.id_token);
    assert.equal(claims.name, 'Ada Lovelace');
    assert.equal(claims.email, 'ada@example.com');
    assert.equal(claims.email_verified, true);
    const without = await obtainCode(test, { browser, client_id: 'all', parameters: { scope: 'orders:read' } });
    assert.equal((await redeemCode(test, without)).body.id_token, undefined);
  });

  it('C17 an ID token is no access token and an access token no ID token: typ and aud keep them apart', async () => {
    const { body } = await redeemCode(test, await obtainCode(test, { browser, client_id: 'all' }));
    assert.equal(decodeProtectedHeader(String(body.id_token)).typ, 'JWT');
    assert.equal(claimsOf(body.id_token).aud, 'all');
    assert.equal((await introspect(test, body.id_token, 'orders-api')).active, false);
  });
});

describe('discovery', () => {
  it('RFC 8414 and OpenID Connect Discovery: the same document at both places, every endpoint in it answers', async () => {
    const test = await startTestServer();
    const get = (path: string) => test.server.fetch(new Request(`${test.issuer}${path}`));
    const document = (await (await get('/.well-known/openid-configuration')).json()) as Record<string, string>;
    assert.deepEqual(await (await get('/.well-known/oauth-authorization-server')).json(), document);
    assert.equal(document.issuer, test.issuer);
    for (const [name, value] of Object.entries(document)) {
      if (!name.endsWith('_endpoint') && name !== 'jwks_uri') continue;
      const { status } = await test.server.fetch(new Request(value));
      assert.ok(status < 500 && status !== 404, `${name} ${status}`);
    }
    const keys = ((await (await get('/jwks')).json()) as { keys: Record<string, unknown>[] }).keys;
    assert.ok(keys.length >= 3);
    for (const key of keys) {
      assert.ok(key.kid && key.alg && key.use === 'sig');
      for (const half of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(half in key, false);
    }
    await test.close();
  });
});
