import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { eventually } from '../../../../../tests/eventually.ts';
import { sampleClient, sampleEnding, sampleGrant, sampleSession, sampleTime } from '../sample-records.ts';
import type { Change, NewEvent, Store } from '../store.ts';
import { inspectPostgres } from './inspect.ts';
import { packKey } from './key.ts';
import { openPostgresStore } from './open.ts';
import { assertHeld, newGrants, rotate, rotateForever } from './test-load.ts';
import {
  connectTo,
  findPostgres,
  howToInstall,
  openEngine,
  query,
  startTestPostgres,
  type TestPostgres,
} from './test-postgres.ts';

// What only this engine can get wrong: nodes that cross, connections and servers that go away.
const bin = findPostgres();
const skip = bin === undefined ? howToInstall : false;
if (skip) console.error(skip);

// More for a long run: TESSERA_ROUNDS=10000.
const rounds = Number(process.env.TESSERA_ROUNDS ?? 2000);
const now = sampleTime;
let server: TestPostgres;

before(async () => {
  if (bin !== undefined) server = await startTestPostgres(bin);
});
after(() => server?.remove());

type Engine = Awaited<ReturnType<typeof openEngine>>;

function on(title: string, body: (engine: Engine) => Promise<void>): void {
  test(title, { skip }, async () => {
    const engine = await openEngine(server);
    try {
      await body(engine);
    } finally {
      await engine.close();
    }
  });
}

on('batches of nodes that cross: no deadlock, and each generation is won once', async ({ store, another }) => {
  const nodes = [store, await another(), await another(), await another()];
  const grantIds = await newGrants(store, 200);
  const before = await deadlocks();
  for (let generation = 1; generation <= 8; generation += 1) {
    // The nodes ask in opposite orders, and a third of the commits touches other tables too.
    const orders = [grantIds, [...grantIds].reverse(), grantIds.toSorted(), grantIds.toSorted().reverse()];
    const results = await Promise.all(
      nodes.flatMap((node, which) =>
        orders[which]!.map(async (grantId, index) => {
          const more: Change[] =
            index % 3 === 0 ? [{ change: 'fill-bucket', key: `b${index % 7}`, add: 1, leakPerSecond: 1, at: now }] : [];
          return { grantId, ...(await node.commit([...more, rotate(grantId, generation)])) };
        }),
      ),
    );
    const winners = results.filter(({ outcome }) => outcome === 'committed').map(({ grantId }) => grantId);
    assert.deepEqual(winners.sort(), [...grantIds].sort(), `generation ${generation}`);
  }
  // What a connection counted is surely told once it is closed.
  for (const node of nodes) await node.close();
  assert.equal((await deadlocks()) - before, 0);
});

on('one grant many times in a batch: generation by generation, and of equals the first', async ({ store }) => {
  const [grantId = '', other = ''] = await newGrants(store, 2);
  const results = await Promise.all([
    store.commit([rotate(grantId, 1)]),
    store.commit([rotate(grantId, 1)], [told('lost')]),
    store.commit([rotate(grantId, 2)], [told('won')]),
    // Refused by its second change: its first must leave no trace, for the next in the batch neither.
    store.commit([rotate(other, 1), rotate(grantId, 2)]),
    store.commit([rotate(other, 1)]),
  ]);
  assert.deepEqual(
    results.map((result) => ('change' in result ? result.change : result.outcome)),
    ['committed', 0, 'committed', 1, 'committed'],
  );
  assert.equal((await store.getGrant(grantId))?.generation, 3);
  assert.equal((await store.getGrant(other))?.generation, 2);
  const events = await store.readEvents({ limit: 9 });
  assert.deepEqual(
    events.map((event) => event.sid),
    ['won'],
  );
});

