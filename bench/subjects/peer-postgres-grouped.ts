import type { AdapterPayload } from 'oidc-provider';
import type pg from 'pg';
import { AskedTogether } from '../../packages/server/src/store/asked-together.ts';
import { type Account, type PayloadRow, payloadOf } from './peer-database.ts';
import type { PayloadColumn, PeerAccess } from './peer-postgres.ts';
import { type PeerWrite, PeerWrites } from './peer-postgres-writes.ts';

/** What is looked for in the models: of which model, with which value. */
type Asked = { model: string; key: string };

const findPayloads = (column: PayloadColumn) => `
  SELECT a.ordinal, p.payload, p.consumed_at AS "consumedAt", p.expires_at AS "expiresAt"
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a(model, key, ordinal)
  JOIN payloads p ON p.model = a.model AND p.${column} = a.key`;
const findAccounts = (column: 'id' | 'username') => `
  SELECT a.ordinal, u.body FROM unnest($1::text[]) WITH ORDINALITY AS a(key, ordinal) JOIN accounts u ON u.${column} = a.key`;

/**
 * As Tessera does it, with its own code: what is read or written in one turn of the event loop, or while another reading or writing is under way, goes together, in one statement.
 */
export class Grouped implements PeerAccess {
  readonly pool: pg.Pool;
  readonly #writer: pg.Pool;
  readonly #writes: PeerWrites;
  readonly #payloads: Record<PayloadColumn, AskedTogether<Asked, AdapterPayload | undefined>>;
  readonly #accounts: Record<'id' | 'username', AskedTogether<string, Account | undefined>>;

  /** `writer`: of one connection. */
  constructor(pool: pg.Pool, writer: pg.Pool) {
    this.pool = pool;
    this.#writer = writer;
    this.#writes = new PeerWrites(async (statement) => {
      await writer.query(statement);
    });
    const payloads = (column: PayloadColumn) =>
      new AskedTogether((batch: readonly Asked[]) =>
        this.#read<PayloadRow, AdapterPayload | undefined>(
          `payloads_${column}`,
          findPayloads(column),
          [batch.map(({ model }) => model), batch.map(({ key }) => key)],
          payloadOf,
        ),
      );
    this.#payloads = { id: payloads('id'), user_code: payloads('user_code'), uid: payloads('uid') };
    const accounts = (column: 'id' | 'username') =>
      new AskedTogether((keys: readonly string[]) =>
        this.#read<{ body: string }, Account>(`accounts_${column}`, findAccounts(column), [keys], ({ body }) =>
          JSON.parse(body),
        ),
      );
    this.#accounts = { id: accounts('id'), username: accounts('username') };
  }

  find(column: PayloadColumn, model: string, key: string): Promise<AdapterPayload | undefined> {
    return this.#payloads[column].ask({ model, key });
  }

  findAccount(column: 'id' | 'username', key: string): Promise<Account | undefined> {
    return this.#accounts[column].ask(key);
  }

  write(write: PeerWrite): Promise<void> {
    return this.#writes.add(write);
  }

  async close(): Promise<void> {
    await Promise.all([this.pool.end(), this.#writer.end()]);
  }

  /** What each of a batch asked for, at its place; undefined where there is none. */
  async #read<Row extends object, Found>(
    name: string,
    text: string,
    values: unknown[],
    foundIn: (row: Row) => Found,
  ): Promise<(Found | undefined)[]> {
    const { rows } = await this.pool.query<Row & { ordinal: number }>({ name, text, values });
    const found: (Found | undefined)[] = [];
    for (const row of rows) found[row.ordinal - 1] = foundIn(row);
    return found;
  }
}
