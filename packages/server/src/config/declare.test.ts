import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { largestAllowedSkew } from '@tessera/protocol';
import { matchesClientSecret } from '../secrets/client-secret.ts';
import { Passwords } from '../secrets/password.ts';
import { systemRandom } from '../secrets/random.ts';
import { type RootKey, RootKeys } from '../secrets/root-keys.ts';
import { unseal } from '../secrets/sealed.ts';
import { rememberRemoved } from '../sessions/removed-client.ts';
import type { ClientRecord, UserRecord } from '../store/records.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import type { EventRecord, Store } from '../store/store.ts';
import { type Applied, applyDeclarations, type Declaring } from './declare.ts';
import { type ConfigError, type ConfigFile, parseConfig } from './schema.ts';

const issuer = 'https://auth.example.com';
const secret = '8kR2b7Zp1QwX5vNc3LfT9yH6';
const hmacSecret = 'q3V8nT0yXk2LrB7mWc5ZpHs9DgJ4fAeU6iOoYx1KtRb=';
const passwords = new Passwords();
const oldKey: RootKey = { id: 'AAAAAA', secret: Buffer.alloc(32, 1), state: 'current' };
const newKey: RootKey = { id: 'BAAAAA', secret: Buffer.alloc(32, 2), state: 'current' };
const rootKeys = new RootKeys([oldKey]);
const nothing: Applied = {
  users: { created: [], changed: [] },
  clients: { created: [], changed: [], disabled: [] },
  resourceServers: { created: [], changed: [], released: [] },
};
const full: Partial<ConfigFile> = {
  users: [{ username: 'Ada', email: 'ada@example.com', password: 'correct horse', roles: ['clerk'] }],
  clients: [
    { client_id: 'web', redirect_uris: ['https://shop.example.com/callback'], lifetimes: { idle: 60, absolute: 180 } },
    { client_id: 'api', client_secret: secret, logo_uri: 'https://a.example/l.svg' },
  ],
  resourceServers: [
    {
      id: 'orders',
      audiences: ['https://api.example.com/orders'],
      scopes: { 'orders:write': { description: 'Change your orders' }, 'orders:read': {} },
      roles: { clerk: ['orders:write'] },
      algorithm: 'HS256',
      secret: hmacSecret,
      clients: ['api'],
      accessTokenLifetime: 300,
    },
  ],
};

let store: Store;
let now = 1_800_000_000;

beforeEach(async () => {
  store = await openSqliteStore({ file: ':memory:' });
});
afterEach(() => store.close());

function apply(file: Partial<ConfigFile>, changed: Partial<Declaring> = {}): Promise<Applied> {
  now += 60;
  const declaring = { store, rootKeys, passwords, now, random: systemRandom, ...changed };
  return applyDeclarations(parseConfig({ issuer, ...file }), declaring);
}

async function user(name = 'ada'): Promise<UserRecord> {
  return (await store.findUser(name)) ?? assert.fail(`there is no user ${name}`);
}

async function client(id: string): Promise<ClientRecord> {
  return (await store.get('client', id)) ?? assert.fail(`there is no client ${id}`);
}

function events(): Promise<EventRecord[]> {
  return store.readEvents({ limit: 100 });
}

async function position(): Promise<number> {
  return (await store.position()).position;
}

async function refusal(promise: Promise<unknown>): Promise<string[]> {
  const error = await promise.then(
    () => assert.fail('it should have been refused'),
    (thrown: ConfigError) => thrown,
  );
  assert.equal(error.code, 'config_invalid');
  return error.problems;
}

