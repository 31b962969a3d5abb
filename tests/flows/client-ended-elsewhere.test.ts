import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { removeClient, updateClient } from '../../packages/server/src/admin/clients.ts';
import { RootKeys } from '../../packages/server/src/secrets/root-keys.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import type { Store } from '../../packages/server/src/store/store.ts';
import { basic, introspect, obtainCode, redeemCode, startTestServer, type TestServer } from '../test-server.ts';

const actor = { kind: 'cli' } as const;

/** What an operator does to the client, by another process. */
const endings: Record<string, (elsewhere: TestServer, clientId: string) => Promise<unknown>> = {
  disabled: ({ server }, clientId) => updateClient(server.context, actor, { clientId, changes: { disabled: true } }),
  'disabled and enabled': async ({ server }, clientId) => {
    await updateClient(server.context, actor, { clientId, changes: { disabled: true } });
    await updateClient(server.context, actor, { clientId, changes: { disabled: false } });
  },
  removed: ({ server }, clientId) => removeClient(server.context, actor, { clientId }),
};

describe('a client that another process has ended, of which this one has not heard yet', () => {
  let elsewhere: TestServer;
  let here: TestServer;
  let store: Store;
  before(async () => {
    store = await openSqliteStore({ file: ':memory:' });
    const rootKeys = new RootKeys([{ id: 'AAAAAA', secret: randomBytes(32), state: 'current' }]);
    elsewhere = await startTestServer({ store, rootKeys });
    here = await startTestServer({ store: unheard(store), rootKeys });
  });
  after(async () => {
    await here.close();
    await elsewhere.close();
  });

  for (const [what, end] of Object.entries(endings))
    it(`A13 gets no tokens for its refresh token when it was ${what}`, async () => {
      const clientId = what.replaceAll(' ', '-');
      const web = await store.get('client', 'web');
      assert.ok(web);
      const redirectUris = [`https://${clientId}.example.com/callback`];
      const record = { ...web, clientId, redirectUris, version: 0, declared: false };
      await store.commit([{ change: 'put', kind: 'client', expect: 'absent', record }]);
      const { body } = await redeemCode(here, await obtainCode(here, { client_id: clientId }), {}, basic(clientId));
      const token = String(body.refresh_token);
      assert.equal((await introspect(here, token, clientId)).active, true);
      await end(elsewhere, clientId);
      const form = { grant_type: 'refresh_token', refresh_token: token };
      const refused = await here.post('/token', form, basic(clientId));
      assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_grant']);
    });

  it('A13 says at introspection that its refresh token is not active', async () => {
    const { body } = await redeemCode(here, await obtainCode(here, { client_id: 'web' }), {}, basic('web'));
    const web = await store.get('client', 'web');
    assert.ok(web);
    const cutOff = { ...web, epoch: web.epoch + 1 };
    await store.commit([{ change: 'put', kind: 'client', expect: web.version, record: cutOff }]);
    assert.equal((await introspect(here, body.refresh_token, 'web')).active, false);
  });
});

/** The store, for a server that is told nothing of what others commit, and that leaves it open. */
function unheard(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'close') return async () => undefined;
      if (name === 'onEvents') return () => () => undefined;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
