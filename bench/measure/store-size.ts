import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { storeFile } from '../../packages/server/src/store/open-store.ts';
import type { Place } from '../population/model.ts';

/** A table: its rows, and its bytes with those of its indexes. */
export type TableSize = { rows: number; bytes: number };

/** The size of each table of a store of ours, as it is in the file or the database. */
export function sizesOf({ folder, store }: Place): Promise<Map<string, TableSize>> {
  return store === undefined ? Promise.resolve(sizesInFile(storeFile(folder))) : sizesInDatabase(store);
}

/** Rows and bytes of all these tables together. */
export function sumOf(sizes: ReadonlyMap<string, TableSize>, tables: Iterable<string> = sizes.keys()): TableSize {
  const sum = { rows: 0, bytes: 0 };
  for (const table of tables) {
    const size = sizes.get(table);
    if (!size) throw new Error(`the store has no table "${table}"`);
    sum.rows += size.rows;
    sum.bytes += size.bytes;
  }
  return sum;
}

/** Source: https://sqlite.org/dbstat.html, one row for each tree with `aggregate`. */
function sizesInFile(file: string): Map<string, TableSize> {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    const tables = db
      .prepare(
        `SELECT tbl_name AS name, sum(pgsize) AS bytes FROM sqlite_schema JOIN dbstat('main', 1) USING (name)
         WHERE tbl_name NOT LIKE 'sqlite_%' GROUP BY tbl_name`,
      )
      .all() as { name: string; bytes: number }[];
    return new Map(
      tables.map(({ name, bytes }) => {
        const { rows } = db.prepare(`SELECT count(*) AS rows FROM ${name}`).get() as { rows: number };
        return [name, { rows, bytes }];
      }),
    );
  } finally {
    db.close();
  }
}

async function sizesInDatabase(connectionString: string): Promise<Map<string, TableSize>> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string; bytes: string }>(
      "SELECT relname AS name, pg_total_relation_size(oid) AS bytes FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
    );
    const sizes = new Map<string, TableSize>();
    for (const { name, bytes } of tables) {
      const { rows } = await client.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${name}`);
      sizes.set(name, { rows: Number(rows[0]?.rows), bytes: Number(bytes) });
    }
    return sizes;
  } finally {
    await client.end();
  }
}
