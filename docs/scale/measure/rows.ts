import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openPostgresStore } from '../../../packages/server/src/store/postgres/open.ts';
import {
  findPostgres,
  howToInstall,
  query,
  startTestPostgres,
} from '../../../packages/server/src/store/postgres/test-postgres.ts';
import type { GrantRecord, SessionRecord } from '../../../packages/server/src/store/records.ts';
import {
  nextId,
  sampleEnding,
  sampleGrant,
  sampleSession,
  sampleTime,
  sampleUser,
} from '../../../packages/server/src/store/sample-records.ts';
import { openSqliteStore } from '../../../packages/server/src/store/sqlite/open.ts';
import type { Change, NewEvent, Store } from '../../../packages/server/src/store/store.ts';
import { postgresCpuSeconds } from './postgres-cpu.ts';

/**
 * Measures what rows take and what writing them leaves in the log of Postgres: fills a store through its own interface with as many users, sessions and grants as the
 * argument says (default 20,000) and looks at the sizes of tables and at how far the log grew.
 * Usage: node scripts/run.mjs docs/scale/measure/rows.ts [ROWS].
 */
const rows = Number(process.argv[2] ?? 20_000);
const portion = 1000;
const userAgent =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

type Filled = { sessions: SessionRecord[]; grants: GrantRecord[] };

await measurePostgres();
await measureSqlite();

async function measurePostgres(): Promise<void> {
  const bin = findPostgres();
  if (bin === undefined) throw new Error(howToInstall);
  const postgres = await startTestPostgres(bin);
  const { connectionString } = postgres;
  // One full checkpoint where we say so, none between.
  const settings = ['shared_buffers=512MB', 'max_wal_size=16GB', 'checkpoint_timeout=1h', 'autovacuum=off'];
  const restart = async (...more: string[]) => {
    await postgres.stop();
    await postgres.start([...settings, ...more]);
  };
  try {
    await restart();
    let store = await openPostgresStore({ connectionString });
    const filled = await fill(store);
    await appendAll(store, filled);
    await query(connectionString, 'VACUUM ANALYZE');
    say('Postgres, bytes a row', await sizesInPostgres(connectionString));
    for (const compression of ['off', 'lz4']) {
      await store.close();
      await restart(`wal_compression=${compression}`);
      store = await openPostgresStore({ connectionString });
      const some = filled.grants.filter((_, index) => index % 40 === 0);
      await query(connectionString, 'CHECKPOINT');
      say(
        `log of rotations, each the first on its page, wal_compression=${compression}`,
        await logOf(connectionString, some.length, () => rotateAll(store, some)),
      );
      say(
        'log of rotations, pages written before',
        await logOf(connectionString, some.length, () => rotateAll(store, some)),
      );
    }
    const few = Math.min(20_000, rows / 5);
    say(
      'log of a sign-in (session, grant, their events, placed)',
      await logOf(connectionString, few, () => signInAll(store, few)),
    );
    say('log of a DPoP proof remembered', await logOf(connectionString, few, () => rememberAll(store, few)));
    say(
      'log of a session ended with its grant (200 a commit, placed)',
      await logOf(connectionString, few, () => endAll(store, filled.sessions.slice(0, few))),
    );
    const bounds = { now: sampleTime, endedBefore: sampleTime + 61, eventsBefore: 0, limit: few };
    say('log of a swept session with its grants', await logOf(connectionString, few, () => store.sweep(bounds)));
    // A backend tells what it did when it ends.
    await store.close();
    say('updates of grant_state', await heapOnly(connectionString));
  } finally {
    await postgres.remove();
  }
}