on('grants that are created while their session ends: none lives on', async ({ store, another, schema }) => {
  const nodes = [store, await another()];
  let [created, refused] = [0, 0];
  for (let round = 0; round < rounds; round += 20) {
    const sessions = Array.from({ length: 20 }, () => sampleSession());
    await store.commit(sessions.map((session): Change => ({ change: 'create-session', session })));
    await Promise.all(
      sessions.map(async (session, index) => {
        const [one, two] = index % 2 === 0 ? nodes : [nodes[1], nodes[0]];
        if (index % 3 === 0) await delay(index % 5);
        const ending: Change = {
          change: 'end-sessions',
          where: { sid: session.sid },
          offline: false,
          ending: sampleEnding(),
        };
        const results = await Promise.all([
          one!.commit([{ change: 'create-grant', grant: sampleGrant(session) }]),
          one!.commit([ending]),
          two!.commit([{ change: 'create-grant', grant: sampleGrant(session) }]),
        ]);
        const won = [results[0], results[2]].filter(({ outcome }) => outcome === 'committed').length;
        created += won;
        refused += 2 - won;
      }),
    );
  }
  const [orphans] = await query<{ count: string }>(
    server.connectionString,
    `SELECT count(*) FROM ${schema}.grants g JOIN ${schema}.grant_state s USING (grant_id) JOIN ${schema}.sessions USING (sid)
     WHERE sessions.ended_at IS NOT NULL AND s.ended_at IS NULL`,
  );
  assert.equal(Number(orphans?.count), 0);
  assert.ok(created > 0 && refused > 0, `both orders happened: ${created} created, ${refused} refused`);
});

on('an open transaction holds no event back, and its own come when it commits', async ({ store, another, schema }) => {
  const heard: NewEvent[] = [];
  const reader = await another();
  const follow = follower(reader, (event) => heard.push(event));
  const slow = await connectTo(server, schema);
  await slow.query('BEGIN');
  await slow.query(
    `INSERT INTO event_inbox (batch, ordinal, type, at, actor, sid)
     VALUES (nextval('event_batch'), 1, 'session.started', 1, '{"kind":"server"}', '\\x00736c6f77')`,
  );
  await store.commit([], [told('quick')]);
  await eventually(() => heard.some((event) => event.sid === 'quick'));
  for (let index = 0; index < 5; index += 1) await store.commit([], [told(`quick ${index}`)]);
  await eventually(() => heard.some((event) => event.sid === 'quick 4'));
  await slow.query('COMMIT');
  // Nobody signals it, as when its node died right after the commit: the reader's own look finds it.
  await eventually(() => heard.some((event) => event.sid === 'slow'));
  await store.commit([], [told('after')]);
  await eventually(() => heard.some((event) => event.sid === 'after'));
  assert.deepEqual(
    (await reader.readEvents({ limit: 99 })).map((event) => [event.position, event.sid]),
    ['quick', 'quick 0', 'quick 1', 'quick 2', 'quick 3', 'quick 4', 'slow', 'after'].map((sid, index) => [
      index + 1,
      sid,
    ]),
  );
  await slow.end();
  follow.stop();
});

on(
  'readers of several nodes, who give the positions, get the same events at the same positions',
  async ({ store, another }) => {
    const nodes = [store, await another(), await another()];
    const seen = nodes.map((): string[] => []);
    const follows = nodes.map((node, which) => follower(node, (event) => seen[which]!.push(String(event.sid))));
    const told240 = Array.from({ length: 240 }, (_, index) => nodes[index % 3]!.commit([], [told(`s${index}`)]));
    await Promise.all([...told240, ...nodes.flatMap((node) => Array.from({ length: 20 }, () => node.position()))]);
    await eventually(() => seen.every((sids) => sids.length === 240));
    assert.deepEqual(seen[1], seen[0]);
    assert.deepEqual(seen[2], seen[0]);
    assert.equal(new Set(seen[0]).size, 240);
    for (const follow of follows) follow.stop();
  },
);

on('a commit of another node is heard by its signal, before the own look at the store finds it', async (engine) => {
  const { store, another, schema } = engine;
  const other = await another();
  let heard = 0;
  const stop = other.onEvents(() => {
    heard += 1;
  });
  // Reads the log, as a look does, and nothing that a commit or its signal needs.
  const holder = await connectTo(server, schema);
  await holder.query('BEGIN; LOCK TABLE event_log IN ACCESS EXCLUSIVE MODE');
  try {
    for (let round = 1; round <= 3; round += 1) {
      const before = heard;
      await store.commit([], [told('s')]);
      await eventually(() => heard > before);
    }
  } finally {
    await holder.end();
  }
  stop();
});