describe('the first start', () => {
  test('creates everything the file declares, each with its event', async () => {
    assert.deepEqual(await apply(full), {
      users: { created: ['Ada'], changed: [] },
      clients: { created: ['web', 'api'], changed: [], disabled: [] },
      resourceServers: { created: ['orders'], changed: [], released: [] },
    });
    const found = await events();
    assert.deepEqual(
      found.map(({ type }) => type),
      ['resource_server.created', 'client.created', 'client.created', 'user.created'],
    );
    for (const event of found) assert.deepEqual(event.actor, { kind: 'server' });
  });

  test('stores a client whole, and of its secret only a keyed digest', async () => {
    await apply(full);
    const api = await client('api');
    const { secretDigests, ...rest } = api;
    assert.equal(secretDigests.length, 1);
    assert.ok(matchesClientSecret(rootKeys, secret, secretDigests[0] ?? ''));
    assert.ok(!JSON.stringify(api).includes(secret));
    assert.deepEqual(rest, {
      clientId: 'api',
      version: 1,
      name: 'api',
      authMethod: 'client_secret_basic',
      jwks: [],
      redirectUris: [],
      postLogoutRedirectUris: [],
      grantTypes: ['client_credentials'],
      scopes: [],
      defaultResources: [],
      resources: 'any',
      strategy: 'sliding-revocable',
      lifetimes: {},
      rotation: true,
      pkce: 'required',
      dpop: 'optional',
      consent: 'ask',
      offlineAccess: false,
      idTokenAlgorithm: 'RS256',
      epoch: 0,
      disabled: false,
      logoUri: 'https://a.example/l.svg',
      declared: true,
      createdAt: now,
      updatedAt: now,
    });
    assert.deepEqual((await client('web')).scopes, ['openid', 'profile', 'email']);
  });

  test('stores a resource server whole, its secret sealed', async () => {
    await apply(full);
    const server = await store.get('resource_server', 'orders');
    const { encryptedSecret = '', ...rest } = server ?? assert.fail();
    assert.equal(unseal(rootKeys, 'stored-secret', encryptedSecret), hmacSecret);
    assert.deepEqual(rest, {
      resourceServerId: 'orders',
      version: 1,
      name: 'orders',
      audiences: ['https://api.example.com/orders'],
      scopes: { 'orders:write': { description: 'Change your orders' }, 'orders:read': {} },
      roles: { clerk: ['orders:write'] },
      tokenFormat: 'jwt',
      algorithm: 'HS256',
      clients: ['api'],
      accessTokenLifetime: 300,
      declared: true,
      createdAt: now,
      updatedAt: now,
    });
  });

  test('stores a user whose password is right, and no secret stands in any event or setting', async () => {
    await apply(full);
    const ada = await user();
    assert.equal(ada.email, 'ada@example.com');
    assert.deepEqual(ada.roles, ['clerk']);
    assert.ok(await passwords.verify('correct horse', ada.passwordHash));
    const settings = await store.list('setting', { limit: 10, prefix: 'declared-user' });
    assert.equal(settings.items.length, 1);
    assert.doesNotMatch(JSON.stringify([settings, await events()]), /correct horse|8kR2b7|q3V8n|ada@example/);
  });
});

test('a second start writes nothing and appends no event', async () => {
  await apply(full);
  const before = await position();
  const records = [
    await user(),
    await client('web'),
    await client('api'),
    await store.get('resource_server', 'orders'),
  ];
  assert.deepEqual(await apply(full), nothing);
  assert.equal(await position(), before);
  assert.deepEqual(
    [await user(), await client('web'), await client('api'), await store.get('resource_server', 'orders')],
    records,
  );
});

