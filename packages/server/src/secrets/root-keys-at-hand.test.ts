import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { parseConfig } from '../config/schema.ts';
import { createServer } from '../server.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import { readSigningKeys } from '../tokens/key-rotation.ts';
import { type RootKey, RootKeys } from './root-keys.ts';

const config = parseConfig({ issuer: 'http://localhost:8080', logLevel: 'silent' });
const own: RootKey = { id: 'AAAAAA', secret: new Uint8Array(32).fill(1), state: 'current' };
const other: RootKey = { id: 'BBBBBA', secret: new Uint8Array(32).fill(2), state: 'current' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-root-keys-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function startWith(keys: readonly RootKey[]): Promise<void> {
  const store = await openSqliteStore({ file: join(folder, 'tessera.db') });
  try {
    await (await createServer({ config, store, rootKeys: new RootKeys(keys) })).close();
  } finally {
    await store.close();
  }
}

async function keysInStore() {
  const store = await openSqliteStore({ file: join(folder, 'tessera.db') });
  try {
    return await readSigningKeys(store);
  } finally {
    await store.close();
  }
}

test("a server with another store's root keys does not start, and leaves the signing keys as they are", async () => {
  await startWith([own]);
  const before = await keysInStore();
  await assert.rejects(startWith([other]), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'root_keys_invalid');
    assert.match(error.message, /sealed under root key AAAAAA, which is not among those here \(BBBBBA\)/);
    assert.match(error.message, /bring the root keys of the servers of this store/);
    assert.ok(!error.message.includes(Buffer.from(own.secret).toString('base64url')));
    return true;
  });
  await assert.rejects(startWith([{ ...other, id: own.id }]), /it only has its id/);
  assert.deepEqual(await keysInStore(), before);
  await startWith([own]);
  assert.deepEqual(await keysInStore(), before);
});

test('a root key that is known, or that was refused, is no stranger', async () => {
  await startWith([own]);
  await startWith([other, { ...own, state: 'accepted' }]);
  await startWith([other, { ...own, state: 'refused' }]);
  const states = (await keysInStore()).map(({ state }) => state).sort();
  assert.deepEqual(states, ['current', 'current', 'current', 'retired', 'retired', 'retired']);
  await startWith([other]);
});
