import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { basic, claimsOf, ordersApi, secret, startTestServer, type TestServer, testConfig } from '../test-server.ts';

describe('a token for the admin API', () => {
  const scope = 'orders:read tessera:users:read';
  const { clients: declared = [] } = testConfig('http://localhost:8080');
  const both = {
    client_id: 'both',
    client_secret: secret,
    grant_types: ['client_credentials' as const],
    scope,
  };
  let test: TestServer;
  beforeEach(async () => {
    test = await startTestServer({ config: { clients: [...declared, both] } });
  });
  afterEach(() => test.close());

  const asked = (more: Record<string, string>) =>
    test.post('/token', { grant_type: 'client_credentials', ...more }, basic('both'));

  it('RFC 9700 2.3 is for nothing else: an API that receives it could administer this server with it', async () => {
    for (const more of [{}, { scope }]) {
      const { status, body } = await asked(more);
      assert.deepEqual([status, body.error], [400, 'invalid_target']);
      assert.match(String(body.error_description), /one at a time with the resource parameter/);
    }
  });

  it('A26 each is had by its own name', async () => {
    for (const [resource, expected] of [
      [`${test.issuer}/admin/api`, 'tessera:users:read'],
      [ordersApi, 'orders:read'],
    ] as const) {
      const { body } = await asked({ resource });
      assert.equal(body.scope, expected);
      assert.equal(claimsOf(body.access_token).aud, resource);
    }
    assert.equal(claimsOf((await asked({ scope: 'orders:read' })).body.access_token).aud, ordersApi);
  });
});
