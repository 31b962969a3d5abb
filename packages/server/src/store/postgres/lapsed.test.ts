import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { nextDigest, sampleEnding, sampleGrant, sampleSession, sampleTime } from '../sample-records.ts';
import type { Change, Store } from '../store.ts';
import { packKey } from './key.ts';
import { openPostgresStore } from './open.ts';
import { migrations } from './schema.ts';
import {
  connectTo,
  findPostgres,
  howToInstall,
  openEngine,
  startTestPostgres,
  type TestPostgres,
} from './test-postgres.ts';

const bin = findPostgres();
const skip = bin === undefined ? howToInstall : false;
if (skip) console.error(skip);

const now = sampleTime;
let server: TestPostgres;

before(async () => {
  if (bin !== undefined) server = await startTestPostgres(bin);
});
after(() => server?.remove());

test('D10 what a database of version 1 holds is found, and what a node of version 1 adds to it', { skip }, async () => {
  const { connectionString } = server;
  const schema = 'version_1_due';
  const client = await connectTo(server, schema);
  await client.query(`CREATE SCHEMA ${schema}`);
  await client.query(migrations[0]!.sql);
  await client.query('UPDATE store_state SET schema_version = 1');
  // More than a slice of the back-fill, and more than one look makes.
  await insertAsOldNode(client, 40_000, now + 10);
  const store = await openPostgresStore({ connectionString, schema });
  await insertAsOldNode(client, 50, now + 10);
  const found = new Set<string>();
  let isEmpty = false;
  while (!isEmpty) {
    const { sessions, grants } = await store.findLapsed(now + 10, 3000);
    for (const { grantId } of grants) found.add(grantId);
    const { rows } = await client.query('SELECT 1 FROM due_backfill');
    isEmpty = rows.length === 0 && grants.length + sessions.length === 0;
    await client.query('UPDATE grant_state SET ended_at = 1 WHERE grant_id = ANY($1)', [
      grants.map(({ grantId }) => packKey(grantId)),
    ]);
    await client.query('UPDATE sessions SET ended_at = 1 WHERE sid = ANY($1)', [
      sessions.map(({ sid }) => packKey(sid)),
    ]);
  }
  assert.equal(found.size, 40_050);
  const left = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM sessions WHERE ended_at IS NULL');
  assert.equal(left.rows[0]?.n, 0);
  await store.close();
  await client.end();
});

test('an old node that sweeps leaves no entry behind', { skip }, async () => {
  const engine = await openEngine(server);
  const { store, schema } = engine;
  const [session, grant] = await newSession(store);
  await store.commit([
    endGrant(grant.grantId),
    { change: 'end-sessions', where: { sid: session.sid }, offline: true, ending: sampleEnding() },
  ]);
  const client = await connectTo(server, schema);
  const entries = async () =>
    (
      await client.query<{ n: number }>(
        'SELECT (SELECT count(*) FROM grants_due)::int + (SELECT count(*) FROM sessions_due)::int AS n',
      )
    ).rows[0]?.n;
  assert.equal(await entries(), 2);
  await client.query('DELETE FROM grant_state WHERE ended_at IS NOT NULL; DELETE FROM grants; DELETE FROM sessions');
  assert.equal(await entries(), 0);
  await client.end();
  await engine.close();
});

test('a grant that ends while its session is being looked at: the session is found', { skip }, async () => {
  const engine = await openEngine(server);
  const { store, another, schema } = engine;
  const [session, grant] = await newSession(store, now + 10);
  const other = await another();
  // A look that holds the entry and has seen the grant alive; what it does next is to move the entry.
  const look = await connectTo(server, schema);
  await look.query('BEGIN');
  await look.query('SELECT 1 FROM sessions_due FOR UPDATE');
  const ending = other.commit([endGrant(grant.grantId)]);
  await delay(100);
  await look.query(`UPDATE sessions_due SET due_at = ${now + 3600}`);
  await look.query('COMMIT');
  assert.equal((await ending).outcome, 'committed');
  const { sessions } = await store.findLapsed(now + 10, 10);
  assert.deepEqual(
    sessions.map(({ sid }) => sid),
    [session.sid],
  );
  await look.end();
  await engine.close();
});

