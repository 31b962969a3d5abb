import { setTimeout as sleep } from 'node:timers/promises';
import type { Migration } from '../migrate-store.ts';
import { StoreUnavailable } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import type { Connection } from './connection.ts';
import { failureCode } from './failure.ts';
import { grantsDue, sessionsDue } from './schema-due.ts';
import { endingsTogether } from './schema-endings.ts';
import { partitionedEvents } from './schema-events.ts';

/** All steps, in their order. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    oldestCode: 1,
    sql: `
      -- settled: events of transactions before it all have their positions.
      CREATE TABLE store_state (
        singleton boolean PRIMARY KEY CHECK (singleton),
        epoch bigint NOT NULL,
        position bigint NOT NULL,
        settled xid8 NOT NULL,
        schema_version integer NOT NULL,
        oldest_code integer NOT NULL
      ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
      INSERT INTO store_state VALUES (true, floor(random() * 281474976710656), 0, '0', 0, 1);

      CREATE TABLE documents (
        kind text NOT NULL,
        id bytea NOT NULL,
        version bigint NOT NULL,
        body text NOT NULL,
        PRIMARY KEY (kind, id)
      ) WITH (fillfactor = 80);

      -- Usernames and e-mail addresses, folded, in one name space. username: the folded username of the same user.
      CREATE TABLE user_names (
        name bytea PRIMARY KEY,
        user_id bytea NOT NULL,
        username bytea NOT NULL
      );
      CREATE INDEX user_names_user ON user_names (user_id);

      CREATE TABLE audiences (
        audience bytea PRIMARY KEY,
        resource_server_id bytea NOT NULL
      );
      CREATE INDEX audiences_resource_server ON audiences (resource_server_id);

      CREATE TABLE sessions (
        sid bytea PRIMARY KEY,
        session_no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        version bigint NOT NULL,
        user_id bytea NOT NULL,
        cookie_digest bytea NOT NULL UNIQUE,
        auth_time bigint NOT NULL,
        amr text NOT NULL,
        acr text NOT NULL,
        created_at bigint NOT NULL,
        ip text NOT NULL,
        user_agent text NOT NULL,
        last_seen_at bigint NOT NULL,
        sso_idle bigint NOT NULL,
        sso_until bigint NOT NULL,
        ends_at bigint NOT NULL,
        ended_at bigint,
        end_reason text
      ) WITH (fillfactor = 80);
      CREATE INDEX sessions_user ON sessions (user_id);
      CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

      -- What is set at a grant's birth: what queries ask for in columns, the rest in one JSON text.
      -- The last origin stands here because a refresh changes it only when it comes from elsewhere.
      CREATE TABLE grants (
        grant_id bytea PRIMARY KEY,
        grant_no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        sid bytea NOT NULL,
        user_id bytea NOT NULL,
        client_id bytea NOT NULL,
        offline boolean NOT NULL,
        birth text NOT NULL,
        last_ip text NOT NULL,
        last_user_agent text NOT NULL
      ) WITH (fillfactor = 90);
      CREATE INDEX grants_session ON grants (sid, client_id);
      CREATE INDEX grants_user ON grants (user_id, client_id);
      CREATE INDEX grants_client ON grants (client_id, grant_no);

      -- What a refresh changes: narrow, and nothing of it indexed, so that every rotation can stay within its page. origin: digest of ip and user agent.
      CREATE TABLE grant_state (
        grant_id bytea PRIMARY KEY,
        generation bigint NOT NULL,
        rotated_at bigint NOT NULL,
        idle_at bigint,
        ends_at bigint NOT NULL,
        last_used_at bigint NOT NULL,
        uses bigint NOT NULL,
        replays bigint NOT NULL,
        ended_at bigint,
        origin bytea NOT NULL,
        seal_key_id text NOT NULL,
        end_reason text
      ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
      CREATE INDEX grant_state_ended ON grant_state (ended_at) WHERE ended_at IS NOT NULL;

      -- Where commits leave their events. batch: drawn once by each transaction, after it has all its locks.
      CREATE SEQUENCE event_batch AS bigint;
      CREATE TABLE event_inbox (
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        batch bigint NOT NULL,
        ordinal integer NOT NULL,
        type text NOT NULL,
        at bigint NOT NULL,
        actor text NOT NULL,
        user_id bytea,
        sid bytea,
        grant_id bytea,
        client_id bytea,
        data text,
        audiences text,
        until bigint,
        PRIMARY KEY (xid, batch, ordinal)
      ) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

      CREATE TABLE events (
        position bigint PRIMARY KEY,
        type text NOT NULL,
        at bigint NOT NULL,
        actor text NOT NULL,
        user_id bytea,
        sid bytea,
        grant_id bytea,
        client_id bytea,
        data text,
        audiences text,
        until bigint
      );
      CREATE INDEX events_user ON events (user_id) WHERE user_id IS NOT NULL;
      CREATE INDEX events_session ON events (sid) WHERE sid IS NOT NULL;
      CREATE INDEX events_grant ON events (grant_id) WHERE grant_id IS NOT NULL;
      CREATE INDEX events_client ON events (client_id) WHERE client_id IS NOT NULL;
      CREATE INDEX events_until ON events (until) WHERE until IS NOT NULL;

      CREATE TABLE remembered (
        key bytea PRIMARY KEY,
        until bigint NOT NULL,
        used_from text
      );
      CREATE INDEX remembered_until ON remembered (until);

      CREATE TABLE buckets (
        key bytea PRIMARY KEY,
        level double precision NOT NULL,
        at bigint NOT NULL,
        leak_per_second double precision NOT NULL,
        empty_at double precision NOT NULL
      ) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500);

      -- Gives positions to what is committed and has none. The lock comes first and the look second, with a snapshot of its own: so whoever waited
      -- here sees what was placed meanwhile. Whole batches only, so that the events of one commit stay side by side; bounded, so that a backlog
      -- is worked off in pieces. A "settled" ahead of the server's own transactions comes from another server (a restored dump) and says nothing here.
      CREATE FUNCTION place_events(most integer) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
      DECLARE
        start_at xid8;
        placed_at bigint;
      BEGIN
        SELECT position, CASE WHEN settled > pg_snapshot_xmin(pg_current_snapshot()) THEN '0'::xid8 ELSE settled END
          INTO placed_at, start_at FROM store_state FOR NO KEY UPDATE;
        -- Commits after this look wait for the next call: the rest goes by the same list of batches, in one statement.
        WITH waiting AS MATERIALIZED (
          SELECT batch, ordinal FROM event_inbox WHERE xid >= start_at ORDER BY batch, ordinal LIMIT most
        ), bound AS (
          SELECT max(batch) AS last, count(*) < most AS is_all FROM waiting
        ), moved AS (
          DELETE FROM event_inbox i USING bound WHERE i.xid >= start_at AND i.batch <= bound.last RETURNING i.*
        ), placed AS (
          INSERT INTO events
          SELECT placed_at + row_number() OVER (ORDER BY batch, ordinal), type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until
          FROM moved
          RETURNING 1
        )
        UPDATE store_state SET
          position = placed_at + (SELECT count(*) FROM placed),
          settled = CASE WHEN bound.is_all THEN pg_snapshot_xmin(pg_current_snapshot()) ELSE start_at END
        FROM bound;
      END $$;
    `,
  },
  {
    version: 2,
    oldestCode: 1,
    // How far long work has come that is done in pieces, by its name.
    sql: 'CREATE TABLE IF NOT EXISTS progress (task text PRIMARY KEY, state text NOT NULL)',
  },
  { version: 3, oldestCode: 1, sql: partitionedEvents + sessionsDue },
  { version: 4, oldestCode: 1, sql: grantsDue },
  { version: 5, oldestCode: 1, sql: endingsTogether },
];

/** The schema this code writes. */
export const schemaVersion = migrations.at(-1)!.version;