async function measureSqlite(): Promise<void> {
  const folder = mkdtempSync('/var/tmp/tessera-scale-');
  try {
    const store = await openSqliteStore({ file: join(folder, 'store.db') });
    await appendAll(store, await fill(store));
    await store.close();
    const db = new DatabaseSync(join(folder, 'store.db'));
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const sizes = db
      .prepare(
        `SELECT tbl_name AS name, sum(CASE type WHEN 'table' THEN pgsize END) AS heap, sum(CASE type WHEN 'index' THEN pgsize END) AS indexes
         FROM sqlite_schema JOIN dbstat('main', 1) USING (name) GROUP BY tbl_name`,
      )
      .all() as { name: string; heap: number; indexes: number | null }[];
    const counted = sizes.map(({ name, heap, indexes }) => {
      const { count } = db.prepare(`SELECT count(*) AS count FROM ${name}`).get() as { count: number };
      return perRow(name, count, heap, indexes ?? 0);
    });
    db.close();
    say('SQLite, bytes a row (table, indexes)', counted.filter(Boolean).join('\n'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function fill(store: Store): Promise<Filled> {
  const filled: Filled = { sessions: [], grants: [] };
  while (filled.sessions.length < rows) {
    const changes: Change[] = [];
    for (let index = 0; index < portion; index += 1) {
      const userId = nextId();
      const email = `person.${index}.${userId.toLowerCase()}@example.com`;
      const record = sampleUser({
        userId,
        username: `p-${Buffer.from(userId).toString('hex').slice(0, 20)}`,
        email,
        claims: { name: 'Ada Lovelace', given_name: 'Ada', family_name: 'Lovelace', locale: 'en-GB' },
        passwordHash: `$argon2id$v=19$m=19456,t=2,p=1$${'a'.repeat(22)}$${'b'.repeat(43)}`,
      });
      const { session, grant } = sample(index, userId);
      filled.sessions.push(session);
      filled.grants.push(grant);
      changes.push({ change: 'put', kind: 'user', expect: 'absent', record });
      changes.push({ change: 'create-session', session }, { change: 'create-grant', grant });
    }
    await commit(store, changes, []);
  }
  return filled;
}

function sample(index: number, userId: string): { session: SessionRecord; grant: GrantRecord } {
  const origin = { ip: `198.51.100.${index % 250}`, userAgent };
  const session = sampleSession({ userId, origin, amr: ['pwd'], acr: 'urn:tessera:acr:password' });
  const grant = sampleGrant(session, {
    lastOrigin: origin,
    scopes: ['openid', 'profile', 'email', 'orders:read'],
    resources: ['https://api.example.com/orders'],
    claims: null,
  });
  return { session, grant };
}

/** For each session the events of a life: signed in, granted, used from elsewhere, ended. */
async function appendAll(store: Store, { sessions, grants }: Filled): Promise<void> {
  for (let start = 0; start < sessions.length; start += portion)
    await commit(
      store,
      [],
      sessions.slice(start, start + portion).flatMap((session, offset) => eventsOf(session, grants[start + offset]!)),
    );
  await store.position();
}

function eventsOf(session: SessionRecord, grant: GrantRecord): NewEvent[] {
  const { sid, userId } = session;
  const { grantId, clientId } = grant;
  const ids = { userId, sid, grantId, clientId };
  const before = grant.lastOrigin;
  const end = { at: sampleTime, until: sampleTime + 960, audiences: grant.resources };
  return [
    ...birthEvents(session, grant),
    {
      type: 'grant.origin_changed',
      at: sampleTime,
      actor: { kind: 'client', clientId },
      ...ids,
      data: { before, now: { ...before, ip: '203.0.113.77' } },
    },
    {
      type: 'session.ended',
      ...end,
      actor: { kind: 'server' },
      userId,
      sid,
      data: { reason: 'idle', grants: [grantId], grantCount: 1 },
    },
  ];
}

function birthEvents(
  { sid, userId, origin }: SessionRecord,
  { grantId, clientId, scopes, resources }: GrantRecord,
): NewEvent[] {
  const actor = { kind: 'user' as const, userId };
  return [
    {
      type: 'session.started',
      at: sampleTime,
      actor,
      userId,
      sid,
      data: { amr: ['pwd'], acr: 'urn:tessera:acr:password', origin },
    },
    {
      type: 'grant.started',
      at: sampleTime,
      actor,
      userId,
      sid,
      grantId,
      clientId,
      data: { scopes, resources, kind: 'session' },
    },
  ];
}

async function rotateAll(store: Store, grants: readonly GrantRecord[]): Promise<void> {
  // In groups as under load, not one by one.
  for (let start = 0; start < grants.length; start += 64)
    await Promise.all(
      grants.slice(start, start + 64).map(async ({ grantId, lastOrigin }) => {
        const grant = await store.getGrant(grantId);
        const { generation } = grant!;
        const at = sampleTime + generation;
        await commit(
          store,
          [
            {
              change: 'rotate-grant',
              grantId,
              expect: generation,
              sealKeyId: 'k1',
              at,
              idleAt: at + 3600,
              origin: lastOrigin,
            },
          ],
          [],
        );
      }),
    );
}

async function signInAll(store: Store, count: number): Promise<void> {
  for (let start = 0; start < count; start += 16) {
    await Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        const { session, grant } = sample(index, nextId());
        const [started, granted] = birthEvents(session, grant) as [NewEvent, NewEvent];
        await commit(store, [{ change: 'create-session', session }], [started]);
        await commit(store, [{ change: 'create-grant', grant }], [granted]);
      }),
    );
    await store.position();
  }
}

async function rememberAll(store: Store, count: number): Promise<void> {
  const from = { ip: '198.51.100.7', userAgent };
  for (let start = 0; start < count; start += 64)
    await Promise.all(
      Array.from({ length: 64 }, () =>
        commit(
          store,
          [{ change: 'remember', key: `dpop:${nextId()}${nextId()}`, now: sampleTime, until: sampleTime + 300, from }],
          [],
        ),
      ),
    );
}

async function endAll(store: Store, sessions: readonly SessionRecord[]): Promise<void> {
  for (let start = 0; start < sessions.length; start += 200) {
    const changes = sessions
      .slice(start, start + 200)
      .map(({ sid }) => ({ change: 'end-sessions' as const, where: { sid }, offline: false, ending: sampleEnding() }));
    await commit(store, changes, []);
    await store.position();
  }
}

async function commit(store: Store, changes: Change[], events: NewEvent[]): Promise<void> {
  const result = await store.commit(changes, events);
  if (result.outcome !== 'committed') throw new Error(`expected no conflict, got one at change ${result.change}`);
}

async function logOf(connectionString: string, count: number, work: () => Promise<unknown>): Promise<string> {
  const read = async () => {
    const sql = "SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes";
    return Number((await query<{ bytes: string }>(connectionString, sql))[0]!.bytes);
  };
  const before = await read();
  const cpuBefore = postgresCpuSeconds(connectionString);
  await work();
  const micros = ((postgresCpuSeconds(connectionString) - cpuBefore) * 1e6) / count;
  return `${(((await read()) - before) / count).toFixed(0)} bytes, ${micros.toFixed(0)} µs of Postgres each, of ${count}`;
}

async function sizesInPostgres(connectionString: string): Promise<string> {
  const tables = await query<{ name: string; heap: string; indexes: string }>(
    connectionString,
    `SELECT relname AS name, pg_table_size(oid) AS heap, pg_indexes_size(oid) AS indexes FROM pg_class
     WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace ORDER BY relname`,
  );
  const lines: string[] = [];
  for (const { name, heap, indexes } of tables) {
    const [counted] = await query<{ count: string }>(connectionString, `SELECT count(*) AS count FROM ${name}`);
    lines.push(perRow(name, Number(counted!.count), Number(heap), Number(indexes)));
  }
  return lines.filter(Boolean).join('\n');
}

async function heapOnly(connectionString: string): Promise<string> {
  const [found] = await query<{ all: string; hot: string }>(
    connectionString,
    `SELECT n_tup_upd AS all, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE relname = 'grant_state'`,
  );
  return `${found!.hot} of ${found!.all} within their page`;
}

function perRow(name: string, count: number, heap: number, indexes: number): string {
  return count < 100 ? '' : `${name}: ${(heap / count).toFixed(0)} + ${(indexes / count).toFixed(0)} (${count} rows)`;
}

function say(what: string, found: string): void {
  console.log(`${what}: ${found.includes('\n') ? '\n' : ''}${found}`);
}
