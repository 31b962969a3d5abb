import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { matchesClientSecret } from '../secrets/client-secret.ts';
import { liveSecretDigests } from '../secrets/client-secret-overlap.ts';
import {
  createClient,
  cutOffClient,
  getClient,
  listClients,
  removeClient,
  rotateClientSecret,
  updateClient,
} from './clients.ts';
import { getGrant } from './grants.ts';
import { createTestContext, doneValue, grantOf, sessionOf, type TestContext } from './test-context.ts';

const actor = { kind: 'cli' } as const;
const confidential = {
  client_name: 'Web shop',
  token_endpoint_auth_method: 'client_secret_basic',
  redirect_uris: ['https://shop.example.com/callback'],
};
const publicApp = { client_name: 'Phone app', redirect_uris: ['com.example.app:/callback'] };

describe('clients', () => {
  let context: TestContext;
  before(async () => {
    context = await createTestContext();
  });
  after(() => context.close());

  const accepts = async (clientId: string, secret: string) => {
    const digests = (await context.store.get('client', clientId))?.secretDigests ?? [];
    return liveSecretDigests(digests, context.now()).some((digest) =>
      matchesClientSecret(context.rootKeys, secret, digest),
    );
  };

  test('a confidential client gets a secret of 256 bits, shown once and kept as a digest', async () => {
    const { client_secret, ...client } = doneValue(await createClient(context, actor, confidential));
    assert.equal(Buffer.from(client_secret ?? '', 'base64url').length, 32);
    assert.equal(await accepts(client.client_id, client_secret ?? ''), true);
    assert.equal(await accepts(client.client_id, 'another'), false);
    assert.deepEqual(doneValue(await getClient(context, client.client_id)), client);
    const record = await context.store.get('client', client.client_id);
    assert.ok(!JSON.stringify(record).includes(client_secret ?? '?'));
    assert.deepEqual(client.grant_types, ['authorization_code', 'refresh_token']);
    assert.equal(client.declared, false);
  });

  test('offline access is given and taken away by its own key, without a word about scopes', async () => {
    const { client_id: clientId } = doneValue(await createClient(context, actor, publicApp));
    const change = async (changes: object) => doneValue(await updateClient(context, actor, { clientId, changes }));
    assert.equal((await change({ offlineAccess: true })).scope, 'openid profile email offline_access');
    assert.equal((await change({ client_name: 'Telephone app' })).scope, 'openid profile email offline_access');
    assert.equal((await change({ offlineAccess: false })).scope, 'openid profile email');
  });

  test('a public client gets no secret, and PKCE and rotation', async () => {
    const client = doneValue(await createClient(context, actor, publicApp));
    assert.equal(client.client_secret, undefined);
    assert.partialDeepStrictEqual(client, {
      token_endpoint_auth_method: 'none',
      secrets: [],
      rotation: true,
      pkce: 'required',
    });
  });

  test('A10, C9: the rules of the configuration file hold here too', async () => {
    const cases: [Record<string, unknown>, string][] = [
      [{ ...publicApp, rotation: false }, 'rotation'],
      [{ ...publicApp, pkce: 'optional' }, 'pkce'],
      [{ ...publicApp, grant_types: ['client_credentials'] }, 'grant_types'],
      [{ ...confidential, redirect_uris: ['http://shop.example.com/cb'] }, 'redirect_uris[0]'],
      [{ ...confidential, redirect_uris: ['https://shop.example.com/*'] }, 'redirect_uris[0]'],
      [{ ...confidential, redirect_uris: ['https://shop.example.com/#x'] }, 'redirect_uris[0]'],
      [{ ...confidential, redirect_uris: 'https://shop.example.com/cb' }, 'redirect_uris'],
      [{ ...confidential, redirect_uris: ['com.example.app:/cb'] }, 'redirect_uris[0]'],
      [{ ...confidential, strategy: 'forever' }, 'strategy'],
      [{ ...confidential, lifetimes: { accessToken: 0 } }, 'lifetimes.accessToken'],
      [{ ...confidential, lifetimes: { accessToken: '15m' } }, 'lifetimes.accessToken'],
      [{ ...confidential, lifetimes: { idle: 7200, absolute: 3600 } }, 'lifetimes.idle'],
      [{ ...confidential, token_endpoint_auth_method: 'private_key_jwt' }, 'jwks'],
      [{ ...confidential, client_secret: 'x'.repeat(43) }, 'client_secret'],
      [{ ...confidential, client_secret: { file: '/etc/passwd' } }, 'client_secret'],
      [{ ...confidential, client_id: 'web' }, 'client_id'],
      [{ ...confidential, client_name: undefined }, 'client_name'],
      [{ ...confidential, redirectUris: [] }, 'redirectUris'],
    ];
    for (const [input, field] of cases)
      assert.partialDeepStrictEqual(await createClient(context, actor, input), { kind: 'refuse', field }, field);
    for (const input of [null, [], 'x', 3])
      assert.equal((await createClient(context, actor, input)).kind, 'refuse', JSON.stringify(input));
  });

  test('a change keeps what it does not name, null sets the default, and the whole must still hold', async () => {
    const { client_secret: _, ...client } = doneValue(
      await createClient(context, actor, { ...confidential, policy_uri: 'https://shop.example.com/privacy' }),
    );
    const update = (changes: unknown) => updateClient(context, actor, { clientId: client.client_id, changes });
    const changed = doneValue(await update({ lifetimes: { accessToken: 300 }, policy_uri: null }));
    const { policy_uri: _policy, ...kept } = client;
    assert.deepEqual(changed, { ...kept, version: 2, lifetimes: { accessToken: 300 } });
    assert.partialDeepStrictEqual(await update({ token_endpoint_auth_method: 'none', pkce: 'optional' }), {
      kind: 'refuse',
      field: 'pkce',
    });
    const open = doneValue(await update({ token_endpoint_auth_method: 'none' }));
    assert.deepEqual(open.secrets, []);
    const closed = doneValue(await update({ token_endpoint_auth_method: 'client_secret_post' }));
    assert.equal(await accepts(client.client_id, closed.client_secret ?? ''), true);
  });

  test('a rotated secret leaves the old one for the overlap, and not a second longer', async () => {
    const client = doneValue(await createClient(context, actor, confidential));
    const clientId = client.client_id;
    const first = client.client_secret ?? '';
    const second = doneValue(
      await rotateClientSecret(context, actor, { clientId, body: { overlap: 60 } }),
    ).client_secret;
    assert.deepEqual([await accepts(clientId, first), await accepts(clientId, second)], [true, true]);
    context.clock.now += 30;
    const third = doneValue(await rotateClientSecret(context, actor, { clientId, body: { overlap: 3600 } }));
    assert.deepEqual(third.secrets, [{ until: null }, { until: context.now() + 3600 }, { until: context.now() + 30 }]);
    context.clock.now += 30;
    assert.equal(await accepts(clientId, first), false, 'an overlap is never extended');
    assert.equal(await accepts(clientId, second), true);
    assert.equal(doneValue(await getClient(context, clientId)).secrets.length, 2);
    const fourth = doneValue(await rotateClientSecret(context, actor, { clientId, body: undefined }));
    assert.deepEqual(fourth.secrets, [{ until: null }]);
    assert.equal(await accepts(clientId, second), false);
    assert.equal(await accepts(clientId, third.client_secret), false);
    assert.equal(await accepts(clientId, fourth.client_secret), true);
  });

  test('a client without a secret has none to rotate', async () => {
    const { client_id: clientId } = doneValue(await createClient(context, actor, publicApp));
    assert.partialDeepStrictEqual(await rotateClientSecret(context, actor, { clientId, body: {} }), {
      reason: 'conflict',
    });
  });

  test('a declared client refuses changes, naming the file, and can be cut off all the same', async () => {
    const { client_id: clientId } = doneValue(await createClient(context, actor, confidential));
    const record = await context.store.get('client', clientId);
    assert.ok(record);
    await context.store.commit([
      { change: 'put', kind: 'client', expect: record.version, record: { ...record, declared: true } },
    ]);
    for (const outcome of [
      await updateClient(context, actor, { clientId, changes: { client_name: 'X' } }),
      await rotateClientSecret(context, actor, { clientId, body: {} }),
      await removeClient(context, actor, { clientId }),
    ])
      assert.ok(outcome.kind === 'refuse' && outcome.detail.includes('configuration file'));
    assert.equal(doneValue(await cutOffClient(context, actor, { clientId })).epoch, 1);
  });

  test('cutting off raises the epoch for all edges and ends the grants by name', async () => {
    const { client_id: clientId } = doneValue(await createClient(context, actor, confidential));
    const session = sessionOf('someone', 'cut-off-1', context.now());
    await context.store.commit([
      { change: 'create-session', session },
      { change: 'create-grant', grant: grantOf(session, clientId, 'cut-off-grant', context.now()) },
      { change: 'create-grant', grant: grantOf(session, 'another', 'other-grant', context.now()) },
      {
        change: 'create-grant',
        grant: { ...grantOf(session, clientId, 'newer-grant', context.now()), clientEpoch: 1 },
      },
    ]);
    await updateClient(context, actor, { clientId, changes: { lifetimes: { accessToken: 7200 } } });
    const cut = doneValue(await cutOffClient(context, actor, { clientId }));
    assert.deepEqual(cut.ended, { sessions: 0, grants: 1 });
    const [raised] = await context.store.readEvents({ clientId, types: ['client.epoch_raised'], limit: 5 });
    assert.partialDeepStrictEqual(raised, { actor, data: { epoch: 1 }, audiences: null });
    assert.equal(raised?.until, context.now() + 7200 + 60, 'the highest lifetime ever in force counts');
    assert.equal((await context.store.getGrant('cut-off-grant'))?.endReason, 'client_cut_off');
    assert.equal((await context.store.getGrant('other-grant'))?.endedAt, null);
    assert.equal((await context.store.getGrant('newer-grant'))?.endedAt, null);
    assert.equal((await context.store.getSession('cut-off-1'))?.endedAt, null);
  });

  test('disabling a client cuts it off', async () => {
    const { client_id: clientId } = doneValue(await createClient(context, actor, confidential));
    const disabled = doneValue(await updateClient(context, actor, { clientId, changes: { disabled: true } }));
    assert.equal(disabled.epoch, 1);
    const again = doneValue(await updateClient(context, actor, { clientId, changes: { disabled: true } }));
    assert.equal(again.epoch, 1);
    assert.equal((await context.store.readEvents({ clientId, types: ['client.epoch_raised'], limit: 5 })).length, 1);
  });

  test('a removed client leaves no live grant, and the edges hear of it', async () => {
    const { client_id: clientId } = doneValue(await createClient(context, actor, confidential));
    const session = sessionOf('someone', 'removal-1', context.now());
    await context.store.commit([
      { change: 'create-session', session },
      { change: 'create-grant', grant: grantOf(session, clientId, 'removal-grant', context.now(), 'offline') },
    ]);
    assert.deepEqual(doneValue(await removeClient(context, actor, { clientId, version: 1 })), {
      sessions: 0,
      grants: 1,
    });
    assert.equal(doneValue(await getGrant(context, 'removal-grant')).endReason, 'client_removed');
    assert.partialDeepStrictEqual(await getClient(context, clientId), { reason: 'not_found' });
    const types = (await context.store.readEvents({ clientId, limit: 20 })).map(({ type }) => type);
    assert.ok(types.includes('client.removed') && types.includes('client.epoch_raised'));
  });

  test('changes that expect another version are stale', async () => {
    const { client_id: clientId } = doneValue(await createClient(context, actor, confidential));
    const stale = { kind: 'refuse', stale: true };
    assert.partialDeepStrictEqual(await updateClient(context, actor, { clientId, changes: {}, version: 9 }), stale);
    assert.partialDeepStrictEqual(await removeClient(context, actor, { clientId, version: 9 }), stale);
    assert.partialDeepStrictEqual(await cutOffClient(context, actor, { clientId, version: 9 }), stale);
  });

  test('the list has each client once', async () => {
    const ids: string[] = [];
    let next: string | undefined;
    do {
      const page = doneValue(await listClients(context, { limit: 3, after: next }));
      ids.push(...page.items.map(({ client_id }) => client_id));
      next = page.next;
    } while (next !== undefined);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.length > 5);
  });
});