describe('a client of the file', () => {
  test('that changed is written once, with an event that names the keys and no values', async () => {
    await apply(full);
    await store.commit([{ change: 'put', kind: 'client', expect: 1, record: { ...(await client('web')), epoch: 3 } }]);
    const clients = [{ ...full.clients![0]!, client_name: 'Shop', scope: 'openid' }, full.clients![1]!];
    const applied = await apply({ ...full, clients });
    assert.deepEqual(applied, { ...nothing, clients: { created: [], changed: ['web'], disabled: [] } });
    const web = await client('web');
    assert.deepEqual([web.version, web.name, web.scopes, web.epoch], [3, 'Shop', ['openid'], 3]);
    const last = (await events()).at(-1);
    assert.equal(last?.type, 'client.changed');
    assert.deepEqual(last?.data, { changed: ['name', 'scopes'], by: 'configuration file' });
  });

  test('A13 that was removed and is named again begins in the epoch that cut it off: what was issued before stays dead', async () => {
    await apply(full);
    const { version, clientId, epoch } = await client('web');
    await store.commit([
      { change: 'remove', kind: 'client', id: clientId, expect: version },
      await rememberRemoved(store, { clientId, epoch: epoch + 1 }),
    ]);
    assert.deepEqual((await apply(full)).clients.created, ['web']);
    assert.equal((await client('web')).epoch, epoch + 1);
  });

  test('with a new secret accepts that one alone', async () => {
    await apply(full);
    const replaced = 'Zx81mQp2Lw9vTn4Rb7Ke3Hs6';
    await apply({ ...full, clients: [full.clients![0]!, { client_id: 'api', client_secret: replaced }] });
    const { secretDigests } = await client('api');
    assert.equal(secretDigests.length, 1);
    assert.ok(matchesClientSecret(rootKeys, replaced, secretDigests[0] ?? ''));
  });

  test('keeps its digest while its root key is accepted, and gets a new one when that is refused', async () => {
    await apply(full);
    const { secretDigests } = await client('api');
    const both = new RootKeys([newKey, { ...oldKey, state: 'accepted' }]);
    await apply(full, { rootKeys: both });
    assert.deepEqual((await client('api')).secretDigests, secretDigests);
    const refused = new RootKeys([newKey, { ...oldKey, state: 'refused' }]);
    const applied = await apply(full, { rootKeys: refused });
    assert.deepEqual(applied.clients.changed, ['api']);
    assert.ok(matchesClientSecret(refused, secret, (await client('api')).secretDigests[0] ?? ''));
    assert.deepEqual(await apply(full, { rootKeys: refused }), nothing);
  });

  test('that left the file is disabled with an event, once, and comes back with the file', async () => {
    await apply(full);
    const only = { ...full, clients: [full.clients![1]!] };
    assert.deepEqual((await apply(only)).clients, { created: [], changed: [], disabled: ['web'] });
    const web = await client('web');
    assert.deepEqual([web.declared, web.disabled, web.version], [false, true, 2]);
    const [told, cut] = (await events()).slice(-2);
    assert.equal(told?.clientId, 'web');
    assert.deepEqual(told?.data, { changed: ['declared', 'disabled'], by: 'configuration file', left: true });
    assert.equal(web.epoch, 1);
    assert.deepEqual(
      [cut?.type, cut?.clientId, cut?.data, cut?.audiences, cut?.until],
      ['client.epoch_raised', 'web', { epoch: 1 }, null, now + 900 + largestAllowedSkew],
    );
    assert.deepEqual(await apply(only), nothing);
    assert.deepEqual((await apply(full)).clients.changed, ['web']);
    assert.deepEqual([(await client('web')).declared, (await client('web')).disabled], [true, false]);
  });

  test('that the file disables is cut off at once, and only once', async () => {
    await apply(full);
    const clients = [{ ...full.clients![0]!, disabled: true }, full.clients![1]!];
    await apply({ ...full, clients });
    const web = await client('web');
    assert.deepEqual([web.disabled, web.epoch, web.version], [true, 1, 2]);
    const last = (await events()).at(-1);
    assert.deepEqual([last?.type, last?.data], ['client.epoch_raised', { epoch: 1 }]);
    assert.deepEqual(await apply({ ...full, clients }), nothing);
  });

  test('taken over from the admin API in the midst of a change of its secret keeps it without end', async () => {
    await apply(full);
    const api = await client('api');
    const expiring = `${api.secretDigests[0]}.${now + 60}`;
    const record = { ...api, secretDigests: ['AAAAAA.other', expiring], declared: false };
    await store.commit([{ change: 'put', kind: 'client', expect: api.version, record }]);
    await apply(full);
    assert.deepEqual((await client('api')).secretDigests, api.secretDigests);
  });

  test('leaves clients alone that the admin API made', async () => {
    await apply(full);
    const made = { ...(await client('web')), clientId: 'made', declared: false };
    await store.commit([{ change: 'put', kind: 'client', expect: 'absent', record: made }]);
    assert.deepEqual(await apply(full), nothing);
    assert.equal((await client('made')).disabled, false);
  });
});

