import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { asStoreFailure } from './failure.ts';

/** Statements of a read connection, each prepared when first used. Failures of the engine are thrown as `StoreUnavailable`. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();
  readonly #preparedArrays = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Runs readings one after the other on one state of the file. */
  inOneReading<T>(read: () => T): T {
    this.one('BEGIN');
    try {
      return read();
    } finally {
      this.one('COMMIT');
    }
  }

  /** The first row, which the caller knows to have the columns of `Row`. */
  one<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    try {
      return this.#prepare(sql).get(...values) as Row | undefined;
    } catch (error) {
      throw asStoreFailure(error);
    }
  }

  /** The first row as an array of its columns, which the caller knows to be `Row`. */
  oneArray<Row extends readonly unknown[]>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    try {
      return this.#prepareArrays(sql).get(...values) as Row | undefined;
    } catch (error) {
      throw asStoreFailure(error);
    }
  }

  /** All rows, which the caller knows to have the columns of `Row`. */
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      return this.#prepare(sql).all(...values) as Row[];
    } catch (error) {
      throw asStoreFailure(error);
    }
  }

  #prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }

  #prepareArrays(sql: string): StatementSync {
    const known = this.#preparedArrays.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    statement.setReturnArrays(true);
    this.#preparedArrays.set(sql, statement);
    return statement;
  }
}

/** Conditions that grow with a filter, and the values they take in the same order. */
export class Conditions {
  readonly #sql: string[] = [];
  readonly values: SQLInputValue[] = [];

  /** Adds a condition with the values for its question marks. */
  add(sql: string, ...values: SQLInputValue[]): void {
    this.#sql.push(`(${sql})`);
    this.values.push(...values);
  }

  /** What follows WHERE. */
  get sql(): string {
    return this.#sql.length === 0 ? 'TRUE' : this.#sql.join(' AND ');
  }
}
