import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { GrantRecord } from '../records.ts';
import { sampleEnding, sampleGrant, sampleSession, sampleSetting, sampleTime } from '../sample-records.ts';
import type { Change, Store } from '../store.ts';
import { openSqliteStore, type SqliteStoreOptions } from './open.ts';
import { schemaVersion } from './schema.ts';

const now = sampleTime;
/** Longer than anything takes here on a busy machine. */
const longestMs = 60_000;
const unavailable = { code: 'store_unavailable' };
const notUsable = { code: 'store_not_usable' };

test('stores that open a new file at the same time create it once', async (t) => {
  const file = await newFile(t);
  const stores = await Promise.all([1, 2, 3, 4].map(() => openSqliteStore({ file })));
  const epochs = await Promise.all(stores.map(async (store) => (await store.position()).epoch));
  assert.equal(new Set(epochs).size, 1);
  await Promise.all(stores.map((store) => store.close()));
});

test('a new file has an epoch of its own', async (t) => {
  const [one, two] = [await opened(t), await opened(t)];
  assert.notEqual((await one.position()).epoch, (await two.position()).epoch);
});

test('the file is for its owner alone, and the only one left after closing', async (t) => {
  const file = await newFile(t);
  const store = await openSqliteStore({ file });
  await addGrant(store);
  for (const name of [file, `${file}-wal`, `${file}-shm`]) assert.equal((await stat(name)).mode & 0o077, 0, name);
  await store.close();
  assert.deepEqual(await readdir(join(file, '..')), ['store.db']);
});

test('a file of a newer schema is refused, unless its steps let older code go on', async (t) => {
  const file = await newFile(t);
  await (await openSqliteStore({ file })).close();
  alter(file, `PRAGMA user_version = ${schemaVersion + 1}`);
  await (await openSqliteStore({ file })).close();
  alter(file, `UPDATE store_state SET oldest_code = ${schemaVersion + 1}`);
  await assert.rejects(openSqliteStore({ file }), { ...notUsable, message: /needs a Tessera that knows schema/ });
});

test('what is no store is refused and left as it is', async (t) => {
  const other = await newFile(t);
  alter(other, 'CREATE TABLE other (x)');
  await assert.rejects(openSqliteStore({ file: other }), notUsable);
  const db = new DatabaseSync(other);
  assert.deepEqual(
    db
      .prepare('SELECT name FROM sqlite_schema')
      .all()
      .map((row) => row.name),
    ['other'],
  );
  db.close();
  const text = await newFile(t);
  await writeFile(text, 'not a database, but long enough to be taken for one'.repeat(100));
  await assert.rejects(openSqliteStore({ file: text }), notUsable);
  await assert.rejects(openSqliteStore({ file: '/nonexistent-folder/store.db' }), unavailable);
});

test('a full store refuses writes, goes on reading, and heals when there is room', async (t) => {
  const store = await opened(t, { maxBytes: 400 << 10 });
  const ended = await addGrants(store, 40);
  await store.commit(
    ended.map(
      ({ sid }) => ({ change: 'end-sessions', where: { sid }, offline: true, ending: sampleEnding() }) as const,
    ),
  );
  const grants: GrantRecord[] = [];
  await assert.rejects(async () => {
    for (;;) grants.push(...(await addGrants(store, 20)));
  }, unavailable);
  assert.ok(grants.length >= 20);
  await assert.rejects(addGrants(store, 20), unavailable);
  assert.deepEqual(await store.getGrant(grants[7]!.grantId), grants[7]);
  await store.commit([rotate(grants[8]!, 1)]);
  assert.equal((await store.getGrant(grants[8]!.grantId))?.generation, 2, 'what needs no room is still written');
  const swept = await store.sweep({ now, endedBefore: now + 9999, eventsBefore: now + 9999, limit: 1000 });
  assert.deepEqual([swept.sessions, swept.grants], [40, 40]);
  await addGrants(store, 20);
});

