import pg from 'pg';

/** The settings of a Postgres that is to be watched. */
export const observed = ['shared_preload_libraries=pg_stat_statements', 'track_io_timing=on', 'track_wal_io_timing=on'];

type WalFigures = { records: string; images: string; bytes: string; writes: string; syncs: string; sync_ms: number };
type StatementFigures = {
  query: string;
  calls: string;
  rows: string;
  ms: number;
  plan_ms: number;
  blocks: string;
  wal_bytes: string;
};

/** What a Postgres does between two moments: its statements, its log, its updates. */
export class DatabaseWatch {
  readonly #client: pg.Client;
  #wal: WalFigures | undefined;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(connectionString: string): Promise<DatabaseWatch> {
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
    return new DatabaseWatch(client);
  }

  async begin(): Promise<void> {
    await this.#client.query('SELECT pg_stat_statements_reset()');
    this.#wal = await this.#readWal();
  }

  /** What was done since `begin`, for so many requests. */
  async describe(requests: number): Promise<string> {
    const before = this.#wal;
    const after = await this.#readWal();
    const since = (name: keyof WalFigures) => Number(after[name]) - Number(before?.[name] ?? 0);
    const each = (value: number) => (value / requests).toFixed(value < requests / 10 ? 4 : 2);
    const { rows: statements } = await this.#client.query<StatementFigures>(`
      SELECT regexp_replace(query, '\\s+', ' ', 'g') AS query, calls, rows, total_exec_time AS ms, total_plan_time AS plan_ms,
        shared_blks_hit + shared_blks_read AS blocks, wal_bytes
      FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat%' ORDER BY total_exec_time DESC LIMIT 25`);
    const { rows: updates } = await this.#client.query<{ relname: string; updates: string; hot: string }>(
      'SELECT relname, n_tup_upd AS updates, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE n_tup_upd > 0 ORDER BY 2 DESC LIMIT 5',
    );
    const calls = statements.reduce((sum, { calls }) => sum + Number(calls), 0);
    return [
      `statements a request: ${each(calls)}`,
      `log a request: ${each(since('bytes'))} bytes in ${each(since('records'))} records, ${each(since('images'))} whole pages; flushes a request: ${each(since('syncs'))}, ${(since('sync_ms') / since('syncs')).toFixed(3)} ms each`,
      ...updates.map(({ relname, updates, hot }) => `updates of ${relname}: ${updates}, ${hot} within their page`),
      '',
      'calls a request, µs a call, rows and blocks a call, bytes of log a call',
      ...statements.map(({ query, calls, rows, ms, blocks, wal_bytes }) => {
        const call = (value: number | string, digits = 1) =>
          (Number(value) / Number(calls)).toFixed(digits).padStart(8);
        return `${each(Number(calls)).padStart(7)} ${call(ms * 1000)} ${call(rows)} ${call(blocks)} ${call(wal_bytes, 0)}  ${query.trim().slice(0, 110)}`;
      }),
    ].join('\n');
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  async #readWal(): Promise<WalFigures> {
    // Backends report what they did when they are idle for a moment.
    await this.#client.query('SELECT pg_stat_force_next_flush(), pg_sleep(1.5)');
    const { rows } = await this.#client.query<WalFigures>(
      'SELECT wal_records AS records, wal_fpi AS images, wal_bytes AS bytes, wal_write AS writes, wal_sync AS syncs, wal_sync_time AS sync_ms FROM pg_stat_wal',
    );
    return rows[0] as WalFigures;
  }
}