describe('a user of the file', () => {
  async function setPassword(password: string) {
    const record = { ...(await user()), passwordHash: await passwords.hash(password) };
    await store.commit([{ change: 'put', kind: 'user', expect: record.version, record }]);
  }

  test('keeps the password they chose since, at each further start', async () => {
    await apply(full);
    await setPassword('my own choice');
    assert.deepEqual(await apply(full), nothing);
    assert.ok(await passwords.verify('my own choice', (await user()).passwordHash));
  });

  test('gets the password of the file when that changed, and is signed out everywhere', async () => {
    await apply(full);
    await setPassword('my own choice');
    await startSession((await user()).userId);
    const users = [{ ...full.users![0]!, password: 'a new start' }];
    assert.deepEqual((await apply({ ...full, users })).users.changed, ['Ada']);
    assert.ok(await passwords.verify('a new start', (await user()).passwordHash));
    assert.equal((await store.getSession('sid'))?.endReason, 'password_changed');
    assert.deepEqual(await apply({ ...full, users }), nothing);
  });

  test('may be given a hash instead, applied as it is', async () => {
    const passwordHash = await passwords.hash('from a hash');
    const users = [{ username: 'ada', passwordHash }];
    await apply({ users });
    assert.equal((await user()).passwordHash, passwordHash);
    await setPassword('my own choice');
    assert.deepEqual(await apply({ users }), nothing);
  });

  test('keeps their choice across a rotation of the root keys, and when the old one is refused', async () => {
    await apply(full);
    await setPassword('my own choice');
    const both = new RootKeys([newKey, { ...oldKey, state: 'accepted' }]);
    const before = await position();
    assert.deepEqual((await apply(full, { rootKeys: both })).users, nothing.users);
    assert.equal(await position(), before);
    await apply(full, { rootKeys: new RootKeys([newKey, { ...oldKey, state: 'refused' }]) });
    assert.ok(await passwords.verify('my own choice', (await user()).passwordHash));
  });

  test('keeps their choice when only a refused root key knows what was applied', async () => {
    await apply(full);
    await setPassword('my own choice');
    const refused = new RootKeys([newKey, { ...oldKey, state: 'refused' }]);
    await apply(full, { rootKeys: refused });
    assert.ok(await passwords.verify('my own choice', (await user()).passwordHash));
    const users = [{ ...full.users![0]!, password: 'a new start' }];
    await apply({ ...full, users }, { rootKeys: refused });
    assert.ok(await passwords.verify('a new start', (await user()).passwordHash));
  });

  test('keeps what the file does not name', async () => {
    await apply(full);
    const changed = { ...(await user()), emailVerified: true, claims: { name: 'Ada L.' }, roles: ['admin'] };
    await store.commit([{ change: 'put', kind: 'user', expect: 1, record: changed }]);
    assert.deepEqual((await apply(full)).users.changed, ['Ada']);
    const ada = await user();
    assert.deepEqual([ada.roles, ada.emailVerified, ada.claims], [['clerk'], true, { name: 'Ada L.' }]);
    assert.deepEqual((await events()).at(-1)?.data, { changed: ['roles'], by: 'configuration file' });
  });

  test('that the file disables is signed out everywhere', async () => {
    await apply(full);
    const { userId } = await user();
    await startSession(userId);
    await apply({ ...full, users: [{ ...full.users![0]!, disabled: true }] });
    assert.equal((await user()).disabled, true);
    const session = await store.getSession('sid');
    assert.deepEqual([session?.endReason, session?.endedAt], ['user_disabled', now]);
    const ended = (await events()).find(({ type }) => type === 'session.ended');
    assert.equal(ended?.until, now + 900 + largestAllowedSkew);
  });

  test('is remembered by the edges as long as the longest token that was ever possible', async () => {
    const clients = [{ ...full.clients![0]!, lifetimes: { accessToken: 7200 } }];
    await apply({ ...full, resourceServers: [], clients });
    await apply({ ...full, resourceServers: [], clients: [full.clients![0]!] });
    await startSession((await user()).userId);
    await apply({ ...full, resourceServers: [], users: [{ ...full.users![0]!, disabled: true }] });
    const ended = (await events()).find(({ type }) => type === 'session.ended');
    assert.equal(ended?.until, now + 7200 + largestAllowedSkew);
  });

  test('that left the file stays', async () => {
    await apply(full);
    assert.deepEqual((await apply({ ...full, users: [] })).users, nothing.users);
    assert.equal((await user()).disabled, false);
  });

  test('is not somebody whose e-mail address is the name: that is refused', async () => {
    await apply({ users: [{ username: 'bob', email: 'ada@example.com', password: 'bob’s password' }] });
    const lines = await refusal(apply({ users: [{ username: 'ada@example.com', password: 'evil password' }] }));
    assert.deepEqual(lines, [
      'users[0]: its username or email belongs to another user of the store; rename that one, or choose another here',
    ]);
    assert.ok(await passwords.verify('bob’s password', (await user('bob')).passwordHash));
  });

  test('may take the address another one of the file gives up, whatever their order', async () => {
    await apply({
      users: [
        { username: 'ada', email: 'one@example.com' },
        { username: 'bob', email: 'two@example.com' },
        { username: 'cyd', email: 'three@example.com' },
      ],
    });
    await apply({
      users: [
        { username: 'ada', email: 'two@example.com' },
        { username: 'bob', email: 'three@example.com' },
        { username: 'cyd', email: 'four@example.com' },
      ],
    });
    assert.equal((await store.findUser('two@example.com'))?.username, 'ada');
    assert.equal((await store.findUser('three@example.com'))?.username, 'bob');
  });
});

