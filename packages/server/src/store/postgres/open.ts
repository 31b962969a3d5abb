import type { Seconds } from '@tessera/protocol';
import { HandedOnReadings } from '../readings.ts';
import type { Change, CommitResult, NewEvent, Store, SweepResult } from '../store.ts';
import { StoreUnavailable } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { CommitSignal } from './commit-signal.ts';
import {
  type ConnectionOptions,
  failoverRisk,
  openPool,
  type Pool,
  quoteName,
  ServerNotDurable,
  withConnection,
} from './connection.ts';
import { readLogState } from './event-reader.ts';
import { GroupCommit } from './group-commit.ts';
import { detectPooling } from './pooling-detection.ts';
import { Reader } from './reader.ts';
import { migrate } from './schema.ts';
import { type SweepBounds, sweep } from './sweep.ts';

/** Where the store is and what it may take. */
export type PostgresStoreOptions = {
  /** `postgres://user:password@host/database`; several hosts, of which one leads: `host1,host2`. Straight to the server, or through a pooler of sessions or transactions. */
  connectionString: string;
  /** Connections for reading and for commits of their own, at most. Two more write batches and carry signals. Default 8. */
  poolSize?: number;
  /** The schema of the tables; made if it is not there. Default: the first of the user's `search_path`, usually `public`. */
  schema?: string;
  /** Called at the start with what the operator should know: what a failover could lose, what a pooler takes away. */
  warn?: (message: string) => void;
};

/**
 * Opens the store in a Postgres database, 15 or later, and brings its tables up to date. Any number of nodes may have it open. Throws `StoreNotUsable` for a
 * server that loses what it acknowledged (`fsync=off`) and for a database of a newer version or another program, `StoreUnavailable` if it cannot
 * be reached.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const store = new PostgresStore(options);
  try {
    await store.open();
    return store;
  } catch (error) {
    await store.close();
    throw error instanceof ServerNotDurable ? new StoreNotUsable(error.message, { cause: error }) : error;
  }
}

// How often a store looks whether another node has appended events: signals tell sooner, and everything else that was committed too.
const watchEveryMs = 250;
const watchDeafEveryMs = 40;

class PostgresStore extends HandedOnReadings implements Store {
  readonly #connection: ConnectionOptions;
  readonly #warn: (message: string) => void;
  readonly #pool: Pool;
  readonly #writerPool: Pool;
  readonly #writer: GroupCommit;
  readonly #reader: Reader;
  readonly #signal: CommitSignal;
  readonly #listeners = new Set<() => void>();
  #watch: NodeJS.Timeout | undefined;
  #isLooking = false;
  #seen = { position: 0, newest: 0, signals: 0 };
  #closing: Promise<void> | undefined;

  constructor({ connectionString, poolSize = 8, schema, warn = () => undefined }: PostgresStoreOptions) {
    super();
    this.#warn = warn;
    this.#connection = { connectionString, schema };
    this.#pool = openPool(this.#connection, poolSize);
    this.#writerPool = openPool(this.#connection, 1);
    this.#reader = new Reader(this.#pool);
    this.#signal = new CommitSignal(this.#connection, this.#pool, () => this.#notify());
    this.#writer = new GroupCommit(this.#writerPool, this.#pool, () => {
      this.#notify();
      this.#signal.send();
    });
  }

  async open(): Promise<void> {
    this.#connection.pooling = await detectPooling(this.#connection.connectionString);
    await withConnection(this.#pool, async (connection) => {
      const { schema } = this.#connection;
      if (schema !== undefined) await connection.query(`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`);
      await migrate(connection);
      const risk = await failoverRisk(connection);
      if (risk !== undefined) this.#warn(risk);
    });
    if (this.#connection.pooling === 'transaction') {
      this.#warn(
        `the database is behind a pooler of transactions: without prepared statements and signals, looking for other nodes' commits every ${watchDeafEveryMs} ms`,
      );
    }
    await this.#signal.open().catch((error: unknown) => {
      throw new StoreUnavailable('Postgres: no connection for signals', { cause: error });
    });
    await this.#look();
  }

  async findLapsed(now: Seconds, limit: number) {
    return this.readings().findLapsed(now, limit);
  }

  async clockMs() {
    return this.readings().clockMs();
  }

  onEvents(listener: () => void): () => void {
    // Wrapped, so that the same function registered twice is called twice and removed once.
    const entry = () => listener();
    this.#listeners.add(entry);
    this.#watchSoon();
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size === 0) this.#stopWatching();
    };
  }

  async commit(changes: readonly Change[], events: readonly NewEvent[] = []): Promise<CommitResult> {
    const reply = await this.#writer.submit({ changes, events });
    if ('conflict' in reply) return { outcome: 'conflict', change: reply.conflict };
    return { outcome: 'committed', ...reply };
  }

  async sweep(bounds: SweepBounds): Promise<SweepResult> {
    // Events are swept by position: those that have none yet get theirs first.
    await this.readings().position();
    return sweep(this.#pool, bounds);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    this.#stopWatching();
    await this.#writer.drain();
    await this.#signal.close();
    await Promise.all([this.#pool.end(), this.#writerPool.end()]);
  }

  protected override readings(): Reader {
    if (this.#closing !== undefined) throw new StoreUnavailable('the store is closed');
    return this.#reader;
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #watchSoon(): void {
    if (this.#listeners.size === 0 || this.#isLooking) return;
    const afterMs = this.#signal.isListening ? watchEveryMs : watchDeafEveryMs;
    this.#watch ??= setTimeout(() => this.#lookForOthers(), afterMs).unref();
  }

  async #lookForOthers(): Promise<void> {
    const before = this.#seen;
    this.#isLooking = true;
    this.#watch = undefined;
    // A store that is away for a moment has nothing to tell.
    await this.#look().catch(() => undefined);
    this.#isLooking = false;
    if (Object.entries(this.#seen).some(([key, value]) => value !== before[key as keyof typeof before])) this.#notify();
    this.#watchSoon();
  }

  async #look(): Promise<void> {
    const { position, newest, signals } = await readLogState(this.#reader.statements);
    // Who hears the signals themselves need not count them.
    const counted = this.#signal.isListening ? 0 : signals;
    this.#seen = { position, newest: Math.max(newest, this.#seen.newest), signals: counted };
  }

  #stopWatching(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
  }
}
