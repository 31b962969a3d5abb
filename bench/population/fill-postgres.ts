import pg from 'pg';
import { packKey, packText } from '../../packages/server/src/store/postgres/key.ts';
import type { Copies, Filler } from './filler.ts';

/** Fills the database of a store. */
export async function fillPostgres(connectionString: string): Promise<Filler> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query('SET synchronous_commit = off');
  const statements = new Map<string, string>();
  const statementFor = async ({ table, model, columns }: Copies) => {
    const known = statements.get(table);
    if (known) return known;
    const { rows } = await client.query<{ name: string; type: string }>(
      `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
       WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' ORDER BY attnum`,
      [table],
    );
    const typeOf = (column: string) => rows.find(({ name }) => name === column)?.type;
    const from = rows.map(({ name }) => (columns.includes(name) ? `a.${name}` : `m.${name}`));
    const arrays = columns.map((column, index) => `$${index + 1}::${typeOf(column)}[]`);
    const where = Object.keys(model).map((name, index) => `m.${name} = $${columns.length + index + 1}`);
    const made = `
      INSERT INTO ${table} (${rows.map(({ name }) => name).join(', ')}) SELECT ${from.join(', ')}
      FROM ${table} m, unnest(${arrays.join(', ')}) WITH ORDINALITY AS a(${columns.join(', ')}, ordinal)
      WHERE ${where.join(' AND ')} ORDER BY a.ordinal`;
    statements.set(table, made);
    return made;
  };
  return {
    packKey,
    packText,
    numbered: [],
    write: async (copies) => {
      await client.query('BEGIN');
      for (const one of copies) {
        const columns = one.columns.map((_, index) => one.rows.map((row) => row[index]));
        await client.query(await statementFor(one), [...columns, ...Object.values(one.model)]);
      }
      await client.query('COMMIT');
    },
    finish: async () => {
      await client.query('VACUUM ANALYZE');
      await client.query('CHECKPOINT');
    },
    close: () => client.end(),
  };
}
