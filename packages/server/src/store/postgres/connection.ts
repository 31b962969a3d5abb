import pg from 'pg';
import { firstOf, splitHosts } from '../database-hosts.ts';
import { StoreUnavailable } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { clientConfig } from './client-config.ts';
import { asStoreFailure, isLost } from './failure.ts';
import { type Pooling, TransactionConnection } from './pooling.ts';
import { detectPooling } from './pooling-detection.ts';

/**
 * Where the database is. `schema`: where its tables are; default: the first of the connection's `search_path`, usually `public`. `pooling`: what a connection is worth, see
 * `pooling.ts`; found out when the first one is needed.
 */
export type ConnectionOptions = { connectionString: string; schema: string | undefined; pooling?: Pooling };

/** A connection, or anything that answers statements as one does. */
export type Connection = {
  query<Row extends pg.QueryResultRow>(
    statement: string | pg.QueryConfig<unknown[]>,
    values?: unknown[],
  ): Promise<pg.QueryResult<Row>>;
};

// How long a caller waits: for a row another node has locked, for a statement. Beyond, it hears that the store is away.
const lockMs = 2000;
const statementMs = 15_000;

/** Connections that are shared. `release` gives one back, or does away with it. */
export type Pool = {
  connect(): Promise<Connection & { release(isLost: boolean): void }>;
  end(): Promise<void>;
};

/**
 * Connections to the database, at most `most`, made when needed and replaced when lost. None is handed out that leads to a standby. Where the connection string names several
 * hosts, the one that led last is asked first, and the others when it does not answer or has become a standby.
 */
