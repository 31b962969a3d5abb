import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
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

/** An API that holds the secret its tokens are signed with can make some itself. What it makes is worth something at this API alone. */
describe('whoever holds the HS256 secret of an API', () => {
  const vault = 'https://api.example.com/vault';
  const other = 'https://api.example.com/other';
  const vaultSecret = 'k3y-0f.the_Vault~7QmZp2Wx9RtLs4Vb8NcJh1Gd6FyKe5';
  const otherSecret = 'k3y-0f.An0ther~Tz8Rw3Qx6Lp1Vm5Nb9Ks2Jd7Hf4Gc0Ye';
  const { clients: declared = [], resourceServers = [] } = testConfig('http://localhost:8080');
  const hmac = (id: string, audience: string, key: string, client: string) => ({
    id,
    audiences: [audience],
    scopes: { [`${id}:read`]: {} },
    algorithm: 'HS256' as const,
    secret: key,
    clients: [client],
  });
  const config = {
    clients: [
      ...declared,
      {
        client_id: 'app',
        redirect_uris: ['https://app.example.com/callback'],
        scope: 'openid email orders:read vault:read other:read',
        consent: 'skip' as const,
      },
      { client_id: 'vault-api', client_secret: secret, grant_types: ['client_credentials' as const] },
      { client_id: 'other-api', client_secret: secret, grant_types: ['client_credentials' as const] },
    ],
    resourceServers: [
      ...resourceServers,
      hmac('vault', vault, vaultSecret, 'vault-api'),
      hmac('other', other, otherSecret, 'other-api'),
    ],
  };
  let test: TestServer;
  beforeEach(async () => {
    test = await startTestServer({ config });
  });
  afterEach(() => test.close());

  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  /** A token that the API made itself, with everything a token of the server has. */
  const forge = (claims: object, key = vaultSecret): string => {
    const times = { iat: test.now(), nbf: test.now(), exp: test.now() + 900 };
    const all = {
      iss: test.issuer,
      sub: 'x',
      aud: vault,
      client_id: 'app',
      jti: 'made-up',
      scope: '',
      ...times,
      ...claims,
    };
    const input = `${part({ alg: 'HS256', typ: 'at+jwt' })}.${part(all)}`;
    return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
  };
  const tokensOf = async (parameters: Record<string, string>) => {
    const { body } = await redeemCode(test, await obtainCode(test, { client_id: 'app', parameters }));
    return body as { access_token: string; refresh_token: string; scope: string };
  };
  const asBearer = (path: string, token: string) =>
    test.server.fetch(new Request(`${test.issuer}${path}`, { headers: { authorization: `Bearer ${token}` } }));

  it('A22 cannot make a token for the admin API, neither alone nor beside its own audience', async () => {
    const admin = `${test.issuer}/admin/api`;
    for (const aud of [admin, [admin, vault], [vault, admin]]) {
      const token = forge({
        aud,
        client_id: 'operator',
        sub: 'operator',
        scope: 'tessera:users:read tessera:users:write',
      });
      assert.equal((await asBearer('/admin/api/users', token)).status, 401, JSON.stringify(aud));
    }
  });

  it("A20 A22 cannot make a token that another API's introspection takes", async () => {
    for (const aud of [ordersApi, [ordersApi, vault], [vault, ordersApi], [vault, other], [other, vault]]) {
      const token = forge({ aud, client_id: 'machine', sub: 'machine', scope: 'orders:read' });
      for (const asking of ['orders-api', 'other-api', 'vault-api'])
        assert.deepEqual(await introspect(test, token, asking), { active: false }, `${aud} ${asking}`);
    }
    assert.equal((await introspect(test, forge({ client_id: 'machine' }), 'vault-api')).active, true, 'its own affair');
  });

  it('C4 does not learn more of a user than the app was granted, nor of a user at all who never used it', async () => {
    const seen = claimsOf((await tokensOf({ scope: 'openid vault:read' })).access_token);
    const wider = forge({ ...seen, scope: 'openid email vault:read' });
    assert.equal((await asBearer('/userinfo', wider)).status, 401);
    const elsewhere = claimsOf((await tokensOf({ scope: 'openid email orders:read' })).access_token);
    assert.equal((await asBearer('/userinfo', forge({ ...elsewhere, aud: vault }))).status, 401);
    const { sub: _sub, ...others } = seen;
    assert.equal((await asBearer('/userinfo', forge({ ...others, sub: 'somebody' }))).status, 401);
    assert.equal((await asBearer('/userinfo', forge({ ...seen }))).status, 200, 'what the server itself said');
  });

  it('D1 cannot end what an app was granted by revoking tokens it made', async () => {
    const tokens = await tokensOf({ scope: 'openid vault:read' });
    const { grant_id, sid, sub } = claimsOf(tokens.access_token);
    for (let i = 0; i < 12; i++) {
      const token = forge({ grant_id, sid, sub, client_id: 'vault-api', jti: `made-up-${i}` });
      const { status } = await test.post('/revoke', { token }, basic('vault-api'));
      assert.equal(status, 200);
    }
    assert.equal((await introspect(test, tokens.access_token, 'vault-api')).active, true);
    const form = { grant_type: 'refresh_token', client_id: 'app', refresh_token: tokens.refresh_token };
    assert.equal((await test.post('/token', form)).status, 200);
  });

  it('C10 gets a refusal, never a failure, for claims of another type or none', async () => {
    const strange = [undefined, null, 5, -1.5, true, '', 'x'.repeat(5000), '\u0000', [], [5], {}];
    const seen = claimsOf((await tokensOf({ scope: 'openid vault:read' })).access_token);
    for (const name of [
      'sub',
      'aud',
      'client_id',
      'jti',
      'iat',
      'exp',
      'scope',
      'grant_id',
      'sid',
      'cnf',
      'client_epoch',
    ])
      for (const value of strange) {
        const token = forge({ ...seen, [name]: value });
        const told = [
          (await asBearer('/userinfo', token)).status,
          (await asBearer('/admin/api/users', token)).status,
          (await test.post('/introspect', { token }, basic('vault-api'))).status,
          (await test.post('/revoke', { token, client_id: 'app' })).status,
        ];
        assert.ok(
          told.every((status) => status < 500),
          `${name} ${JSON.stringify(value)}: ${told}`,
        );
      }
  });

  it('A22 is not given a token for another such API: each has its own secret, so each is asked for alone', async () => {
    const obtained = await obtainCode(test, { client_id: 'app', parameters: { scope: 'vault:read other:read' } });
    assert.equal((await redeemCode(test, obtained)).body.error, 'invalid_target');
    const one = await redeemCode(test, obtained, { resource: other });
    assert.equal(one.status, 200);
    assert.equal((await introspect(test, one.body.access_token, 'other-api')).active, true);
  });
});
