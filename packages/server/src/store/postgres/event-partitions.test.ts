import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { sampleTime } from '../sample-records.ts';
import type { NewEvent, Store } from '../store.ts';
import { openPostgresStore } from './open.ts';
import { migrations } from './schema.ts';
import {
  connectTo,
  findPostgres,
  howToInstall,
  openEngine,
  query,
  startTestPostgres,
  type TestPostgres,
} from './test-postgres.ts';

const bin = findPostgres();
const skip = bin === undefined ? howToInstall : false;
if (skip) console.error(skip);

const now = sampleTime;
const firstBound = 131_072;
const day = 86_400;
let server: TestPostgres;

before(async () => {
  if (bin !== undefined) server = await startTestPostgres(bin);
});
after(() => server?.remove());

type Case = Awaited<ReturnType<typeof openEngine>> & { sql: Sql; connect(): Promise<pg.Client> };
type Sql = <Row extends pg.QueryResultRow>(text: string) => Promise<Row[]>;

function on(title: string, body: (engine: Case) => Promise<void>): void {
  test(title, { skip }, async () => {
    const engine = await openEngine(server);
    const clients: pg.Client[] = [];
    try {
      const sql: Sql = (text) => query(server.connectionString, `SET search_path = ${engine.schema}; ${text}`);
      await body({
        ...engine,
        sql,
        async connect() {
          const client = await connectTo(server, engine.schema);
          clients.push(client);
          return client;
        },
      });
    } finally {
      for (const client of clients) await client.end();
      await engine.close();
    }
  });
}

on('the log goes on in a new partition before the last is full, without a hole', async ({ store, sql }) => {
  assert.deepEqual(await partitions(sql), ['events_1']);
  await append(sql, 30_000);
  await store.position();
  await append(sql, firstBound - 96_000);
  await store.position();
  assert.deepEqual(await partitions(sql), ['events_1'], 'there is room');
  await append(sql, 1000);
  await store.position();
  assert.deepEqual(await partitions(sql), ['events_1', `events_${firstBound}`]);
  await append(sql, 65_500);
  await store.commit([], [told('after')]);
  const events = await store.readEvents({ afterPosition: firstBound - 3, limit: 10_000 });
  assert.deepEqual(
    events.map(({ position }) => position),
    Array.from({ length: 504 }, (_, index) => firstBound - 2 + index),
  );
  assert.equal(events.at(-1)?.sid, 'after');
  const plan = await sql<{ 'QUERY PLAN': string }>(
    `EXPLAIN SELECT * FROM events WHERE position BETWEEN ${firstBound} AND ${firstBound + 10}`,
  );
  const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
  assert.ok(lines.includes(`events_${firstBound}`) && !lines.includes('events_1_pkey'), lines);
});

on('a commit of more events than any partition has room for is placed all the same', async ({ store, sql }) => {
  await append(sql, firstBound + 70_000, { batch: 1 });
  assert.equal((await store.position()).position, firstBound + 70_000);
  await store.commit([], [told('after')]);
  assert.equal((await store.readEvents({ newestFirst: true, limit: 1 }))[0]?.position, firstBound + 70_001);
});

on('whoever holds the table keeps nobody from reading and writing: the partition is made later', async (engine) => {
  const { store, sql } = engine;
  await append(sql, firstBound - 60_000);
  const holder = await engine.connect();
  // What ANALYZE takes.
  await holder.query('BEGIN; LOCK TABLE ONLY events IN SHARE UPDATE EXCLUSIVE MODE');
  assert.equal((await store.position()).position, firstBound - 60_000);
  assert.deepEqual(await partitions(sql), ['events_1']);
  await holder.query('COMMIT');
  await store.commit([], [told('next')]);
  await store.position();
  assert.equal((await partitions(sql)).length, 2);
});

on('retention drops a partition once all of it is old and no edge must remember any of it', async ({ store, sql }) => {
  await fillTwo(store, sql);
  const sweep = (at: number, eventsBefore: number) =>
    store.sweep({ now: at, endedBefore: 0, eventsBefore, limit: 1_000_000 });
  const matters: NewEvent = { ...told('s'), type: 'session.ended', audiences: null, until: now + 1000 };
  await sql(`UPDATE events SET until = ${now + 1000} WHERE position = ${firstBound - 5}`);
  await store.commit([], [matters]);
  assert.equal((await sweep(now, now)).events, 0, 'not old yet');
  assert.equal((await sweep(now, now + 1)).events, firstBound - 6);
  assert.ok((await partitions(sql)).includes('events_1'), 'one of its events matters');
  assert.equal((await store.readEvents({ limit: 1 }))[0]?.position, firstBound - 5);
  await sweep(now + 1000, now + 1);
  assert.ok(!(await partitions(sql)).includes('events_1'));
  const { position } = await store.position();
  assert.deepEqual(await store.readEvents({ limit: 10 }), [], 'all are old');
  await store.commit([], [told('young')]);
  assert.deepEqual(
    (await store.readEvents({ limit: 10 })).map((event) => event.position),
    [position + 1],
  );
});