test('in a batch only the commit that finds no room fails', async (t) => {
  const store = await opened(t, { maxBytes: 400 << 10 });
  const grant = await addGrant(store);
  const huge = sampleSetting({ value: 'x'.repeat(500_000) });
  const results = await Promise.allSettled([
    store.commit([rotate(grant, 1)]),
    store.commit([{ change: 'put', kind: 'setting', expect: 'absent', record: huge }]),
    store.commit([rotate(grant, 2)]),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.equal(results[1].status === 'rejected' && results[1].reason.code, 'store_unavailable');
  assert.equal((await store.getGrant(grant.grantId))?.generation, 3);
});

test('while another process holds the lock writes wait, then are refused, then go on', async (t) => {
  const file = await newFile(t);
  const patient = await opened(t, { file });
  const store = await opened(t, { file, busyTimeoutMs: 300 });
  const grant = await addGrant(store);
  const other = new DatabaseSync(file);
  other.exec('BEGIN IMMEDIATE');
  const waiting = patient.commit([rotate(grant, 1)]);
  await delay(60);
  other.exec('COMMIT');
  assert.equal((await waiting).outcome, 'committed');
  other.exec('BEGIN IMMEDIATE');
  const results = await Promise.allSettled([store.commit([rotate(grant, 2)]), store.commit([rotate(grant, 3)])]);
  for (const result of results) assert.equal(result.status === 'rejected' && result.reason.code, 'store_unavailable');
  assert.equal((await store.getGrant(grant.grantId))?.generation, 2);
  other.exec('ROLLBACK');
  other.close();
  assert.equal((await store.commit([rotate(grant, 2)])).outcome, 'committed');
});

test('a rotation writes one page, a rotation from elsewhere two', async (t) => {
  const file = await newFile(t);
  const store = await opened(t, { file });
  const grants = await addGrants(store, 200);
  const frames = framesOf(t, file);
  const before = frames();
  await store.commit([rotate(grants[100]!, 1)]);
  assert.equal(frames() - before, 1);
  await store.commit([rotate(grants[100]!, 2, { ip: '2001:db8::1', userAgent: 'Firefox' })]);
  assert.equal(frames() - before, 3);
});

test('the log begins anew, again and again, while writes never pause', async (t) => {
  const file = await newFile(t);
  const store = await opened(t, { file, checkpointBytes: 64 << 10 });
  const grants = await addGrants(store, 64);
  const frames = framesOf(t, file);
  let restarts = 0;
  let last = 0;
  const watch = setInterval(() => {
    const count = frames();
    if (count < last) restarts += 1;
    last = count;
  }, 20);
  const until = performance.now() + longestMs;
  await Promise.all(
    grants.map(async (grant) => {
      for (let generation = 1; restarts < 3 && performance.now() < until; generation += 1) {
        await store.commit([rotate(grant, generation)], [{ type: 'grant.started', at: now, actor: { kind: 'cli' } }]);
      }
    }),
  );
  clearInterval(watch);
  assert.equal(restarts, 3);
});

test('there are threads only once there is work for them', async (t) => {
  const workers = workersOf(t);
  // As on a disk where writing takes no time: a slow one is worth a thread from the first commit on.
  t.mock.method(performance, 'now', () => 0);
  const store = await opened(t, { file: await newFile(t), checkpointBytes: 256 << 10 });
  const grant = await addGrant(store);
  assert.equal(workers.length, 0, 'little is written in place');
  for (let generation = 1; generation <= 32; generation += 1) await store.commit([rotate(grant, generation)]);
  assert.equal(workers.filter(isCheckpointer).length, 1, 'a log worth it has a thread');
});

test('who writes much writes on a thread, which ends when there is little again', async (t) => {
  const workers = workersOf(t);
  // Of the intervals none runs by itself.
  t.mock.timers.enable({ apis: ['setInterval'] });
  const store = await opened(t);
  const grant = await addGrant(store);
  let generation = 1;
  const writers = () => workers.filter((worker) => !isCheckpointer(worker));
  const until = performance.now() + longestMs;
  while (writers().length === 0 && performance.now() < until)
    assert.equal((await store.commit([rotate(grant, generation++)])).outcome, 'committed');
  const [writer] = writers();
  assert.ok(writer);
  let isReady = false;
  writer.once('message', () => {
    isReady = true;
  });
  // None is lost as it takes over.
  for (let more = 0; more < 500; more += isReady ? 1 : 0)
    assert.equal((await store.commit([rotate(grant, generation++)])).outcome, 'committed');
  let isThere = true;
  writer.once('exit', () => {
    isThere = false;
  });
  t.mock.timers.tick(60_000);
  await delay(50);
  assert.ok(isThere, 'there was much to write in the minute before');
  assert.equal((await store.commit([rotate(grant, generation++)])).outcome, 'committed');
  t.mock.timers.tick(60_000);
  assert.equal((await store.commit([rotate(grant, generation++)])).outcome, 'committed', 'as it ends, too');
  for (const endMs = performance.now() + longestMs; isThere && performance.now() < endMs; ) await delay(5);
  assert.ok(!isThere);
  assert.equal((await store.commit([rotate(grant, generation++)])).outcome, 'committed');
  assert.equal((await store.getGrant(grant.grantId))?.generation, generation);
});

test('much at once goes to the thread, and a commit larger than any is written too', async (t) => {
  const workers = workersOf(t);
  const store = await opened(t);
  const [grant] = await addGrants(store, 400);
  assert.equal(workers.length, 1);
  assert.equal((await store.commit([rotate(grant!, 1)])).outcome, 'committed');
  assert.equal(workers.length, 1);
});

test('when its thread dies the store refuses what was in flight and writes again', async (t) => {
  const workers = workersOf(t);
  const store = await opened(t);
  const [grant, ...others] = await addGrants(store, 400);
  const commits = [grant!, ...others.slice(0, 100)].map((one) => store.commit([rotate(one, 1)]));
  await new Promise(setImmediate);
  await workers[0]?.terminate();
  for (const result of await Promise.all(commits.map((commit) => commit.catch((error) => error.code))))
    assert.ok(result === 'store_unavailable' || result.outcome === 'committed');
  const stored = await store.getGrant(grant!.grantId);
  assert.equal((await store.commit([rotate(grant!, stored!.generation)])).outcome, 'committed');
  const again = await Promise.all(others.slice(100).map((one) => store.commit([rotate(one, 1)])));
  assert.ok(again.every(({ outcome }) => outcome === 'committed'));
  assert.equal(workers.filter((worker) => !isCheckpointer(worker)).length, 2);
});

test('a store in memory is a store, and leaves nothing behind', async (t) => {
  const folder = join(await newFile(t), '..');
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  const store = await openSqliteStore({ file: ':memory:' });
  const grant = await addGrant(store);
  assert.equal((await store.commit([rotate(grant, 1)])).outcome, 'committed');
  assert.equal((await store.getGrant(grant.grantId))?.generation, 2);
  assert.equal((await readdir(folder)).length, 1);
  await store.close();
  assert.deepEqual(await readdir(folder), []);
});

/** The threads that are started from now on. */
function workersOf(t: TestContext): Worker[] {
  const workers: Worker[] = [];
  const note = (worker: Worker) => workers.push(worker);
  process.on('worker', note);
  t.after(() => process.off('worker', note));
  return workers;
}

function isCheckpointer(worker: Worker): boolean {
  return worker.threadName === 'tessera-store-checkpointer';
}

async function newFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'store.db');
}

