import assert from 'node:assert/strict';
import test from 'node:test';
import { becauseOf, makeSignedInStage, makeStage } from '../../testing/signed-in-client.ts';
import { memoryStorage, type TokenStorage } from './token-storage.ts';

const rubbish: [name: string, text: string][] = [
  ['no JSON', '{"access_token":'],
  ['another program', '"hello"'],
  ['null', 'null'],
  ['a list', '[]'],
  ['a set without access token', '{"token_type":"Bearer","receivedAt":1}'],
  ['an unknown token type', '{"access_token":"a","token_type":"MAC","receivedAt":1}'],
  ['a bound set without its key', '{"access_token":"a","token_type":"DPoP","receivedAt":1}'],
  ['a refresh token that is a number', '{"access_token":"a","token_type":"Bearer","receivedAt":1,"refresh_token":7}'],
  ['an expiry that is text', '{"access_token":"a","token_type":"Bearer","receivedAt":1,"expiresAt":"2"}'],
  ['an empty text', ''],
];

for (const [name, text] of rubbish) {
  test(`a storage that holds ${name} is emptied and asks for sign-in once: storage_corrupt`, async (t) => {
    const storage = memoryStorage();
    const stage = await makeStage(t, { storage });
    const key = `tessera:${stage.server.origin}/:web:tokens`;
    await storage.set(key, text);
    await assert.rejects(stage.client.getAccessToken(), becauseOf('storage_corrupt'));
    assert.equal(await storage.get(key), undefined);
    await assert.rejects(stage.client.getAccessToken(), { code: 'sign_in_required' });
    assert.deepEqual(stage.required, ['storage_corrupt']);
  });
}

test('showing who is signed in does not fail on a corrupt storage', async (t) => {
  const storage = memoryStorage();
  const { client, server } = await makeStage(t, { storage });
  await storage.set(`tessera:${server.origin}/:web:tokens`, 'rubbish');
  assert.equal(await client.getUser(), undefined);
  assert.equal(await client.getTokens(), undefined);
});

/** A storage that has no room for tokens while it is full. */
function fillableStorage(): { storage: TokenStorage; isFull: boolean } {
  const inner = memoryStorage();
  const disk = {
    isFull: false,
    storage: {
      ...inner,
      set: (key: string, value: string) => {
        if (disk.isFull && key.endsWith(':tokens')) throw new Error(`no room for ${value}`);
        return inner.set(key, value);
      },
    },
  };
  return disk;
}

test('an adapter that throws is storage_unavailable, and its message, which may quote the value, is not passed on', async (t) => {
  const disk = fillableStorage();
  const { storage } = disk;
  const stage = await makeSignedInStage(t, { storage });
  disk.isFull = true;
  const error = await stage.client.refresh().catch((reason: unknown) => reason);
  assert.ok(error instanceof Error);
  assert.equal((error as Error & { code: string }).code, 'storage_unavailable');
  assert.ok(!error.message.includes('rt~') && error.cause === undefined);
  disk.isFull = false;
  await stage.client.refresh();
  assert.deepEqual(stage.required, [], 'the server gave the same successor again');
});

test('D1: tokens that could not be written are used from memory, and written once there is room', async (t) => {
  const disk = fillableStorage();
  const { storage } = disk;
  const stage = await makeSignedInStage(t, { storage });
  const before = await stage.client.getTokens();
  disk.isFull = true;
  await assert.rejects(stage.client.refresh(), { code: 'storage_unavailable' });
  // Far beyond the time in which the server gives the same successor to a spent token.
  stage.pass(3600);
  await assert.rejects(stage.client.refresh(), { code: 'storage_unavailable' });
  assert.equal(stage.server.count('/token', 'refresh_token'), 2);
  const held = await stage.client.getTokens();
  assert.notEqual(held?.access_token, before?.access_token);
  disk.isFull = false;
  assert.deepEqual(await stage.client.getTokens(), held);
  assert.equal(await storage.get(`tessera:${stage.server.origin}/:web:tokens`), JSON.stringify(held));
  assert.deepEqual(stage.required, [], 'a full storage signs nobody out');
});

test('what another tab wrote or removed is newer than tokens that could not be written', async (t) => {
  const disk = fillableStorage();
  const { storage } = disk;
  const stage = await makeSignedInStage(t, { storage });
  disk.isFull = true;
  await assert.rejects(stage.client.refresh(), { code: 'storage_unavailable' });
  await storage.remove(`tessera:${stage.server.origin}/:web:tokens`);
  assert.equal(await stage.client.getTokens(), undefined);
});

test('signing out with a full storage revokes the newest refresh token and forgets it', async (t) => {
  const disk = fillableStorage();
  const { storage } = disk;
  const stage = await makeSignedInStage(t, { storage });
  disk.isFull = true;
  await assert.rejects(stage.client.refresh(), { code: 'storage_unavailable' });
  assert.deepEqual(await stage.client.signOut(), { revocation: 'done' });
  assert.equal(await stage.client.getTokens(), undefined);
});

test('B5: by default nothing is written anywhere but memory; an adapter sees one key', async (t) => {
  const inner = memoryStorage();
  const written = new Set<string>();
  const storage: TokenStorage = {
    ...inner,
    set: (key, value) => {
      written.add(key);
      return inner.set(key, value);
    },
  };
  const stage = await makeSignedInStage(t, { storage });
  await stage.client.refresh();
  await stage.client.fetch(`${stage.server.origin}/api`);
  assert.deepEqual([...written], [`tessera:${stage.server.origin}/:web:tokens`]);
});

test('an adapter may answer later, and with null', async (t) => {
  const inner = new Map<string, string>();
  const later = <T>(value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), 1));
  const storage: TokenStorage = {
    reach: 'browser',
    get: (key) => later(inner.get(key) ?? null),
    set: (key, value) => later(void inner.set(key, value)),
    remove: (key) => later(void inner.delete(key)),
  };
  const stage = await makeSignedInStage(t, { storage });
  assert.equal((await stage.client.fetch(`${stage.server.origin}/api`)).status, 200);
  await stage.client.signOut();
  assert.equal(inner.size, 0);
});
