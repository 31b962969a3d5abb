import type pg from 'pg';
import { StoreUnavailable } from '../store.ts';
import type { Connection } from './connection.ts';
import { failureCode } from './failure.ts';

/**
 * What a connection is worth. `session`: it leads to one connection of the server for as long as it lasts, be it to the server itself or through a pooler. `transaction`:
 * a pooler gives each transaction whichever connection of the server is free, so what a statement leaves there (settings, prepared statements, LISTEN) is
 * another's the next moment.
 */
export type Pooling = 'session' | 'transaction';

const begins = /^BEGIN\b/;
const ends = /^(COMMIT|ROLLBACK)\b/;

/**
 * A connection through a pooler of transactions. Each statement stands in a transaction, which begins with the settings that a session would have, and no statement is
 * prepared by name. Standbys are refused by each transaction: the pooler may have been led to another server since the last.
 */
export class TransactionConnection implements Connection {
  readonly #client: pg.PoolClient;
  readonly #settings: string;
  #isInTransaction = false;

  /** `settings`: statements that set what holds for a transaction. */
  constructor(client: pg.PoolClient, settings: string) {
    this.#client = client;
    this.#settings = settings;
  }

  async query<Row extends pg.QueryResultRow>(
    statement: string | pg.QueryConfig<unknown[]>,
    values?: unknown[],
  ): Promise<pg.QueryResult<Row>> {
    const text = typeof statement === 'string' ? statement : statement.text;
    if (begins.test(text)) return this.#begin(text);
    if (ends.test(text)) {
      this.#isInTransaction = false;
      return this.#client.query<Row>(text);
    }
    if (this.#isInTransaction) return this.#run(statement, values);
    await this.#begin('BEGIN ISOLATION LEVEL READ COMMITTED');
    this.#isInTransaction = false;
    try {
      const result = await this.#run<Row>(statement, values);
      await this.#client.query('COMMIT');
      return result;
    } catch (error) {
      await this.#client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  async #begin<Row extends pg.QueryResultRow>(text: string): Promise<pg.QueryResult<Row>> {
    try {
      const results = await this.#client.query(`${text} READ WRITE; ${this.#settings}`);
      this.#isInTransaction = true;
      return [results].flat()[0] as pg.QueryResult<Row>;
    } catch (error) {
      // feature_not_supported: during recovery nothing can be written.
      if (failureCode(error) !== '0A000') throw error;
      throw new StoreUnavailable('Postgres: the server is a standby; reads of it would be stale', { cause: error });
    }
  }

  #run<Row extends pg.QueryResultRow>(
    statement: string | pg.QueryConfig<unknown[]>,
    values: unknown[] | undefined,
  ): Promise<pg.QueryResult<Row>> {
    if (typeof statement === 'string') return this.#client.query<Row>(statement, values);
    const { name: _, ...unnamed } = statement;
    return this.#client.query<Row>(unnamed);
  }
}