on('half a grant, as a careless hand may leave it, is none; nobody asks for it for ever', async ({ store, schema }) => {
  const [grantId = ''] = await newGrants(store, 1);
  await query(server.connectionString, `DELETE FROM ${schema}.grants`);
  let standing: Awaited<ReturnType<Store['getStanding']>> | undefined;
  const asked = store.getStanding({ grantId, now }).then((found) => {
    standing = found;
  });
  await eventually(() => standing !== undefined);
  await asked;
  assert.equal(standing?.grant, undefined);
});

on('rotations stay within their page', async ({ store, schema }) => {
  const grantIds = await newGrants(store, 2000);
  for (let generation = 1; generation <= 3; generation += 1) {
    for (let start = 0; start < 64; start += 1) {
      // Spread over the table, as requests are.
      const some = grantIds.filter((_, index) => index % 64 === start);
      await Promise.all(some.map((grantId) => store.commit([rotate(grantId, generation)])));
    }
  }
  const statistics = async () => {
    const [row] = await query<{ updated: string; hot: string }>(
      server.connectionString,
      `SELECT n_tup_upd AS updated, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE schemaname = '${schema}' AND relname = 'grant_state'`,
    );
    return { updated: Number(row?.updated), hot: Number(row?.hot) };
  };
  // A connection reports what it did with a delay.
  for (let waited = 0; (await statistics()).updated < 6000 && waited < 100; waited += 1) await delay(100);
  const { updated, hot } = await statistics();
  assert.ok(updated >= 6000, `${updated} updates`);
  assert.ok(hot / updated >= 0.95, `${hot} of ${updated} updates were heap-only`);
});

on('a touch of a session that somebody holds is passed over, and takes nobody along', async ({ store, schema }) => {
  const session = sampleSession();
  const grant = sampleGrant(session);
  await store.commit([
    { change: 'create-session', session },
    { change: 'create-grant', grant },
  ]);
  const holder = await connectTo(server, schema);
  await holder.query('BEGIN; SELECT * FROM sessions FOR UPDATE');
  const touch: Change = { change: 'touch-session', sid: session.sid, lastSeenAt: now + 9, ssoUntil: now + 9999 };
  const tookMs: number[] = [];
  do {
    const startedAt = performance.now();
    const rotation = rotate(grant.grantId, 1 + tookMs.length);
    assert.equal((await store.commit([touch, rotation])).outcome, 'committed');
    tookMs.push(performance.now() - startedAt);
  } while (Math.min(...tookMs) >= 1500 && tookMs.length < 5);
  // Whoever waits for the row does so for 2 s.
  assert.ok(Math.min(...tookMs) < 1500, `${tookMs} ms`);
  await holder.query('ROLLBACK');
  await holder.end();
  assert.equal((await store.getSession(session.sid))?.lastSeenAt, session.lastSeenAt);
  assert.equal((await store.getGrant(grant.grantId))?.generation, 1 + tookMs.length);
});

on('a grant that somebody holds for long is unavailable alone', async ({ store, schema }) => {
  const [held = '', ...others] = await newGrants(store, 5);
  const holder = await connectTo(server, schema);
  await holder.query('BEGIN');
  await holder.query(
    'SELECT 1 FROM grant_state JOIN grants USING (grant_id) ORDER BY grant_no LIMIT 1 FOR UPDATE OF grant_state',
  );
  const results = await Promise.allSettled([held, ...others].map((grantId) => store.commit([rotate(grantId, 1)])));
  assert.equal(results[0]?.status === 'rejected' && results[0].reason.code, 'store_unavailable');
  assert.ok(results.slice(1).every((result) => result.status === 'fulfilled'));
  await holder.query('ROLLBACK');
  await holder.end();
  assert.equal((await store.commit([rotate(held, 1)])).outcome, 'committed');
});