/** Stands as the oldest code that may use a database while a store is moved into it: none may. */
export const movingIn = 1_000_000;

/**
 * Brings the database to this code's schema, each step in a transaction of its own and under a lock, so that nodes that start together do not run one twice.
 * A database of newer code is left as it is and used if that code's steps allow it; else throws `StoreNotUsable`. `isMove`: for the
 * move itself, which alone may use a database that is not whole yet.
 */
export async function migrate(client: Connection, { isMove = false } = {}): Promise<void> {
  for (const migration of migrations) await applyOnce(client, migration);
  const { rows } = await client.query<{ oldest_code: number; schema_version: number }>(
    'SELECT oldest_code, schema_version FROM store_state',
  );
  const { oldest_code: oldest, schema_version: version } = rows[0]!;
  if (oldest === movingIn && !isMove)
    throw new StoreNotUsable('a store is being moved into this database and is not whole yet; run tessera move again');
  if (oldest > schemaVersion && oldest !== movingIn) {
    throw new StoreNotUsable(
      `the store has schema ${version}, which needs a Tessera that knows schema ${oldest} or later; this one knows ${schemaVersion}; install the newer version again`,
    );
  }
}

// Who waits for a table keeps all others waiting who come after. So a step waits only for so long, lets them pass, and tries again.
const lockMs = 100;
// An autovacuum leaves the table to who waits for it, but only after `deadlock_timeout`, a second. Below the time after which requests give up.
const vacuumMs = 1500;
const pauseMs = 400;
// How long it goes on trying while others hold the table.
const patienceMs = 60_000;
const lockNotAvailable = '55P03';
const deadlockDetected = '40P01';