export function openPool(options: ConnectionOptions, most: number): Pool {
  const pools = splitHosts(options.connectionString).map((host) => openHostPool(options, host, most));
  let leader = 0;
  return {
    async connect() {
      options.pooling ??= await detectPooling(options.connectionString);
      const order = [...pools.keys()].map((index) => (leader + index) % pools.length);
      const client = await firstOf(order, async (index) => {
        const connected = await pools[index]!.connect();
        leader = index;
        return connected;
      });
      if (options.pooling === 'session') return client;
      const connection = new TransactionConnection(client, transactionSettings(options));
      return Object.assign(connection, { release: (isLost: boolean) => client.release(isLost) });
    },
    async end() {
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

function openHostPool(options: ConnectionOptions, host: string, most: number): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(host),
    max: most,
    idleTimeoutMillis: 60_000,
    allowExitOnIdle: true,
    verify: (client, done) => {
      prepare(client, options).then(
        () => done(),
        (error: Error) => done(error),
      );
    },
  } as pg.PoolConfig & { verify(client: pg.PoolClient, done: (error?: Error) => void): void });
  // An idle connection that breaks is no failure of anybody's: the pool drops it. One in use fails its statement, or the next one.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** One connection outside of the pools, for signals and inspections. The caller handles its `error`. */
export async function openClient(options: ConnectionOptions): Promise<pg.Client> {
  options.pooling ??= await detectPooling(options.connectionString);
  return firstOf(splitHosts(options.connectionString), async (host) => {
    const client = new pg.Client(clientConfig(host));
    client.on('error', () => undefined);
    try {
      await client.connect();
      await prepare(client, options);
      return client;
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
  });
}

/** Runs `work` with a connection of the pool; one that was lost does not go back. Failures come as the Store interface says. */
export async function withConnection<T>(pool: Pool, work: (connection: Connection) => Promise<T>): Promise<T> {
  let client: Awaited<ReturnType<Pool['connect']>> | undefined;
  let isUsable = true;
  try {
    client = await pool.connect();
    return await work(client);
  } catch (error) {
    isUsable = !isLost(error);
    throw asStoreFailure(error);
  } finally {
    client?.release(!isUsable);
  }
}

/** Runs `work`, which is one statement, as a transaction of its own; failures come out as they are. */
export async function inStatement<T>(pool: Pool, work: (connection: Connection) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isUsable = true;
  try {
    return await work(client);
  } catch (error) {
    isUsable = !isLost(error);
    throw error;
  } finally {
    client.release(!isUsable);
  }
}

/**
 * Runs `work` in a transaction and commits it; what it throws rolls back and comes out as it was thrown. Each statement has a snapshot of its own (READ
 * COMMITTED): what a statement locked, the next one sees as it is.
 */
export async function inTransaction<T>(pool: Pool, work: (connection: Connection) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isUsable = true;
  try {
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    isUsable = !isLost(error);
    if (isUsable)
      isUsable = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
    throw error;
  } finally {
    client.release(!isUsable);
  }
}

/**
 * The server cannot keep what it acknowledges: it is older than 15, or runs with `fsync=off` or `full_page_writes=off`. Asked of each new connection, so a server that was restarted in that
 * way is found out. For who serves it is away; it may come back as it should be.
 */
export class ServerNotDurable extends StoreUnavailable {}

type ServerSettings = {
  standby: boolean;
  sync: string;
  version: number;
  fsync: string;
  full_pages: string;
  read_only: boolean;
  encoding: string;
};

const serverSettings = `
  SELECT pg_is_in_recovery() AS standby, current_setting('synchronous_commit') AS sync, current_setting('server_version_num')::int AS version,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_pages,
    current_setting('default_transaction_read_only') = 'on' AS read_only, current_setting('server_encoding') AS encoding`;

const readOnly =
  'Postgres: the database lets nothing be written (default_transaction_read_only is on, for the server, the database or the user); set it off where it was set, when whatever it guards is done';

function wrongEncoding(encoding: string): string {
  return `Postgres: the encoding of the database is ${encoding}, which cannot hold every name; make one with UTF8: createdb --owner=USER --encoding=UTF8 --template=template0 DATABASE`;
}

function durabilityProblem({ version, fsync, full_pages: fullPages }: ServerSettings): string | undefined {
  if (version < 150_000) return 'Postgres: the server is older than Postgres 15; use 15 or later';
  if (fsync !== 'on')
    return 'Postgres: the server runs with fsync=off and loses acknowledged changes with the power; set fsync=on';
  if (fullPages !== 'on')
    return 'Postgres: the server runs with full_page_writes=off, which can destroy pages when the power fails; set full_page_writes=on';
  return undefined;
}

/**
 * What a failover could lose, in words for the operator, or undefined: a standby that is not waited for lacks the latest commits, so acknowledged endings
 * would be undone when it takes over.
 */
export async function failoverRisk(connection: Connection): Promise<string | undefined> {
  const { rows } = await connection.query<{ standbys: number; synchronous: string }>(
    "SELECT count(*)::int AS standbys, current_setting('synchronous_standby_names') AS synchronous FROM pg_stat_replication",
  );
  const { standbys, synchronous } = rows[0]!;
  if (standbys === 0 || synchronous !== '') return undefined;
  return 'the database has standbys and waits for none (synchronous_standby_names is empty): a failover can undo the latest sign-outs, rotations and other acknowledged changes';
}

async function prepare(client: Pick<pg.Client, 'query'>, options: ConnectionOptions): Promise<void> {
  // Behind a pooler of transactions, what is set would stay with the server's connection, which is the next client's in a moment.
  if (options.pooling === 'session') {
    await client.query(`
      SET default_transaction_isolation = 'read committed';
      SET client_min_messages = warning;
      ${settings('SET', options)}`);
  }
  const { rows } = await client.query<ServerSettings>(serverSettings);
  if (rows[0]!.standby) throw new StoreUnavailable('Postgres: the server is a standby; reads of it would be stale');
  if (rows[0]!.encoding !== 'UTF8') throw new StoreNotUsable(wrongEncoding(rows[0]!.encoding));
  // Not overruled: some providers set it when the disk is nearly full, and administrators while they move a database.
  if (rows[0]!.read_only) throw new StoreUnavailable(readOnly);
  const problem = durabilityProblem(rows[0]!);
  if (problem !== undefined) throw new ServerNotDurable(problem);
  // What is acknowledged is on disk, whatever the database's default; stricter settings stay.
  if (rows[0]!.sync === 'off' && options.pooling === 'session') await client.query('SET synchronous_commit = on');
}

function settings(set: string, { schema }: ConnectionOptions): string {
  return `
    ${set} lock_timeout = ${lockMs};
    ${set} statement_timeout = ${statementMs};
    ${set} idle_in_transaction_session_timeout = ${statementMs};
    ${set} idle_session_timeout = 0;
    ${set} jit = off;
    ${schema === undefined ? '' : `${set} search_path = ${quoteName(schema)};`}`;
}

function transactionSettings(options: ConnectionOptions): string {
  return `${settings('SET LOCAL', options)}
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`;
}

/** A name as SQL wants it. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