on('a grant that another node uses at this moment rotates, and its proof is not taken for a replay', async (engine) => {
  const { store, schema } = engine;
  const [grantId = ''] = await newGrants(store, 1);
  const node = await connectTo(server, schema);
  await node.query('BEGIN');
  await node.query('UPDATE grant_state SET replays = replays + 1 WHERE grant_id = $1', [packKey(grantId)]);
  const proof: Change = { change: 'remember', key: 'dpop:once', now, until: now + 60 };
  const rotated = store.commit([proof, rotate(grantId, 1)]);
  // So long that its row is waited for.
  await delay(200);
  await node.query('COMMIT');
  await node.end();
  assert.equal((await rotated).outcome, 'committed');
  assert.deepEqual(await store.commit([proof, rotate(grantId, 2)]), { outcome: 'conflict', change: 0 });
});

on('ids with characters that Postgres has no text for are unknown, not a failure', async ({ store }) => {
  assert.equal(await store.get('client', 'a\0b'), undefined);
  assert.equal(await store.findUser('a\0b'), undefined);
  assert.equal(await store.getGrant('a\0b'), undefined);
  assert.deepEqual(await store.getBuckets(['a\0b']), []);
  const client = sampleClient({ clientId: 'nul\0', name: 'nul\0' });
  assert.equal(
    (await store.commit([{ change: 'put', kind: 'client', expect: 'absent', record: client }])).outcome,
    'committed',
  );
  assert.deepEqual(await store.get('client', 'nul\0'), client);
});

test('nodes that start together migrate once', { skip }, async () => {
  const schema = 'started_together';
  const { connectionString } = server;
  await query(connectionString, `CREATE SCHEMA ${schema}`);
  const stores = await Promise.all(
    Array.from({ length: 6 }, () => openPostgresStore({ connectionString, schema, poolSize: 2 })),
  );
  const positions = await Promise.all(stores.map((store) => store.position()));
  assert.equal(new Set(positions.map(({ epoch }) => epoch)).size, 1);
  for (const store of stores) await store.close();
});

test("another program's tables and a newer store are left alone", { skip }, async () => {
  const { connectionString } = server;
  await query(connectionString, 'CREATE SCHEMA foreign_tables; CREATE TABLE foreign_tables.sessions (id int)');
  await assert.rejects(openPostgresStore({ connectionString, schema: 'foreign_tables' }), { code: 'store_not_usable' });
  const store = await openPostgresStore({ connectionString, schema: 'newer' });
  await store.close();
  await query(connectionString, 'UPDATE newer.store_state SET schema_version = 99, oldest_code = 98');
  await assert.rejects(openPostgresStore({ connectionString, schema: 'newer' }), { code: 'store_not_usable' });
});

on(
  'connections that are cut under load: unavailable, then well again, and what was acknowledged holds',
  async (engine) => {
    const { store, another } = engine;
    const grantIds = await newGrants(store, 20);
    const listening = await another();
    let heard = 0;
    listening.onEvents(() => {
      heard += 1;
    });
    await using load = rotateForever(store, grantIds);
    await eventually(load.isUnderWay);
    for (let cut = 0; cut < 5; cut += 1) {
      await delay(120);
      await query(
        server.connectionString,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tessera%'",
      );
    }
    await eventually(load.hasSucceededAfterFailure);
    const { acknowledged, failures } = await load.stop();
    assert.ok(failures.length > 0, 'somebody was told');
    assert.deepEqual([...new Set(failures)], ['store_unavailable']);
    await assertHeld(store, acknowledged);
    const before = heard;
    await store.commit([], [told('again')]);
    await eventually(() => heard > before);
  },
);

on('a server that is killed and comes back: what was acknowledged holds, positions stay dense', async ({ store }) => {
  const grantIds = await newGrants(store, 20);
  for (let crash = 0; crash < 2; crash += 1) {
    await using load = rotateForever(store, grantIds);
    await eventually(load.isUnderWay);
    await server.crash();
    await eventually(load.hasSucceededAfterFailure);
    const { acknowledged, failures } = await load.stop();
    assert.deepEqual([...new Set(failures)], ['store_unavailable']);
    await assertHeld(store, acknowledged);
  }
  const events = await store.readEvents({ limit: 1_000_000 });
  assert.deepEqual(
    events.map((event) => event.position),
    events.map((_, index) => index + 1),
  );
  // A story per grant, without a hole: each rotation that is there has its event.
  for (const grantId of grantIds) {
    const generation = (await store.getGrant(grantId))?.generation ?? 0;
    assert.equal((await store.readEvents({ grantId, limit: 1_000_000 })).length, generation - 1);
  }
});

