import type { DatabaseSync } from 'node:sqlite';
import type { BackFill, Contraction, SchemaDriver, SchemaSteps } from '../migrate-store.ts';
import { backFillTask, contractedTask, type ProgressRow, readProgress, stateAfterSlice } from '../schema-progress.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { openAlone } from './alone.ts';
import { openConnection } from './connection.ts';
import { applyOnce, assertUsable, migrations, userVersion } from './schema.ts';

/** The steps of this engine's schema. */
export const sqliteSteps: SchemaSteps = { migrations, backFills: [], contractions: [] };

/** The schema of the store in a file. Other processes may have it open, but for a contraction: who has a file open does not say what it knows. */
export async function openSqliteSchema(file: string): Promise<SchemaDriver> {
  const db = openConnection({ file, readOnly: false, busyTimeoutMs: 5000, cacheBytes: 8 << 20, synchronous: 'FULL' });
  try {
    assertUsable(db);
  } catch (error) {
    db.close();
    throw error;
  }
  return {
    state: async () => stateOf(db),
    migrate: async (step) => applyOnce(db, step),
    backFill: async (step, rows) => inTransaction(db, () => backFill(db, step, rows)),
    async olderNodes() {
      // Only a connection that stands alone can tell, and this one stands in its way.
      db.close();
      const alone = await tryAlone(file);
      db.open();
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000');
      return alone ? [] : [{ address: `another process on ${file}`, schema: 0 }];
    },
    setOldestCode: async (version) =>
      inTransaction(db, () => {
        const { oldest } = db.prepare('SELECT oldest_code AS oldest FROM store_state').get() as { oldest: number };
        db.prepare('UPDATE store_state SET oldest_code = ?').run(version);
        return oldest;
      }),
    contract: async (step) => inTransaction(db, () => contract(db, step)),
    close: async () => db.close(),
  };
}

async function tryAlone(file: string): Promise<boolean> {
  try {
    openAlone(file).close();
    return true;
  } catch (error) {
    if (error instanceof StoreNotUsable) return false;
    throw error;
  }
}

function stateOf(db: DatabaseSync) {
  const version = userVersion(db);
  const rows = version < 2 ? [] : (db.prepare('SELECT task, state FROM progress').all() as ProgressRow[]);
  return { version, ...readProgress(rows) };
}

function backFill(db: DatabaseSync, { name, sql }: BackFill, rows: number): number {
  const task = backFillTask(name);
  const found = db.prepare('SELECT state FROM progress WHERE task = ?').get(task) as { state: string } | undefined;
  const done = db.prepare(sql).all(Number(found?.state ?? 0), rows) as { no: number }[];
  putProgress(db, task, stateAfterSlice(done));
  return done.length;
}

function contract(db: DatabaseSync, { number, sql }: Contraction): void {
  if (readProgress(db.prepare('SELECT task, state FROM progress').all() as ProgressRow[]).contracted >= number) return;
  db.exec(sql);
  putProgress(db, contractedTask, String(number));
}

function putProgress(db: DatabaseSync, task: string, state: string): void {
  db.prepare('INSERT OR REPLACE INTO progress VALUES (?, ?)').run(task, state);
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