/**
 * Applies a step unless somebody has. Requests beside it wait for a tenth of a second at the most (for a second and a half if the tables are just being vacuumed), also when a transaction of
 * somebody else holds a table for long: then the step is tried again for a minute. Throws `StoreUnavailable`, and nothing has changed, when the table did not become free.
 */
export async function applyOnce(client: Connection, migration: Migration, giveUpAfterMs = patienceMs): Promise<void> {
  const giveUpMs = performance.now() + giveUpAfterMs;
  let waitMs = lockMs;
  while ((await versionOf(client)) < migration.version) {
    try {
      await applyStep(client, migration, waitMs);
    } catch (error) {
      if (![lockNotAvailable, deadlockDetected].includes(failureCode(error) ?? '')) throw error;
      if (performance.now() > giveUpMs) throw await heldByOthers(client, migration, error);
      const { rows } = await client.query<{ is: boolean }>(isVacuuming);
      waitMs = rows[0]!.is ? vacuumMs : lockMs;
      await sleep(pauseMs);
    }
  }
}

async function applyStep(client: Connection, migration: Migration, waitMs: number): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    // Waits for as long as another node's step takes: neither limit is for this.
    await client.query('SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0');
    await client.query("SELECT pg_advisory_xact_lock(hashtext('tessera ' || current_schema()))");
    await client.query(`SET LOCAL lock_timeout = ${waitMs}`);
    if ((await versionOf(client)) < migration.version) {
      await client.query(migration.sql);
      await client.query('UPDATE store_state SET schema_version = $1, oldest_code = greatest(oldest_code, $2)', [
        migration.version,
        migration.oldestCode,
      ]);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

const isVacuuming = `
  SELECT EXISTS (SELECT 1 FROM pg_locks JOIN pg_class c ON c.oid = relation
    WHERE mode = 'ShareUpdateExclusiveLock' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())) AS is`;
// Not what they run: statements may hold secrets.
const selectLongest = `
  SELECT pid, application_name AS name, floor(extract(epoch FROM clock_timestamp() - xact_start))::int AS age FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - interval '1 second'
  ORDER BY xact_start LIMIT 3`;

async function heldByOthers(client: Connection, { version }: Migration, cause: unknown): Promise<StoreUnavailable> {
  const { rows } = await client.query<{ pid: number; name: string | null; age: number }>(selectLongest);
  const open = rows.map(({ pid, name, age }) => `pid ${pid}${name ? ` (${name})` : ''} for ${age} s`).join(', ');
  return new StoreUnavailable(
    `schema ${version} needs a table that other transactions hold; nothing was changed; let them end, or end them, then try again. Open the longest: ${open || 'none is seen by this user'}`,
    { cause },
  );
}

/** The schema the database has; 0 without a store. Throws `StoreNotUsable` when the tables of another program are in the way. */
export async function versionOf(client: Connection): Promise<number> {
  const { rows } = await client.query<{ state: boolean; others: boolean }>(`
    SELECT bool_or(relname = 'store_state') AS state, bool_or(relname IN ('sessions', 'grants', 'events', 'documents')) AS others
    FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())`);
  const { state, others } = rows[0]!;
  if (!state && others) {
    throw new StoreNotUsable('the schema holds tables of another program; name a database or schema of its own');
  }
  if (!state) return 0;
  const found = await client.query<{ schema_version: number }>('SELECT schema_version FROM store_state');
  return found.rows[0]!.schema_version;
}
