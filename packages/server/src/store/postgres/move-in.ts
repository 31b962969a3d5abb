import { birthOf } from '../grant-birth.ts';
import type { MovedKind, MovedPage, MovedRows, MoveSource, Tally } from '../move/moved-rows.ts';
import type { StorePosition } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { type Connection, inTransaction, openPool, type Pool, withConnection } from './connection.ts';
import { asStoreFailure } from './failure.ts';
import { originDigest } from './grant-rows.ts';
import { packKey, packText, unpackText } from './key.ts';
import { grantColumns } from './lists.ts';
import { type EventRow, type GrantRow, type SessionRow, toEvent, toGrant, toSession } from './rows.ts';
import { migrate, migrations, movingIn } from './schema.ts';

/** How far a move into a database has come: which store, and of each kind the cursor after the last piece; null when all of it is there. */
export type MoveProgress = {
  epoch: number;
  position: number;
  after: Partial<Record<MovedKind, string | null>>;
  state: 'copying' | 'done';
  tallies?: Record<string, Tally>;
};

/** A database that a store is moved into. */
export type MoveTarget = MoveSource & {
  /** How far it has come; begins when nobody has. Throws `StoreNotUsable` when the database holds another store. */
  begin(source: StorePosition): Promise<MoveProgress>;
  /** Writes a piece and, in the same transaction, how far it has come. */
  write<K extends MovedKind>(kind: K, rows: MovedRows[K][], progress: MoveProgress): Promise<void>;
  /** Lets servers use it. */
  finish(progress: MoveProgress): Promise<void>;
  close(): Promise<void>;
};

/** Connects to the database and makes the tables where there are none. Failures come as the Store interface says. */
export async function openMoveTarget(connectionString: string): Promise<MoveTarget> {
  const pool = openPool({ connectionString, schema: undefined }, 2);
  try {
    const client = await pool.connect();
    try {
      await migrate(client, { isMove: true });
    } finally {
      client.release(false);
    }
  } catch (error) {
    await pool.end();
    throw asStoreFailure(error);
  }
  const work = <T>(run: (connection: Connection) => Promise<T>): Promise<T> =>
    inTransaction(pool, run).catch((error: unknown) => Promise.reject(asStoreFailure(error)));
  return {
    begin: (source) => work((connection) => begin(connection, source)),
    write: (kind, rows, progress) =>
      work(async (connection) => {
        if (rows.length > 0) await writers[kind](connection, rows as never);
        await putProgress(connection, progress);
      }),
    finish: (progress) => work((connection) => finish(connection, progress)),
    page: (kind, after, limit) => readPage(pool, kind, after, limit),
    close: () => pool.end(),
  };
}

async function begin(connection: Connection, source: StorePosition): Promise<MoveProgress> {
  // One move at a time, and none beside the first start of a server.
  await connection.query("SELECT pg_advisory_xact_lock(hashtext('tessera ' || current_schema()))");
  const { rows } = await connection.query<{ state: string }>("SELECT state FROM progress WHERE task = 'move'");
  if (rows[0] !== undefined) {
    const progress = JSON.parse(rows[0].state) as MoveProgress;
    if (progress.epoch === source.epoch && progress.position === source.position) return progress;
    if (progress.state === 'copying')
      throw new StoreNotUsable(
        'the database holds a part of another store, or of this one before it went on; empty it (DROP SCHEMA … CASCADE), then begin again',
      );
    throw new StoreNotUsable('the database holds another store that was moved there; name an empty database');
  }
  const found = await connection.query<{ is_used: boolean }>(`
    SELECT position > 0 OR EXISTS (SELECT 1 FROM documents) OR EXISTS (SELECT 1 FROM sessions) OR EXISTS (SELECT 1 FROM event_inbox) AS is_used
    FROM store_state FOR UPDATE OF store_state`);
  if (found.rows[0]!.is_used) throw new StoreNotUsable('the database holds another store; name an empty database');
  const progress: MoveProgress = { ...source, after: {}, state: 'copying' };
  await connection.query('UPDATE store_state SET oldest_code = $1', [movingIn]);
  await putProgress(connection, progress);
  return progress;
}

