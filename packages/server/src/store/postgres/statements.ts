import { createHash } from 'node:crypto';
import { type Connection, type Pool, withConnection } from './connection.ts';

/** The server's clock at this moment, in milliseconds, as SQL. */
export const clockOfServer = '(extract(epoch FROM clock_timestamp()) * 1000)::float8';

/** Statements of readers: each runs on a connection of the pool, where it is prepared when first used. Failures are thrown as `StoreUnavailable`. */
export class Statements {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** The first row, which the caller knows to have the columns of `Row`. */
  async one<Row>(sql: string, ...values: unknown[]): Promise<Row | undefined> {
    return (await this.all<Row>(sql, ...values))[0];
  }

  /** All rows, which the caller knows to have the columns of `Row`. */
  all<Row>(sql: string, ...values: unknown[]): Promise<Row[]> {
    return withConnection(this.#pool, (connection) => run<Row>(connection, sql, values));
  }

  /** All rows as arrays of their columns, which the caller knows to be `Row`. */
  allArrays<Row extends readonly unknown[]>(sql: string, ...values: unknown[]): Promise<Row[]> {
    return withConnection(this.#pool, async (connection) => {
      const query = { name: nameOf(sql), text: sql, values, rowMode: 'array' };
      return (await connection.query(query)).rows as unknown as Row[];
    });
  }
}

/** Runs a statement by its prepared name and returns its rows. */
export async function run<Row>(connection: Connection, sql: string, values: unknown[] = []): Promise<Row[]> {
  const { rows } = await connection.query({ name: nameOf(sql), text: sql, values });
  return rows as Row[];
}

/** Runs a statement by its prepared name and returns how many rows it wrote. */
export async function count(connection: Connection, sql: string, values: unknown[] = []): Promise<number> {
  return (await connection.query({ name: nameOf(sql), text: sql, values })).rowCount ?? 0;
}

const names = new Map<string, string>();

// The same text has the same name in every version of the program, and another text never: a pooler may hand a connection on.
function nameOf(sql: string): string {
  let name = names.get(sql);
  if (name === undefined) {
    name = `tessera_${createHash('sha256').update(sql).digest('hex').slice(0, 24)}`;
    names.set(sql, name);
  }
  return name;
}

/** Conditions that grow with a filter, and the values they take. */
export class Conditions {
  readonly #sql: string[] = [];
  readonly values: unknown[] = [];

  /** Adds a condition; each `?` in it stands for the value at its place. */
  add(sql: string, ...values: unknown[]): void {
    let next = 0;
    this.#sql.push(`(${sql.replaceAll('?', () => this.value(values[next++]))})`);
  }

  /** Adds a value and returns the parameter that stands for it. */
  value(value: unknown): string {
    return `$${this.values.push(value)}`;
  }

  /** What follows WHERE. */
  get sql(): string {
    return this.#sql.length === 0 ? 'TRUE' : this.#sql.join(' AND ');
  }
}
