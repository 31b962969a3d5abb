import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { packKey } from '../../packages/server/src/store/sqlite/key.ts';
import type { Copies, Filler } from './filler.ts';

/** Fills the file of a store that no server has open. */
export function fillSqlite(file: string): Filler {
  const db = new DatabaseSync(file);
  // Nothing is at stake until it is finished: no journal, no flushes, and room for indexes whose keys are random.
  db.exec(
    'PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1048576; PRAGMA locking_mode = EXCLUSIVE',
  );
  const statements = new Map<string, StatementSync>();
  const statementFor = ({ table, model, columns }: Copies) => {
    const known = statements.get(table);
    if (known) return known;
    const automatic = table === 'sessions' ? ['session_no'] : [];
    const all = (db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all() as { name: string }[])
      .map(({ name }) => name)
      .filter((name) => !automatic.includes(name));
    const from = all.map((name) => (columns.includes(name) ? `?${columns.indexOf(name) + 1}` : name));
    const where = Object.keys(model).map((name) => `${name} = ?`);
    // On its own, so that no row is looked up for each copy.
    db.prepare(`CREATE TEMP TABLE model_${table} AS SELECT * FROM ${table} WHERE ${where.join(' AND ')}`).run(
      ...Object.values(model),
    );
    const made = db.prepare(`INSERT INTO ${table} (${all.join(', ')}) SELECT ${from.join(', ')} FROM model_${table}`);
    statements.set(table, made);
    return made;
  };
  return {
    packKey,
    packText: (text) => text,
    numbered: ['grant_no'],
    write: async (copies) => {
      db.exec('BEGIN');
      for (const one of copies) {
        const statement = statementFor(one);
        for (const row of one.rows) statement.run(...row);
      }
      db.exec('COMMIT');
    },
    finish: async () => {
      db.exec('PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL; PRAGMA wal_checkpoint(TRUNCATE)');
    },
    close: async () => db.close(),
  };
}
