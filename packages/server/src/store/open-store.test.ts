import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig } from '../config/schema.ts';
import { RootKeys } from '../secrets/root-keys.ts';
import { createServer } from '../server.ts';
import { openStore, storeFile } from './open-store.ts';
import { inspectPostgres } from './postgres/inspect.ts';
import { schemaVersion } from './postgres/schema.ts';
import { findPostgres, howToInstall, query, startTestPostgres, type TestPostgres } from './postgres/test-postgres.ts';

const bin = findPostgres();
const skip = bin === undefined ? howToInstall : false;
if (skip) console.error(skip);

let server: TestPostgres;
let data: string;

before(async () => {
  data = await mkdtemp(join(tmpdir(), 'tessera-open-'));
  if (bin !== undefined) server = await startTestPostgres(bin);
});
after(async () => {
  await server?.remove();
  await rm(data, { recursive: true });
});

test('without a URL the store is a file in the data folder', async () => {
  const store = await openStore({ data }, assert.fail);
  assert.ok(existsSync(storeFile(data)));
  await store.close();
});

test('two servers on one database: what one changes the other serves', { skip }, async () => {
  const url = server.connectionString;
  const { clockMs, ...found } = await inspectPostgres(url);
  assert.deepEqual(found, { schema: 0, mayMakeTables: true, latestEventAt: 0, signingKeys: [] });
  assert.ok(Math.abs(clockMs - Date.now()) < 5000);
  const issuer = 'https://auth.example.com';
  const folder = join(data, 'nodes');
  const config = { ...parseConfig({ issuer, store: url, logLevel: 'silent' }), data: folder };
  const rootKeys = new RootKeys([{ id: 'AAAAAA', secret: randomBytes(32), state: 'current' }]);
  const nodes = await Promise.all([createServer({ config, rootKeys }), createServer({ config, rootKeys })]);
  try {
    assert.ok(!existsSync(storeFile(folder)));
    const keys = await Promise.all(nodes.map(async (node) => (await node.fetch(new Request(`${issuer}/jwks`))).text()));
    assert.equal(keys[0], keys[1]);
    assert.ok(keys[0]!.includes('"kid"'));
    const [one, two] = nodes;
    const heard = new Promise((resolve) => two.context.follower.subscribe(resolve));
    await one.context.store.commit(
      [],
      [{ type: 'client.changed', at: one.context.now(), actor: { kind: 'cli' }, clientId: 'x' }],
    );
    await heard;
    const seen = await inspectPostgres(url);
    assert.equal(seen.schema, schemaVersion);
    assert.ok(seen.signingKeys.length > 0);
    // A third one without their root keys would make its own, and signing keys the others cannot open.
    await assert.rejects(createServer({ config }), { code: 'root_keys_invalid' });
    assert.ok(!existsSync(join(folder, 'root-keys.json')));
  } finally {
    for (const node of nodes) await node.close();
  }
  // Postgres's processes end a moment after their connections were closed.
  const connections = () => query(url, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'tessera%'");
  for (let tries = 0; tries < 100 && (await connections()).length > 0; tries++) await sleep(50);
  assert.deepEqual(await connections(), [], 'no connection stays');
});