on('sweeps of many nodes at once count each event once and leave the same log', async ({ store, another, sql }) => {
  await fillTwo(store, sql);
  const nodes = [store, await another(), await another()];
  const bounds = { now: now + 5000, endedBefore: 0, eventsBefore: now + 1, limit: 1_000_000 };
  const swept: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const results = await Promise.all(nodes.map((node) => node.sweep(bounds)));
    swept.push(...results.map(({ events }) => events));
  }
  assert.equal(
    swept.reduce((sum, events) => sum + events),
    (await store.position()).position,
  );
  assert.ok(!(await partitions(sql)).includes('events_1'));
});

on('what the last partitions hold of long ago is removed row by row', async ({ store, sql }) => {
  await store.commit([], [told('a'), told('b')]);
  const sweep = (eventsBefore: number) => store.sweep({ now: now + 9999, endedBefore: 0, eventsBefore, limit: 100 });
  await sweep(now + 1);
  const rows = () => sql<{ n: string }>('SELECT count(*) AS n FROM events');
  assert.equal((await rows())[0]?.n, '2', 'out of sight, and not worth a write yet');
  assert.deepEqual(await store.readEvents({ limit: 9 }), []);
  await sweep(now + 2 * day + 1);
  assert.equal((await rows())[0]?.n, '0');
});

on('a dump under way keeps a partition from being dropped, and nobody from anything else', async (engine) => {
  const { store, another, sql } = engine;
  await fillTwo(store, sql);
  const other = await another();
  const dump = await engine.connect();
  await dump.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM events');
  let isSweeping = true;
  const bounds = { now: now + 5000, endedBefore: 0, eventsBefore: now + 1, limit: 1_000_000 };
  const sweeping = store.sweep(bounds).finally(() => {
    isSweeping = false;
  });
  let commits = 0;
  while (isSweeping) {
    await other.commit([], [told('meanwhile')]);
    await other.readEvents({ limit: 1, newestFirst: true });
    commits += 1;
  }
  await sweeping;
  assert.ok(commits > 0);
  assert.ok((await partitions(sql)).includes('events_1'));
  await dump.query('COMMIT');
  await store.sweep(bounds);
  assert.ok(!(await partitions(sql)).includes('events_1'));
});

// What nodes of schema version 1 do: they append through place_events and delete what is old.
const oldSweep = (eventsBefore: number, limit: number): string => `
  WITH oldest AS MATERIALIZED (SELECT position, at, until FROM events ORDER BY position LIMIT ${limit})
  DELETE FROM events WHERE position <= (SELECT max(position) FROM oldest)
    AND position < coalesce((SELECT min(position) FROM oldest WHERE at >= ${eventsBefore} OR until > ${now}), 9223372036854775807)`;

on("D10 an old node's sweep beside, before and after the new one's, takes nothing that is kept", async (engine) => {
  const { store, sql } = engine;
  await store.commit([], [told('a'), told('b'), { ...told('c'), at: now + 10 }, { ...told('d'), at: now + 10 }]);
  const sweep = (eventsBefore: number) => store.sweep({ now, endedBefore: 0, eventsBefore, limit: 1 });
  await store.position();
  await sql(oldSweep(now + 1, 1));
  assert.deepEqual(await sids(store), ['b', 'c', 'd']);
  assert.equal((await sweep(now + 1)).events, 1);
  assert.deepEqual(await sids(store), ['c', 'd']);
  await sql(oldSweep(now + 1, 100));
  assert.deepEqual(await sids(store), ['c', 'd']);
  await sql(oldSweep(now + 11, 100));
  assert.deepEqual(await sids(store), []);
  assert.equal((await sweep(now + 11)).events, 0);
  await store.commit([], [told('e')]);
  assert.equal((await store.readEvents({ limit: 9 }))[0]?.position, 5);
});

