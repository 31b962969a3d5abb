import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { unseal } from '../secrets/sealed.ts';
import { tokensUntil } from '../sessions/tokens-until.ts';
import {
  createResourceServer,
  getResourceServer,
  listResourceServers,
  removeResourceServer,
  updateResourceServer,
} from './resource-servers.ts';
import { createTestContext, doneValue, type TestContext } from './test-context.ts';

const actor = { kind: 'cli' } as const;
const orders = {
  id: 'orders',
  audiences: ['https://api.example.com/orders', 'https://api.example.com/returns'],
  scopes: { 'orders:read': { description: 'See your orders' } },
};

describe('resource servers', () => {
  let context: TestContext;
  before(async () => {
    context = await createTestContext();
  });
  after(() => context.close());

  const secretOf = async (id: string) => {
    const sealed = (await context.store.get('resource_server', id))?.encryptedSecret;
    return sealed === undefined ? undefined : unseal(context.rootKeys, 'stored-secret', sealed);
  };

  test('a resource server groups APIs, and the registry finds it by each audience', async () => {
    const server = doneValue(await createResourceServer(context, actor, orders));
    assert.partialDeepStrictEqual(server, { id: 'orders', name: 'orders', version: 1, algorithm: 'ES256' });
    assert.deepEqual(doneValue(await getResourceServer(context, 'orders')), server);
    const found = await context.registry.resourceServer('https://api.example.com/returns');
    assert.equal(found?.resourceServerId, 'orders');
  });

  test('an audience or id that is taken, also by this server itself, is refused', async () => {
    const cases: [Record<string, unknown>, string][] = [
      [{ ...orders, audiences: ['https://other.example.com'] }, 'id'],
      [{ ...orders, id: 'tessera-admin' }, 'id'],
      [{ ...orders, id: 'b' }, 'audiences'],
      [{ ...orders, id: 'b', audiences: ['http://localhost:8080'] }, 'audiences'],
      [{ ...orders, id: 'b', audiences: ['http://localhost:8080/admin/api'] }, 'audiences'],
    ];
    for (const [input, field] of cases)
      assert.partialDeepStrictEqual(await createResourceServer(context, actor, input), { reason: 'conflict', field });
  });

  test('inputs that make no resource server are refused, naming the field', async () => {
    const free = { ...orders, id: 'free', audiences: ['https://free.example.com'] };
    const cases: [Record<string, unknown>, string][] = [
      [{ ...free, id: 'a b' }, 'id'],
      [{ ...free, audiences: [] }, 'audiences'],
      [{ ...free, audiences: ['orders'] }, 'audiences[0]'],
      [{ ...free, scopes: { openid: {} } }, 'scopes.openid'],
      [{ ...free, algorithm: 'none' }, 'algorithm'],
      [{ ...free, accessTokenLifetime: -1 }, 'accessTokenLifetime'],
      [{ ...free, algorithm: 'HS256', secret: 'short' }, 'secret'],
      [{ ...free, algorithm: 'HS256', secret: { file: '/etc/passwd' } }, 'secret'],
      [{ ...free, secret: 'qL3vN8sT1xZ6bR0yW5cK2mP7dF4gH9jA' }, 'secret'],
      [{ ...free, declared: false }, 'declared'],
    ];
    for (const [input, field] of cases)
      assert.partialDeepStrictEqual(
        await createResourceServer(context, actor, input),
        { kind: 'refuse', field },
        field,
      );
  });

  test('HS256 has a secret of its own: made and shown once, kept encrypted, kept by other changes', async () => {
    const server = doneValue(
      await createResourceServer(context, actor, {
        id: 'hs',
        audiences: ['https://hs.example.com'],
        algorithm: 'HS256',
      }),
    );
    assert.equal(await secretOf('hs'), server.secret);
    assert.ok(!JSON.stringify(await context.store.get('resource_server', 'hs')).includes(server.secret ?? '?'));
    const renamed = doneValue(await updateResourceServer(context, actor, { id: 'hs', changes: { name: 'Renamed' } }));
    assert.equal(renamed.secret, undefined);
    assert.equal(await secretOf('hs'), server.secret);
    const own = 'qL3vN8sT1xZ6bR0yW5cK2mP7dF4gH9jAeU8iO1sX3zV';
    const replaced = doneValue(await updateResourceServer(context, actor, { id: 'hs', changes: { secret: own } }));
    assert.ok(!JSON.stringify(replaced).includes(own));
    assert.equal(await secretOf('hs'), own);
    doneValue(await updateResourceServer(context, actor, { id: 'hs', changes: { algorithm: 'ES256' } }));
    assert.equal(await secretOf('hs'), undefined);
    const back = doneValue(await updateResourceServer(context, actor, { id: 'hs', changes: { algorithm: 'HS256' } }));
    assert.equal(await secretOf('hs'), back.secret);
  });

  test('a change keeps what it does not name; null sets the default; the id stays', async () => {
    const changed = doneValue(
      await updateResourceServer(context, actor, { id: 'orders', changes: { accessTokenLifetime: 4000 }, version: 1 }),
    );
    assert.equal(changed.accessTokenLifetime, 4000);
    assert.deepEqual(changed.audiences, orders.audiences);
    const reset = doneValue(
      await updateResourceServer(context, actor, { id: 'orders', changes: { accessTokenLifetime: null } }),
    );
    assert.equal(reset.accessTokenLifetime, undefined);
    assert.equal(await tokensUntil(context, 0), 4060, 'a lifetime that was once in force is remembered');
    const moved = await updateResourceServer(context, actor, { id: 'orders', changes: { id: 'x' } });
    assert.partialDeepStrictEqual(moved, { kind: 'refuse', field: 'id' });
    const stale = await updateResourceServer(context, actor, { id: 'orders', changes: {}, version: 1 });
    assert.partialDeepStrictEqual(stale, { kind: 'refuse', stale: true });
  });

  test('a declared resource server refuses changes, naming the file', async () => {
    const record = await context.store.get('resource_server', 'hs');
    assert.ok(record);
    await context.store.commit([
      { change: 'put', kind: 'resource_server', expect: record.version, record: { ...record, declared: true } },
    ]);
    for (const outcome of [
      await updateResourceServer(context, actor, { id: 'hs', changes: { name: 'X' } }),
      await removeResourceServer(context, actor, { id: 'hs' }),
    ])
      assert.ok(outcome.kind === 'refuse' && outcome.detail.includes('configuration file'));
  });

  test('a removed resource server is gone from the registry and the list', async () => {
    doneValue(await removeResourceServer(context, actor, { id: 'orders' }));
    assert.equal(await context.registry.resourceServer('https://api.example.com/orders'), undefined);
    const { items } = doneValue(await listResourceServers(context, { limit: 10 }));
    assert.deepEqual(
      items.map(({ id }) => id),
      ['hs'],
    );
  });
});
