import type { BackFill, Contraction, SchemaDriver, SchemaSteps } from '../migrate-store.ts';
import { backFillTask, contractedTask, type ProgressRow, readProgress, stateAfterSlice } from '../schema-progress.ts';
import { nodesBeside } from './connected-nodes.ts';
import { type Connection, inTransaction, openPool, withConnection } from './connection.ts';
import { asStoreFailure } from './failure.ts';
import { applyOnce, migrations, versionOf } from './schema.ts';

/** The steps of this engine's schema. */
export const postgresSteps: SchemaSteps = { migrations, backFills: [], contractions: [] };

/** The schema of the store in a database. Nodes may be connected; who knows an older schema than a contraction needs stands in its way. */
export async function openPostgresSchema(connectionString: string): Promise<SchemaDriver> {
  const pool = openPool({ connectionString, schema: undefined }, 1);
  const work = <T>(run: (connection: Connection) => Promise<T>): Promise<T> =>
    inTransaction(pool, run).catch((error: unknown) => Promise.reject(asStoreFailure(error)));
  return {
    state: () => withConnection(pool, stateOf),
    migrate: (step) => withConnection(pool, (connection) => applyOnce(connection, step)),
    backFill: (step, rows) => work((connection) => backFill(connection, step, rows)),
    // Over the one connection there is, which does not count itself.
    olderNodes: (than) => withConnection(pool, (connection) => nodesBeside(connection, { olderThan: than })),
    setOldestCode: (version) =>
      work(async (connection) => {
        const { rows } = await connection.query<{ oldest: number }>(
          'SELECT oldest_code AS oldest FROM store_state FOR NO KEY UPDATE',
        );
        await connection.query('UPDATE store_state SET oldest_code = $1', [version]);
        return rows[0]!.oldest;
      }),
    contract: (step) => work((connection) => contract(connection, step)),
    close: () => pool.end(),
  };
}

async function stateOf(connection: Connection) {
  const version = await versionOf(connection);
  const { rows } = version < 2 ? { rows: [] } : await connection.query<ProgressRow>('SELECT task, state FROM progress');
  return { version, ...readProgress(rows) };
}

async function backFill(connection: Connection, { name, sql }: BackFill, rows: number): Promise<number> {
  const task = backFillTask(name);
  await lock(connection, task);
  const found = await connection.query<ProgressRow>('SELECT state FROM progress WHERE task = $1', [task]);
  const done = await connection.query<{ no: number }>(sql, [Number(found.rows[0]?.state ?? 0), rows]);
  await putProgress(connection, task, stateAfterSlice(done.rows));
  return done.rows.length;
}

async function contract(connection: Connection, { number, sql }: Contraction): Promise<void> {
  await lock(connection, contractedTask);
  const { contracted } = await stateOf(connection);
  if (contracted >= number) return;
  await connection.query(sql);
  await putProgress(connection, contractedTask, String(number));
}

async function putProgress(connection: Connection, task: string, state: string): Promise<void> {
  await connection.query(
    'INSERT INTO progress VALUES ($1, $2) ON CONFLICT (task) DO UPDATE SET state = excluded.state',
    [task, state],
  );
}

/** One at a time, also before there is a row to lock. */
async function lock(connection: Connection, task: string): Promise<void> {
  await connection.query("SELECT pg_advisory_xact_lock(hashtext('tessera ' || current_schema() || $1))", [task]);
}