describe('a resource server of the file', () => {
  const server = { id: 'orders', audiences: ['https://api.example.com/orders'] };

  test('that changed is written once', async () => {
    await apply({ resourceServers: [server] });
    const changed = { ...server, roles: { clerk: ['orders:write'] } };
    assert.deepEqual((await apply({ resourceServers: [changed] })).resourceServers.changed, ['orders']);
    assert.deepEqual((await events()).at(-1)?.data, {
      resourceServerId: 'orders',
      by: 'configuration file',
      changed: ['roles'],
    });
    assert.deepEqual(await apply({ resourceServers: [changed] }), nothing);
  });

  test('is the same whatever the order in which its scopes stand', async () => {
    await apply({ resourceServers: [{ ...server, scopes: { a: {}, b: {} } }] });
    assert.deepEqual(await apply({ resourceServers: [{ ...server, scopes: { b: {}, a: {} } }] }), nothing);
  });

  test('that left the file is released and stays', async () => {
    await apply({ resourceServers: [server] });
    assert.deepEqual((await apply({})).resourceServers.released, ['orders']);
    const record = await store.get('resource_server', 'orders');
    assert.deepEqual([record?.declared, record?.audiences], [false, server.audiences]);
    assert.deepEqual(await apply({}), nothing);
  });

  test('may be renamed: its audiences go to the new one', async () => {
    await apply({ resourceServers: [server] });
    await apply({ resourceServers: [{ ...server, id: 'orders-2' }] });
    assert.deepEqual((await store.get('resource_server', 'orders'))?.audiences, []);
    assert.deepEqual((await store.get('resource_server', 'orders-2'))?.audiences, server.audiences);
  });

  test('cannot take an audience from one that the admin API made', async () => {
    await apply({ resourceServers: [server] });
    await apply({});
    assert.deepEqual(await refusal(apply({ resourceServers: [{ ...server, id: 'orders-2' }] })), [
      'resourceServers[0]: one of its audiences belongs to another resource server of the store; remove it there, or choose another here',
    ]);
  });

  test('gets its secret sealed anew when the root key that sealed it is refused', async () => {
    await apply(full);
    const refused = new RootKeys([newKey, { ...oldKey, state: 'refused' }]);
    assert.deepEqual((await apply(full, { rootKeys: refused })).resourceServers.changed, ['orders']);
    const record = await store.get('resource_server', 'orders');
    assert.equal(unseal(refused, 'stored-secret', record?.encryptedSecret ?? ''), hmacSecret);
  });
});

describe('nodes that start at once', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-declare-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  test('end with one of each, created once', async () => {
    const file = join(folder, 'store.db');
    const nodes = await Promise.all([1, 2, 3].map(() => openSqliteStore({ file })));
    try {
      const all = await Promise.all(nodes.map((node) => apply(full, { store: node })));
      const created = all.flatMap(({ users, clients, resourceServers }) => [
        ...users.created,
        ...clients.created,
        ...resourceServers.created,
      ]);
      assert.deepEqual(created.sort(), ['Ada', 'api', 'orders', 'web']);
      const users = await nodes[0]!.searchUsers('', { limit: 10 });
      assert.deepEqual(
        users.items.map(({ username, version }) => [username, version]),
        [['Ada', 1]],
      );
      assert.equal((await nodes[0]!.list('setting', { limit: 10, prefix: 'declared-user' })).items.length, 1);
      assert.equal((await nodes[0]!.readEvents({ limit: 100 })).length, 4);
    } finally {
      await Promise.all(nodes.map((node) => node.close()));
    }
  });
});

async function startSession(userId: string): Promise<void> {
  await store.commit([
    {
      change: 'create-session',
      session: {
        sid: 'sid',
        version: 1,
        userId,
        cookieDigest: 'digest',
        authTime: now,
        amr: ['pwd'],
        acr: '1',
        createdAt: now,
        origin: { ip: '192.0.2.1', userAgent: 'test' },
        lastSeenAt: now,
        ssoIdle: 3600,
        ssoUntil: now + 3600,
        endsAt: now + 7200,
        endedAt: null,
        endReason: null,
      },
    },
  ]);
}
