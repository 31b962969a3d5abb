import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { type Connection, type ConnectionOptions, openClient, type Pool, withConnection } from './connection.ts';

// A burst of commits is one signal: notifications take a lock of the whole server.
const signalEveryMs = 10;
const reconnectAfterMs = 250;
// Who cannot listen looks at the number.
const signal = "SELECT pg_notify($1, $2), nextval('commit_signals')";

/** Its types lack these two. */
type ListeningClient = pg.Client & { ref(): void; unref(): void };

/**
 * Tells other nodes that something was committed, and hears it from them, on a connection of its own: inside the transactions of the commits themselves
 * notifications would make them wait for each other. A signal carries no news, only its sender, and may get lost with the connection; so
 * readers look by themselves too.
 */
export class CommitSignal {
  readonly #options: ConnectionOptions;
  readonly #pool: Pool;
  readonly #heard: () => void;
  readonly #sender = randomUUID();
  #client: ListeningClient | undefined;
  #channel = '';
  #timer: NodeJS.Timeout | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #isDue = false;
  #isClosed = false;

  /** `heard` is called when another node has committed, or may have while nobody listened. */
  constructor(options: ConnectionOptions, pool: Pool, heard: () => void) {
    this.#options = options;
    this.#pool = pool;
    this.#heard = heard;
  }

  /** Whether signals of other nodes arrive. */
  get isListening(): boolean {
    return this.#client !== undefined;
  }

  /** Connects and listens; behind a pooler of transactions nobody can listen, and signals are told on a connection of the pool. */
  async open(): Promise<void> {
    if (this.#options.pooling === 'transaction') {
      this.#channel = await withConnection(this.#pool, channelOf);
      return;
    }
    const client = (await openClient(this.#options)) as ListeningClient;
    client.on('notification', ({ payload }) => {
      if (payload !== this.#sender) this.#heard();
    });
    client.on('error', () => this.#lost(client));
    client.on('end', () => this.#lost(client));
    try {
      this.#channel = await channelOf(client);
      await client.query(`LISTEN ${this.#channel}`);
      // A signal needs no disk.
      await client.query('SET synchronous_commit = off');
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
    // Listening alone keeps no process alive.
    client.unref();
    this.#client = client;
  }

  /** Tells the others soon, once for all commits of the next moment. */
  send(): void {
    this.#isDue = true;
    this.#schedule();
  }

  /** Tells what is still to be told and disconnects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#reconnect);
    const client = this.#client;
    // Else a process that has nothing else to do, a command say, ends in the middle of this.
    client?.ref();
    await this.#sending;
    if (this.#isDue) await this.#notify();
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#sending !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#notify().finally(() => {
        this.#sending = undefined;
        if (this.#isDue) this.#schedule();
      });
    }, signalEveryMs).unref();
  }

  async #notify(): Promise<void> {
    this.#isDue = false;
    // A signal that gets lost with its connection: the others look by themselves.
    const values = [this.#channel, this.#sender];
    const sent =
      this.#options.pooling === 'transaction'
        ? withConnection(this.#pool, (connection) => connection.query(signal, values))
        : this.#client?.query(signal, values);
    await sent?.catch(() => undefined);
  }

  #lost(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#reconnectSoon();
  }

  #reconnectSoon(): void {
    if (this.#isClosed) return;
    this.#reconnect = setTimeout(() => {
      this.open().then(
        // What was committed meanwhile was not heard.
        () => this.#heard(),
        () => this.#reconnectSoon(),
      );
    }, reconnectAfterMs).unref();
  }
}

/** One channel for each schema: several stores may share a database. */
async function channelOf(connection: Connection): Promise<string> {
  const { rows } = await connection.query<{ channel: string }>(
    "SELECT 'tessera_' || oid AS channel FROM pg_namespace WHERE nspname = current_schema()",
  );
  return rows[0]!.channel;
}
