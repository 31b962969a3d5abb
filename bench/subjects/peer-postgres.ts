import type { Adapter, AdapterPayload } from 'oidc-provider';
import pg from 'pg';
import { AskedTogether } from '../../packages/server/src/store/asked-together.ts';
import { type Account, nowInSeconds, type PayloadRow, type PeerDatabase, payloadOf } from './peer-database.ts';
import { PeerWrites } from './peer-writes.ts';

// No index on what `consume` changes, and room in each page: so it stays within its page, as a rotation of Tessera does.
const schema = `
  CREATE TABLE IF NOT EXISTS payloads (
    model text NOT NULL, id text NOT NULL, payload text NOT NULL, grant_id text, user_code text, uid text, consumed_at bigint, expires_at bigint,
    PRIMARY KEY (model, id)
  ) WITH (fillfactor = 80);
  CREATE INDEX IF NOT EXISTS payloads_grant ON payloads (grant_id, model) WHERE grant_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS payloads_user_code ON payloads (user_code, model) WHERE user_code IS NOT NULL;
  CREATE INDEX IF NOT EXISTS payloads_uid ON payloads (uid, model) WHERE uid IS NOT NULL;
  CREATE TABLE IF NOT EXISTS accounts (id text PRIMARY KEY, username text NOT NULL UNIQUE, body text NOT NULL)`;

const int8 = 20;

/** What is looked for in the models: by which column, of which model, with which value. */
type Asked = { model: string; key: string };

// By each column that the adapter's contract looks for, for all who ask at the same time.
const findPayloads = (column: 'id' | 'user_code' | 'uid') => `
  SELECT a.ordinal, p.payload, p.consumed_at AS "consumedAt", p.expires_at AS "expiresAt"
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a(model, key, ordinal)
  JOIN payloads p ON p.model = a.model AND p.${column} = a.key`;
const findAccounts = (column: 'id' | 'username') => `
  SELECT a.ordinal, u.body FROM unnest($1::text[]) WITH ORDINALITY AS a(key, ordinal) JOIN accounts u ON u.${column} = a.key`;

/** Opens the peer's storage in a Postgres database. */
export async function openPeerPostgres(connectionString: string): Promise<PeerDatabase> {
  const types = {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === int8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
  } as pg.CustomTypesConfig;
  // As many connections as Tessera's node takes.
  const pool = new pg.Pool({ connectionString, types, max: 8 });
  const writer = new pg.Pool({ connectionString, types, max: 1 });
  await pool.query(schema);
  return new PeerPostgres(pool, writer);
}

/**
 * The peer's storage in Postgres: one table of JSON payloads with the indexes its adapter contract needs. Tuned for it as Tessera is for itself: connections are pooled, statements
 * prepared once by each, and what is read or written in one turn of the event loop, or while another reading or writing is under way, goes together, in one statement; a
 * write resolves only when it is on disk.
 */
class PeerPostgres implements PeerDatabase {
  readonly #pool: pg.Pool;
  readonly #writer: pg.Pool;
  readonly #writes: PeerWrites;
  readonly #byId: AskedTogether<Asked, AdapterPayload | undefined>;
  readonly #byUserCode: AskedTogether<Asked, AdapterPayload | undefined>;
  readonly #byUid: AskedTogether<Asked, AdapterPayload | undefined>;
  readonly #accountsById: AskedTogether<string, Account | undefined>;
  readonly #accountsByName: AskedTogether<string, Account | undefined>;

  constructor(pool: pg.Pool, writer: pg.Pool) {
    this.#pool = pool;
    this.#writer = writer;
    this.#writes = new PeerWrites(async (statement) => {
      await writer.query(statement);
    });
    const payloads = (column: 'id' | 'user_code' | 'uid') =>
      new AskedTogether((batch: readonly Asked[]) =>
        this.#read<PayloadRow, AdapterPayload | undefined>(
          `payloads_${column}`,
          findPayloads(column),
          [batch.map(({ model }) => model), batch.map(({ key }) => key)],
          payloadOf,
        ),
      );
    this.#byId = payloads('id');
    this.#byUserCode = payloads('user_code');
    this.#byUid = payloads('uid');
    const accounts = (column: 'id' | 'username') =>
      new AskedTogether((keys: readonly string[]) =>
        this.#read<{ body: string }, Account>(`accounts_${column}`, findAccounts(column), [keys], ({ body }) =>
          JSON.parse(body),
        ),
      );
    this.#accountsById = accounts('id');
    this.#accountsByName = accounts('username');
  }

  adapter(model: string): Adapter {
    const writes = this.#writes;
    return {
      upsert: (id, payload, expiresIn) =>
        writes.add({ kind: 'upsert', model, id, payload, expiresAt: expiresIn ? nowInSeconds() + expiresIn : null }),
      find: (key) => this.#byId.ask({ model, key }),
      findByUserCode: (key) => this.#byUserCode.ask({ model, key }),
      findByUid: (key) => this.#byUid.ask({ model, key }),
      consume: (id) => writes.add({ kind: 'consume', model, id, at: nowInSeconds() }),
      destroy: (id) => writes.add({ kind: 'destroy', model, id }),
      revokeByGrantId: (grantId) => writes.add({ kind: 'revoke', model, grantId }),
    };
  }

  addAccount(account: Account): Promise<void> {
    return this.#writes.add({ kind: 'account', account });
  }

  accountById(accountId: string): Promise<Account | undefined> {
    return this.#accountsById.ask(accountId);
  }

  accountByName(username: string): Promise<Account | undefined> {
    return this.#accountsByName.ask(username);
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#writer.end()]);
  }

  /** What each of a batch asked for, at its place; undefined where there is none. */
  async #read<Row extends object, Found>(
    name: string,
    text: string,
    values: unknown[],
    foundIn: (row: Row) => Found,
  ): Promise<(Found | undefined)[]> {
    const { rows } = await this.#pool.query<Row & { ordinal: number }>({ name, text, values });
    const found: (Found | undefined)[] = [];
    for (const row of rows) found[row.ordinal - 1] = foundIn(row);
    return found;
  }
}
