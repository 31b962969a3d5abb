import type { DatabaseSync } from 'node:sqlite';
import type { Migration } from '../migrate-store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { due, endedDue } from './schema-due.ts';

/** All steps, in their order. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    oldestCode: 1,
    sql: `
      CREATE TABLE store_state (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        epoch INTEGER NOT NULL,
        position INTEGER NOT NULL,
        oldest_code INTEGER NOT NULL
      ) STRICT;
      INSERT INTO store_state VALUES (1, abs(random() % 281474976710656), 0, 1);

      CREATE TABLE documents (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, id)
      ) STRICT, WITHOUT ROWID;

      -- Usernames and e-mail addresses, folded, in one name space. username: the folded username of the same user.
      CREATE TABLE user_names (
        name TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        username TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX user_names_user ON user_names (user_id);

      CREATE TABLE audiences (
        audience TEXT PRIMARY KEY,
        resource_server_id TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX audiences_resource_server ON audiences (resource_server_id);

      CREATE TABLE sessions (
        session_no INTEGER PRIMARY KEY,
        sid ANY NOT NULL UNIQUE,
        version INTEGER NOT NULL,
        user_id ANY NOT NULL,
        cookie_digest ANY NOT NULL UNIQUE,
        auth_time INTEGER NOT NULL,
        amr TEXT NOT NULL,
        acr TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        ip TEXT NOT NULL,
        user_agent TEXT NOT NULL,
        last_seen_at INTEGER NOT NULL,
        sso_idle INTEGER NOT NULL,
        sso_until INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        ended_at INTEGER,
        end_reason TEXT
      ) STRICT;
      CREATE INDEX sessions_user ON sessions (user_id);
      CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

      -- What is set at a grant's birth: what queries ask for in columns, the rest in one JSON text (read in half the time of a dozen columns).
      -- The last origin stands here because a refresh changes it only when it comes from elsewhere.
      CREATE TABLE grants (
        grant_no INTEGER PRIMARY KEY,
        grant_id ANY NOT NULL,
        sid ANY NOT NULL,
        user_id ANY NOT NULL,
        client_id ANY NOT NULL,
        offline INTEGER NOT NULL,
        birth TEXT NOT NULL,
        last_ip TEXT NOT NULL,
        last_user_agent TEXT NOT NULL
      ) STRICT;
      CREATE INDEX grants_session ON grants (sid, client_id);
      CREATE INDEX grants_user ON grants (user_id, client_id);
      CREATE INDEX grants_client ON grants (client_id);

      -- What a refresh changes: narrow, found by its own key, nothing of it indexed. origin: digest of ip and user agent.
      CREATE TABLE grant_state (
        grant_id ANY PRIMARY KEY,
        grant_no INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        seal_key_id TEXT NOT NULL,
        rotated_at INTEGER NOT NULL,
        idle_at INTEGER,
        ends_at INTEGER NOT NULL,
        last_used_at INTEGER NOT NULL,
        uses INTEGER NOT NULL,
        replays INTEGER NOT NULL,
        origin BLOB NOT NULL,
        ended_at INTEGER,
        end_reason TEXT
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX grant_state_ended ON grant_state (ended_at) WHERE ended_at IS NOT NULL;

      CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        type TEXT NOT NULL,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        user_id ANY,
        sid ANY,
        grant_id ANY,
        client_id ANY,
        data TEXT,
        audiences TEXT,
        until INTEGER
      ) STRICT;
      CREATE INDEX events_user ON events (user_id) WHERE user_id IS NOT NULL;
      CREATE INDEX events_session ON events (sid) WHERE sid IS NOT NULL;
      CREATE INDEX events_grant ON events (grant_id) WHERE grant_id IS NOT NULL;
      CREATE INDEX events_client ON events (client_id) WHERE client_id IS NOT NULL;
      CREATE INDEX events_until ON events (until) WHERE until IS NOT NULL;

      CREATE TABLE remembered (
        key TEXT PRIMARY KEY,
        until INTEGER NOT NULL,
        used_from TEXT
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX remembered_until ON remembered (until);

      CREATE TABLE buckets (
        key TEXT PRIMARY KEY,
        level REAL NOT NULL,
        at INTEGER NOT NULL,
        leak_per_second REAL NOT NULL,
        empty_at REAL NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX buckets_empty ON buckets (empty_at);
    `,
  },
  {
    version: 2,
    oldestCode: 1,
    // How far long work has come that is done in pieces, by its name.
    sql: 'CREATE TABLE IF NOT EXISTS progress (task TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID',
  },
  { version: 3, oldestCode: 1, sql: due },
  { version: 4, oldestCode: 1, sql: endedDue },
];

/** The schema this code writes. */
export const schemaVersion = migrations.at(-1)!.version;

/** Stands as the oldest code that may use a file whose store has moved to a database: none may. */
export const movedAway = 1_000_000;

// "TESS": lets `file` and people tell the file, and keeps us from writing into somebody else's database.
const applicationId = 0x54455353;

/**
 * Brings the file to this code's schema, each step in a transaction of its own, so that processes that start together do not run one twice.
 * A file of newer code is left as it is and used if that code's steps allow it; else throws `StoreNotUsable`.
 */
export function migrate(db: DatabaseSync): void {
  assertUsable(db);
  if (userVersion(db) >= schemaVersion) return;
  for (const migration of migrations) applyOnce(db, migration);
  assertUsable(db);
}

/** Throws `StoreNotUsable` if the file is not a store of Tessera or needs newer code. */
export function assertUsable(db: DatabaseSync): void {
  // In this order: another process may be creating the store, and sets both at once.
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as { count: number };
  if (tables.count === 0) return;
  const { application_id: id } = db.prepare('PRAGMA application_id').get() as { application_id: number };
  if (id !== applicationId) {
    throw new StoreNotUsable('the file is a database, but not a store of Tessera; name another file');
  }
  const { oldest_code: oldest } = db.prepare('SELECT oldest_code FROM store_state').get() as { oldest_code: number };
  if (oldest === movedAway) throw new StoreNotUsable(howItMoved);
  if (oldest > schemaVersion) {
    throw new StoreNotUsable(
      `the store has schema ${userVersion(db)}, which needs a Tessera that knows schema ${oldest} or later; this one knows ${schemaVersion}; install the newer version again`,
    );
  }
}

const howItMoved =
  'the store in this file was moved to Postgres (tessera move), and what it holds is old; name that database in the configuration: store, or TESSERA_STORE';

/** Applies a step unless somebody has. */
export function applyOnce(db: DatabaseSync, migration: Migration): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    if (userVersion(db) < migration.version) {
      db.exec(migration.sql);
      db.exec(`UPDATE store_state SET oldest_code = max(oldest_code, ${migration.oldestCode})`);
      db.exec(`PRAGMA user_version = ${migration.version}`);
      db.exec(`PRAGMA application_id = ${applicationId}`);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** The schema the file has; 0 for a fresh one. */
export function userVersion(db: DatabaseSync): number {
  return (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}