on('a server that comes back without flushing is away until it flushes again', async ({ store }) => {
  await server.stop();
  await server.start(['fsync=off']);
  await assert.rejects(store.position(), { code: 'store_unavailable', message: /fsync=off/ });
  await server.stop();
  await server.start();
  await eventually(() =>
    store.position().then(
      () => true,
      () => false,
    ),
  );
});

test('a server that does not flush is refused', { skip }, async () => {
  const { connectionString } = server;
  for (const setting of ['fsync=off', 'full_page_writes=off']) {
    await server.stop();
    await server.start([setting]);
    await assert.rejects(
      openPostgresStore({ connectionString, schema: 'refused' }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'store_not_usable');
        return error.message.includes(setting);
      },
    );
  }
  await server.stop();
  await assert.rejects(openPostgresStore({ connectionString, schema: 'refused' }), { code: 'store_unavailable' });
  await server.start();
});

test('a database that cannot hold every name, or lets nothing be written, is refused in words that help', {
  skip,
}, async () => {
  const { connectionString } = server;
  const databases: [name: string, sql: string, code: string, message: RegExp][] = [
    [
      'narrow',
      "CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0",
      'store_not_usable',
      /encoding of the database is LATIN1.*--encoding=UTF8/,
    ],
    [
      'any_bytes',
      "CREATE DATABASE any_bytes ENCODING 'SQL_ASCII' TEMPLATE template0",
      'store_not_usable',
      /encoding of the database is SQL_ASCII/,
    ],
    ['closed', 'CREATE DATABASE closed', 'store_unavailable', /default_transaction_read_only is on.*set it off/],
  ];
  for (const [name, sql, code, message] of databases) {
    await query(connectionString, sql);
    if (name === 'closed')
      await query(connectionString, 'ALTER DATABASE closed SET default_transaction_read_only = on');
    const its = connectionString.replace(':///postgres?', `:///${name}?`);
    await assert.rejects(openPostgresStore({ connectionString: its }), { code, message });
    await assert.rejects(inspectPostgres(its), { code, message });
  }
});

test("what the database's administrator sets for idle connections ends none of the store's", { skip }, async () => {
  const { connectionString } = server;
  await query(connectionString, 'CREATE DATABASE impatient');
  await query(connectionString, "ALTER DATABASE impatient SET idle_session_timeout = '3s'");
  const its = connectionString.replace(':///postgres?', ':///impatient?');
  const connected =
    "SELECT array_agg(pid ORDER BY pid)::text AS pids FROM pg_stat_activity WHERE datname = 'impatient'";
  const store = await openPostgresStore({ connectionString: its });
  const before = await query(connectionString, connected);
  const stranger = new pg.Client({ connectionString: its });
  const isEnded = new Promise((resolve) => stranger.once('end', resolve));
  stranger.on('error', () => undefined);
  await stranger.connect();
  await isEnded;
  assert.deepEqual(await query(connectionString, connected), before);
  await store.close();
});

function told(sid: string): NewEvent {
  return { type: 'session.started', at: now, actor: { kind: 'server' }, sid };
}

/** Reads events as they come, as the server does: when told of a commit, from the last position on. */
function follower(store: Store, each: (event: NewEvent) => void): { stop(): void } {
  let position = 0;
  let reading = Promise.resolve();
  const stop = store.onEvents(() => {
    reading = reading.then(async () => {
      for (const event of await store.readEvents({ afterPosition: position, limit: 100 })) {
        assert.equal(event.position, position + 1);
        position = event.position;
        each(event);
      }
    });
  });
  return { stop };
}

async function deadlocks(): Promise<number> {
  await delay(300);
  const [row] = await query<{ deadlocks: string }>(
    server.connectionString,
    'SELECT sum(deadlocks) AS deadlocks FROM pg_stat_database',
  );
  return Number(row?.deadlocks);
}