test('looks of many nodes while grants are used, ended and created: none is missed and no commit fails', {
  skip,
}, async () => {
  const engine = await openEngine(server);
  const { store, another } = engine;
  const nodes = [store, await another(), await another()];
  const all: { sid: string; grantId: string }[] = [];
  await Promise.all(
    nodes.map(async (node, which) => {
      for (let round = 0; round < 60; round += 1) {
        const [session, grant] = await newSession(node, now + 10);
        all.push({ sid: session.sid, grantId: grant.grantId });
        const some = all[(round * 7 + which) % all.length]!;
        const live = await node.getGrant(some.grantId);
        if (live?.endedAt === null && round % 3 === 0) {
          const idleAt = now + 40;
          await node.commit([
            {
              change: 'rotate-grant',
              grantId: live.grantId,
              expect: live.generation,
              sealKeyId: 'k1',
              at: now,
              idleAt,
              origin: live.lastOrigin,
            },
          ]);
        } else if (round % 3 === 1) await node.commit([endGrant(some.grantId)]);
        else await node.findLapsed(now + 20, 5);
      }
    }),
  );
  const ended = new Set<string>();
  for (;;) {
    const { sessions, grants } = await store.findLapsed(now + 50, 50);
    if (sessions.length + grants.length === 0) break;
    for (const { sid } of sessions) ended.add(sid);
    await store.commit([
      ...grants.map(({ grantId }) => endGrant(grantId)),
      ...sessions.map(
        ({ sid }): Change => ({ change: 'end-sessions', where: { sid }, offline: false, ending: sampleEnding() }),
      ),
    ]);
  }
  assert.deepEqual([...ended].sort(), all.map(({ sid }) => sid).sort());
  await engine.close();
});

test('a look touches what is due and not the rest', { skip }, async () => {
  const engine = await openEngine(server);
  const { schema } = engine;
  const client = await connectTo(server, schema);
  await insertAsOldNode(client, 20_000, now + 5000);
  await insertAsOldNode(client, 100, now + 10);
  const reads = async () => {
    await client.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await client.query<{ rows: number }>(
      `SELECT sum(seq_tup_read + idx_tup_fetch)::int AS rows FROM pg_stat_user_tables WHERE schemaname = $1 AND relname IN ('grant_state', 'sessions')`,
      [schema],
    );
    return rows[0]!.rows;
  };
  await client.query('ANALYZE');
  const reader = await engine.another();
  await reader.findLapsed(now, 1);
  const before = await reads();
  assert.equal((await reader.findLapsed(now + 10, 500)).grants.length, 100);
  await reader.close();
  let after = before;
  for (let tries = 0; after === before && tries < 100; tries += 1) {
    await delay(100);
    after = await reads();
  }
  assert.ok(after > before && after - before < 2000, `${after - before} rows were read`);
  await client.end();
  await engine.close();
});

async function newSession(store: Store, lapsesAt = now + 3600) {
  const session = sampleSession({ ssoUntil: lapsesAt });
  const grant = sampleGrant(session, { idleAt: lapsesAt + 5 });
  await store.commit([
    { change: 'create-session', session },
    { change: 'create-grant', grant },
  ]);
  return [session, grant] as const;
}

function endGrant(grantId: string): Change {
  return { change: 'end-grants', where: { grantId }, ending: sampleEnding() };
}

/** Sessions with a grant each, by the statements of version 1, which know nothing of entries. */
async function insertAsOldNode(client: pg.Client, count: number, lapsesAt: number): Promise<void> {
  const digest = packKey(nextDigest()).toString('hex');
  await client.query(`
    WITH made AS MATERIALIZED (SELECT '\\x00'::bytea || convert_to('${digest.slice(0, 20)}' || n, 'UTF8') AS id FROM generate_series(1, ${count}) AS n),
    sessions_made AS (
      INSERT INTO sessions (sid, version, user_id, cookie_digest, auth_time, amr, acr, created_at, ip, user_agent, last_seen_at, sso_idle, sso_until, ends_at)
      SELECT id, 1, id, id, ${now}, '[]', '', ${now}, '', '', ${now}, 60, ${lapsesAt}, ${now + 9000} FROM made),
    states_made AS (
      INSERT INTO grant_state (grant_id, generation, rotated_at, idle_at, ends_at, last_used_at, uses, replays, origin, seal_key_id)
      SELECT id, 1, ${now}, ${lapsesAt}, ${now + 9000}, ${now}, 0, 0, '', 'k1' FROM made)
    INSERT INTO grants (grant_id, sid, user_id, client_id, offline, birth, last_ip, last_user_agent)
    SELECT id, id, id, 'c', false, '{}', '', '' FROM made`);
}
