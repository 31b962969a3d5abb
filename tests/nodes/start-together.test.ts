import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ConfigFile, createServer, parseConfig, type TesseraServer } from '@tessera/server';
import { RootKeys } from '../../packages/server/src/secrets/root-keys.ts';
import { openPostgresStore } from '../../packages/server/src/store/postgres/open.ts';
import {
  findPostgres,
  startTestPostgres,
  type TestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import type { Store } from '../../packages/server/src/store/store.ts';
import { testConfig } from '../test-server.ts';
import { skipWithoutPostgres as skip } from './nodes.ts';

const together = 5;
const [oldKey, newKey] = ['AAAAAA', 'AAAAAQ'].map((id) => ({ id, secret: randomBytes(32) }));
assert.ok(oldKey && newKey);
const oldRoot = new RootKeys([{ ...oldKey, state: 'current' }]);
const newRoot = new RootKeys([
  { ...newKey, state: 'current' },
  { ...oldKey, state: 'refused' },
]);

let folder: string;
let postgres: TestPostgres | undefined;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-together-'));
  const bin = findPostgres();
  if (bin !== undefined) postgres = await startTestPostgres(bin);
});
after(async () => {
  await postgres?.remove();
  await rm(folder, { recursive: true });
});

function startTogether(open: () => Promise<Store>, rootKeys: RootKeys): Promise<TesseraServer[]> {
  const config = parseConfig({ ...testConfig('http://localhost:8080') } as ConfigFile);
  return Promise.all(
    Array.from({ length: together }, async () => createServer({ config, store: await open(), rootKeys })),
  );
}

for (const [engine, open, skipped] of [
  ['SQLite', () => openSqliteStore({ file: join(folder, 'tessera.db') }), false],
  ['Postgres', () => openPostgresStore({ connectionString: postgres?.connectionString ?? '', poolSize: 4 }), skip],
] as const)
  describe(`${together} nodes that start at once on one ${engine} store`, { skip: skipped, timeout: 240_000 }, () => {
    it('declare each user, app and API once, and make one key for each algorithm', async () => {
      const servers = await startTogether(open, oldRoot);
      const [first] = servers as [TesseraServer];
      const { store } = first.context;
      const events = await store.readEvents({ limit: 1000 });
      const subjects = events
        .filter(({ type }) => /^(user|client|resource_server)\./.test(type))
        .map(({ type, userId, clientId, data }) => `${type} ${userId ?? clientId ?? JSON.stringify(data)}`);
      assert.deepEqual(subjects, [...new Set(subjects)]);
      assert.equal(events.filter(({ type }) => type === 'user.created').length, 2);
      assert.equal(events.filter(({ type }) => type === 'key.created').length, 3);
      const kids = servers.map(({ context }) => context.signingKeys.currentKid('ES256'));
      assert.equal(new Set(kids).size, 1);
      for (const server of servers) await server.close();
    });

    it('replace keys that a refused root key had encrypted once, and all sign with the same', async () => {
      const servers = await startTogether(open, newRoot);
      const [first] = servers as [TesseraServer];
      const keys = await first.context.store.list('signing_key', { limit: 100 });
      assert.deepEqual(keys.items.map(({ state }) => state).sort(), [
        'current',
        'current',
        'current',
        'retired',
        'retired',
        'retired',
      ]);
      for (const { context } of servers)
        assert.equal(context.signingKeys.currentKid('ES256'), first.context.signingKeys.currentKid('ES256'));
      for (const server of servers) await server.close();
    });
  });
