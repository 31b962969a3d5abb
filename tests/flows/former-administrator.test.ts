import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { updateUser } from '../../packages/server/src/admin/users.ts';
import { basic, obtainCode, password, redeemCode, secret, startTestServer, type TestServer } from '../test-server.ts';

const actor = { kind: 'cli' } as const;

describe('the admin API and who was an administrator', () => {
  const scope = 'tessera:users:read tessera:users:write tessera:events:read';
  const clients = [
    {
      client_id: 'console',
      client_secret: secret,
      redirect_uris: ['https://console.example.com/callback'],
      scope,
      consent: 'skip',
    },
    { client_id: 'job', client_secret: secret, grant_types: ['client_credentials'], scope },
  ];
  const users = [{ username: 'root', password, roles: ['admin'] }];
  let test: TestServer;
  beforeEach(async () => {
    test = await startTestServer({ config: { users, clients, resourceServers: [] } as never });
  });
  afterEach(() => test.close());

  const call = (token: unknown, method: string, path: string, body?: object) =>
    test.server.fetch(
      new Request(`${test.issuer}/admin/api${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      }),
    );

  it('a token of before does not give the role back to whom it was taken from', async () => {
    const code = await obtainCode(test, { username: 'root', client_id: 'console', parameters: { scope } });
    const { body } = await redeemCode(test, code, {}, basic('console'));
    const root = await test.store.findUser('root');
    assert.ok(root);
    const path = `/users/${root.userId}`;
    assert.equal((await call(body.access_token, 'GET', path)).status, 200);
    await updateUser(test.server.context, actor, { userId: root.userId, changes: { roles: ['auditor'] } });
    assert.equal((await call(body.access_token, 'PATCH', path, { roles: ['admin'] })).status, 403);
    assert.deepEqual((await test.store.findUser('root'))?.roles, ['auditor']);
    assert.equal((await call(body.access_token, 'GET', path)).status, 200, 'what an auditor may have still works');
  });

  it('a token of before does not do what was taken from its client', async () => {
    const form = { grant_type: 'client_credentials', resource: `${test.issuer}/admin/api` };
    const { body } = await test.post('/token', form, basic('job'));
    const headers = { authorization: `Bearer ${body.access_token}` };
    const metrics = () => test.server.fetch(new Request(`${test.issuer}/metrics`, { headers }), '203.0.113.9');
    assert.equal((await call(body.access_token, 'GET', '/users')).status, 200);
    assert.equal((await metrics()).status, 200);
    const job = await test.store.get('client', 'job');
    assert.ok(job);
    await test.store.commit([{ change: 'put', kind: 'client', expect: job.version, record: { ...job, scopes: [] } }]);
    const refused = await call(body.access_token, 'GET', '/users');
    assert.equal(refused.status, 403);
    assert.match(String(refused.headers.get('www-authenticate')), /insufficient_scope/);
    assert.equal((await metrics()).status, 403);
  });
});
