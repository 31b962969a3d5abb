import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createClient, rotateClientSecret } from '../../packages/server/src/admin/clients.ts';
import { basic, startTestServer } from '../test-server.ts';

it('a replaced client secret authenticates until its overlap is over, the new one at once', async () => {
  const test = await startTestServer();
  try {
    const { context } = test.server;
    const actor = { kind: 'cli' } as const;
    const created = await createClient(context, actor, {
      client_name: 'Rotating',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
      scope: 'orders:read',
    });
    const { client_id, client_secret: old } =
      created.kind === 'done' ? created.value : assert.fail(JSON.stringify(created));
    const rotated = await rotateClientSecret(context, actor, { clientId: client_id, body: { overlap: 60 } });
    const { client_secret: fresh } = rotated.kind === 'done' ? rotated.value : assert.fail(JSON.stringify(rotated));
    context.registry.forgetClient(client_id);
    const status = async (secret: string | undefined) =>
      (await test.post('/token', { grant_type: 'client_credentials' }, basic(client_id, secret))).status;
    assert.deepEqual([await status(old), await status(fresh)], [200, 200]);
    test.advance(61);
    assert.deepEqual([await status(old), await status(fresh)], [401, 200]);
  } finally {
    await test.close();
  }
});