async function finish(connection: Connection, progress: MoveProgress): Promise<void> {
  const oldestCode = Math.max(...migrations.map((migration) => migration.oldestCode));
  await connection.query('UPDATE store_state SET epoch = $1, position = $2, oldest_code = $3', [
    progress.epoch,
    progress.position,
    oldestCode,
  ]);
  for (const [table, column] of [
    ['sessions', 'session_no'],
    ['grants', 'grant_no'],
  ])
    await connection.query(
      `SELECT setval(pg_get_serial_sequence('${table}', '${column}'), greatest(1, (SELECT max(${column}) FROM ${table})))`,
    );
  await putProgress(connection, { ...progress, state: 'done' });
}

async function putProgress(connection: Connection, progress: MoveProgress): Promise<void> {
  await connection.query(
    "INSERT INTO progress VALUES ('move', $1) ON CONFLICT (task) DO UPDATE SET state = excluded.state",
    [JSON.stringify(progress)],
  );
}

/** Inserts rows of a table; those that are there, from a piece that was written before, stay. */
async function insert(connection: Connection, columns: string, table: string, rows: unknown[]): Promise<void> {
  const names = columns.split(', ').map((column) => column.split(' ')[0]);
  await connection.query(
    `INSERT INTO ${table} (${names.join(', ')}) OVERRIDING SYSTEM VALUE
     SELECT ${names.join(', ')} FROM json_to_recordset($1::json) AS r(${columns}) ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  );
}

// As Postgres reads bytes in text.
const bytes = (buffer: Buffer): string => `\\x${buffer.toString('hex')}`;
const key = (id: string): string => bytes(packKey(id));
const text = (value: string): string => bytes(packText(value));
const optionalKey = (id: string | undefined): string | null => (id === undefined ? null : key(id));
const optionalJson = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

const writers: { [K in MovedKind]: (connection: Connection, rows: MovedRows[K][]) => Promise<void> } = {
  documents: (connection, rows) =>
    insert(
      connection,
      'kind text, id bytea, version bigint, body text',
      'documents',
      rows.map((row) => ({ ...row, id: text(row.id) })),
    ),

  user_names: (connection, rows) =>
    insert(
      connection,
      'name bytea, user_id bytea, username bytea',
      'user_names',
      rows.map(({ name, userId, username }) => ({ name: text(name), user_id: text(userId), username: text(username) })),
    ),

  audiences: (connection, rows) =>
    insert(
      connection,
      'audience bytea, resource_server_id bytea',
      'audiences',
      rows.map((row) => ({ audience: text(row.audience), resource_server_id: text(row.resourceServerId) })),
    ),

  sessions: (connection, rows) =>
    insert(
      connection,
      'sid bytea, session_no bigint, version bigint, user_id bytea, cookie_digest bytea, auth_time bigint, amr text, acr text, created_at bigint, ip text, user_agent text, last_seen_at bigint, sso_idle bigint, sso_until bigint, ends_at bigint, ended_at bigint, end_reason text',
      'sessions',
      rows.map(({ no, session }) => ({
        sid: key(session.sid),
        session_no: no,
        version: session.version,
        user_id: key(session.userId),
        cookie_digest: key(session.cookieDigest),
        auth_time: session.authTime,
        amr: JSON.stringify(session.amr),
        acr: session.acr,
        created_at: session.createdAt,
        ip: session.origin.ip,
        user_agent: session.origin.userAgent,
        last_seen_at: session.lastSeenAt,
        sso_idle: session.ssoIdle,
        sso_until: session.ssoUntil,
        ends_at: session.endsAt,
        ended_at: session.endedAt,
        end_reason: session.endReason,
      })),
    ),

  async grants(connection, rows) {
    await insert(
      connection,
      'grant_id bytea, grant_no bigint, sid bytea, user_id bytea, client_id bytea, offline boolean, birth text, last_ip text, last_user_agent text',
      'grants',
      rows.map(({ no, grant }) => ({
        grant_id: key(grant.grantId),
        grant_no: no,
        sid: key(grant.sid),
        user_id: key(grant.userId),
        client_id: key(grant.clientId),
        offline: grant.kind === 'offline',
        birth: birthOf(grant),
        last_ip: grant.lastOrigin.ip,
        last_user_agent: grant.lastOrigin.userAgent,
      })),
    );
    await insert(
      connection,
      'grant_id bytea, generation bigint, rotated_at bigint, idle_at bigint, ends_at bigint, last_used_at bigint, uses bigint, replays bigint, ended_at bigint, origin bytea, seal_key_id text, end_reason text',
      'grant_state',
      rows.map(({ grant }) => ({
        grant_id: key(grant.grantId),
        generation: grant.generation,
        rotated_at: grant.rotatedAt,
        idle_at: grant.idleAt,
        ends_at: grant.endsAt,
        last_used_at: grant.lastUsedAt,
        uses: grant.uses,
        replays: grant.replays,
        ended_at: grant.endedAt,
        origin: `\\x${originDigest(grant.lastOrigin)}`,
        seal_key_id: grant.sealKeyId,
        end_reason: grant.endReason,
      })),
    );
  },

  // The way of all events, so that whatever the engine does with its log is done with these too: positions are dense, so they are given anew as they were.
  async events(connection, rows) {
    const first = rows[0]!.position;
    await connection.query('UPDATE store_state SET position = $1 WHERE position < $1', [first - 1]);
    await insert(
      connection,
      'batch bigint, ordinal integer, type text, at bigint, actor text, user_id bytea, sid bytea, grant_id bytea, client_id bytea, data text, audiences text, until bigint',
      'event_inbox',
      await inOneBatch(connection, rows),
    );
    await connection.query('SELECT place_events($1)', [rows.length + 1]);
    const { rows: after } = await connection.query<{ position: number }>('SELECT position FROM store_state');
    if (after[0]!.position !== rows.at(-1)!.position)
      throw new StoreNotUsable(
        `events ${first} to ${rows.at(-1)!.position} are not dense, or something else writes to the database; nothing of them was moved`,
      );
  },

  remembered: (connection, rows) =>
    insert(
      connection,
      'key bytea, until bigint, used_from text',
      'remembered',
      rows.map((row) => ({ key: text(row.key), until: row.until, used_from: row.usedFrom })),
    ),

  buckets: (connection, rows) =>
    insert(
      connection,
      'key bytea, level double precision, at bigint, leak_per_second double precision, empty_at double precision',
      'buckets',
      rows.map((row) => ({
        key: text(row.key),
        level: row.level,
        at: row.at,
        leak_per_second: row.leakPerSecond,
        empty_at: row.leakPerSecond > 0 ? row.at + row.level / row.leakPerSecond : Number.MAX_VALUE,
      })),
    ),
};

async function inOneBatch(connection: Connection, rows: MovedRows['events'][]): Promise<unknown[]> {
  const drawn = await connection.query<{ batch: number }>("SELECT nextval('event_batch') AS batch");
  return rows.map((event, index) => ({
    batch: drawn.rows[0]!.batch,
    ordinal: index + 1,
    type: event.type,
    at: event.at,
    actor: JSON.stringify(event.actor),
    user_id: optionalKey(event.userId),
    sid: optionalKey(event.sid),
    grant_id: optionalKey(event.grantId),
    client_id: optionalKey(event.clientId),
    data: optionalJson(event.data),
    audiences: optionalJson(event.audiences),
    until: event.until ?? null,
  }));
}

type Reading<K extends MovedKind> = {
  sql: string;
  first: unknown[];
  toRow(row: never): MovedRows[K];
  cursor(row: MovedRows[K]): unknown[];
};

const readings: { [K in MovedKind]: Reading<K> } = {
  documents: {
    sql: 'SELECT kind, id, version, body FROM documents WHERE (kind, id) > ($1, $2::bytea) ORDER BY kind, id LIMIT $3',
    first: ['', '\\x'],
    toRow: (row: { kind: string; id: Buffer; version: number; body: string }) => ({ ...row, id: unpackText(row.id) }),
    cursor: ({ kind, id }) => [kind, text(id)],
  },
  user_names: {
    sql: 'SELECT name, user_id, username FROM user_names WHERE name > $1::bytea ORDER BY name LIMIT $2',
    first: ['\\x'],
    toRow: (row: { name: Buffer; user_id: Buffer; username: Buffer }) => ({
      name: unpackText(row.name),
      userId: unpackText(row.user_id),
      username: unpackText(row.username),
    }),
    cursor: ({ name }) => [text(name)],
  },
  audiences: {
    sql: 'SELECT audience, resource_server_id FROM audiences WHERE audience > $1::bytea ORDER BY audience LIMIT $2',
    first: ['\\x'],
    toRow: (row: { audience: Buffer; resource_server_id: Buffer }) => ({
      audience: unpackText(row.audience),
      resourceServerId: unpackText(row.resource_server_id),
    }),
    cursor: ({ audience }) => [text(audience)],
  },
  sessions: {
    sql: 'SELECT * FROM sessions WHERE session_no > $1 ORDER BY session_no LIMIT $2',
    first: [-1],
    toRow: (row: SessionRow) => ({ no: row.session_no, session: toSession(row) }),
    cursor: ({ no }) => [no],
  },
  grants: {
    sql: `SELECT ${grantColumns} FROM grants g JOIN grant_state s USING (grant_id) WHERE g.grant_no > $1 ORDER BY g.grant_no LIMIT $2`,
    first: [-1],
    toRow: (row: GrantRow) => ({ no: row.grant_no, grant: toGrant(row) }),
    cursor: ({ no }) => [no],
  },
  events: {
    sql: 'SELECT * FROM events WHERE position > $1 ORDER BY position LIMIT $2',
    first: [0],
    toRow: (row: EventRow) => toEvent(row),
    cursor: ({ position }) => [position],
  },
  remembered: {
    sql: 'SELECT key, until, used_from FROM remembered WHERE key > $1::bytea ORDER BY key LIMIT $2',
    first: ['\\x'],
    toRow: (row: { key: Buffer; until: number; used_from: string | null }) => ({
      key: unpackText(row.key),
      until: row.until,
      usedFrom: row.used_from,
    }),
    cursor: (row) => [text(row.key)],
  },
  buckets: {
    sql: 'SELECT key, level, at, leak_per_second FROM buckets WHERE key > $1::bytea ORDER BY key LIMIT $2',
    first: ['\\x'],
    toRow: (row: { key: Buffer; level: number; at: number; leak_per_second: number }) => ({
      key: unpackText(row.key),
      level: row.level,
      at: row.at,
      leakPerSecond: row.leak_per_second,
    }),
    cursor: (row) => [text(row.key)],
  },
};

async function readPage<K extends MovedKind>(
  pool: Pool,
  kind: K,
  after: string | undefined,
  limit: number,
): Promise<MovedPage<K>> {
  const { sql, first, toRow, cursor } = readings[kind] as unknown as Reading<K>;
  const from = after === undefined ? first : (JSON.parse(after) as unknown[]);
  const found = await withConnection(pool, (connection) => connection.query(sql, [...from, limit]));
  const rows = found.rows.map((row) => toRow(row as never));
  const last = rows.at(-1);
  return { rows, after: last === undefined || rows.length < limit ? undefined : JSON.stringify(cursor(last)) };
}