async function opened(t: TestContext, options: Partial<SqliteStoreOptions> = {}): Promise<Store> {
  const store = await openSqliteStore({ file: options.file ?? (await newFile(t)), ...options });
  // Before the folder goes: hooks run in the order they were added.
  t.after(() => store.close());
  return store;
}

async function addGrant(store: Store): Promise<GrantRecord> {
  const [grant] = await addGrants(store, 1);
  return grant!;
}

/** Grants in one commit, each under a session of its own. */
async function addGrants(store: Store, count: number): Promise<GrantRecord[]> {
  const sessions = Array.from({ length: count }, () => sampleSession());
  const grants = sessions.map((session) => sampleGrant(session));
  const result = await store.commit([
    ...sessions.map((session) => ({ change: 'create-session', session }) as const),
    ...grants.map((grant) => ({ change: 'create-grant', grant }) as const),
  ]);
  assert.equal(result.outcome, 'committed');
  return grants;
}

function rotate(grant: GrantRecord, expect: number, origin = grant.lastOrigin): Change {
  return {
    change: 'rotate-grant',
    grantId: grant.grantId,
    expect,
    sealKeyId: 'k1',
    at: now + expect,
    idleAt: now + 3600 + expect,
    origin,
  };
}

/** Counts the frames in the log. */
function framesOf(t: TestContext, file: string): () => number {
  const db = new DatabaseSync(file);
  t.after(() => db.close());
  const look = db.prepare('PRAGMA wal_checkpoint(NOOP)');
  return () => (look.get() as { log: number }).log;
}

function alter(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}