test('D10 a log of version 1 is partitioned while old nodes go on, and is not copied', { skip }, async () => {
  const schema = 'version_1';
  const { connectionString } = server;
  const sql: Sql = (text) => query(connectionString, `SET search_path = ${schema}; ${text}`);
  await query(connectionString, `CREATE SCHEMA ${schema}`);
  await sql(migrations[0]!.sql);
  await sql('UPDATE store_state SET schema_version = 1');
  await append(sql, 5000);
  await sql('SELECT place_events(10000)');
  const [before] = await sql<{ file: string }>(`SELECT pg_relation_filenode('events') AS file`);
  const old = oldNode(schema);
  const store = await openPostgresStore({ connectionString, schema });
  assert.deepEqual(await partitions(sql), [], 'not by opening it: that would wait for the table');
  const bounds = { now, endedBefore: 0, eventsBefore: 0, limit: 10 };
  for (let tries = 0; (await partitions(sql)).length === 0; tries += 1) {
    assert.ok(tries < 200, 'waited in vain for the partitions');
    await store.sweep(bounds);
  }
  await store.commit([], [told('new')]);
  const appended = await old.stop();
  const [after] = await sql<{ file: string }>(`SELECT pg_relation_filenode('events_1') AS file`);
  assert.equal(after?.file, before?.file);
  const { position } = await store.position();
  assert.equal(position, 5000 + appended + 1);
  const events = await store.readEvents({ limit: 1_000_000 });
  assert.deepEqual(
    events.map((event) => event.position),
    Array.from({ length: position }, (_, index) => index + 1),
  );
  await store.close();
});

test('a log that reaches the bound of its first partition before it is one goes on', { skip }, async () => {
  const schema = 'bound_reached';
  const { connectionString } = server;
  const sql: Sql = (text) => query(connectionString, `SET search_path = ${schema}; ${text}`);
  await query(connectionString, `CREATE SCHEMA ${schema}`);
  await sql(migrations[0]!.sql);
  await sql('UPDATE store_state SET schema_version = 1');
  await append(sql, 5);
  await sql('SELECT place_events(10000)');
  const store = await openPostgresStore({ connectionString, schema });
  await sql('SELECT bound_events()');
  await sql('UPDATE store_state SET position = 1048500');
  await append(sql, 500);
  assert.equal((await store.position()).position, 1_049_000);
  await store.sweep({ now, endedBefore: 0, eventsBefore: 0, limit: 10 });
  assert.deepEqual(await partitions(sql), ['events_1']);
  await store.commit([], [told('after')]);
  assert.deepEqual(await sids(store), [...Array(505).fill('s'), 'after']);
  await store.close();
});

/** Leaves what many commits would, or one. */
async function append(sql: Sql, events: number, { batch }: { batch?: number } = {}): Promise<void> {
  await sql(
    `INSERT INTO event_inbox (batch, ordinal, type, at, actor, sid)
     SELECT ${batch ?? "nextval('event_batch')"}, n, 'session.started', ${now}, '{"kind":"server"}', '\\x0073'
     FROM generate_series(1, ${events}) AS n`,
  );
}

/** A log whose first partition is full. */
async function fillTwo(store: Store, sql: Sql): Promise<void> {
  await append(sql, firstBound - 60_000);
  await store.position();
  await append(sql, 60_500);
  await store.position();
  assert.ok((await partitions(sql)).length >= 2);
}

/** A node of version 1 that appends events and gives them their positions, over and over. */
function oldNode(schema: string): { stop(): Promise<number> } {
  let isRunning = true;
  let appended = 0;
  const running = (async () => {
    const client = await connectTo(server, schema);
    const insert = {
      name: 'old_insert',
      text: `INSERT INTO event_inbox (batch, ordinal, type, at, actor, sid) VALUES (nextval('event_batch'), 1, 'session.started', $1, '{"kind":"server"}', '\\x0073')`,
      values: [now],
    };
    while (isRunning) {
      await client.query(insert);
      appended += 1;
      await client.query({ name: 'old_place', text: 'SELECT place_events($1)', values: [10_000] });
      await client.query({ name: 'old_read', text: 'SELECT * FROM events WHERE position = $1', values: [appended] });
    }
    await client.end();
  })();
  return {
    async stop() {
      isRunning = false;
      await running;
      return appended;
    },
  };
}

async function partitions(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }>(
    `SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'events'::regclass ORDER BY length(relname), relname`,
  );
  return rows.map(({ name }) => name);
}

async function sids(store: Store): Promise<unknown[]> {
  return (await store.readEvents({ limit: 1000 })).map((event) => event.sid);
}

function told(sid: string): NewEvent {
  return { type: 'session.started', at: now, actor: { kind: 'server' }, sid };
}
