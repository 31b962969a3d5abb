import type { Adapter, AdapterPayload } from 'oidc-provider';
import pg from 'pg';
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
const columns = 'payload, consumed_at AS "consumedAt", expires_at AS "expiresAt"';
const statements = {
  find: `SELECT ${columns} FROM payloads WHERE model = $1 AND id = $2`,
  findByUserCode: `SELECT ${columns} FROM payloads WHERE model = $1 AND user_code = $2`,
  findByUid: `SELECT ${columns} FROM payloads WHERE model = $1 AND uid = $2`,
  accountById: 'SELECT body FROM accounts WHERE id = $1',
  accountByName: 'SELECT body FROM accounts WHERE username = $1',
};

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
 * prepared once by each, and what is written in one turn of the event loop, or while other writes are under way, goes together, in one statement of its own
 * transaction; each write resolves only when it is on disk.
 */
class PeerPostgres implements PeerDatabase {
  readonly #pool: pg.Pool;
  readonly #writer: pg.Pool;
  readonly #writes: PeerWrites;

  constructor(pool: pg.Pool, writer: pg.Pool) {
    this.#pool = pool;
    this.#writer = writer;
    this.#writes = new PeerWrites(async (statement) => {
      await writer.query(statement);
    });
  }

  adapter(model: string): Adapter {
    const writes = this.#writes;
    return {
      upsert: (id, payload, expiresIn) =>
        writes.add({ kind: 'upsert', model, id, payload, expiresAt: expiresIn ? nowInSeconds() + expiresIn : null }),
      find: (id) => this.#find('find', model, id),
      findByUserCode: (userCode) => this.#find('findByUserCode', model, userCode),
      findByUid: (uid) => this.#find('findByUid', model, uid),
      consume: (id) => writes.add({ kind: 'consume', model, id, at: nowInSeconds() }),
      destroy: (id) => writes.add({ kind: 'destroy', model, id }),
      revokeByGrantId: (grantId) => writes.add({ kind: 'revoke', model, grantId }),
    };
  }

  addAccount(account: Account): Promise<void> {
    return this.#writes.add({ kind: 'account', account });
  }

  accountById(accountId: string): Promise<Account | undefined> {
    return this.#account('accountById', accountId);
  }

  accountByName(username: string): Promise<Account | undefined> {
    return this.#account('accountByName', username);
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#writer.end()]);
  }

  async #find(
    name: 'find' | 'findByUserCode' | 'findByUid',
    model: string,
    key: string,
  ): Promise<AdapterPayload | undefined> {
    const { rows } = await this.#pool.query<PayloadRow>({ name, text: statements[name], values: [model, key] });
    return payloadOf(rows[0]);
  }

  async #account(name: 'accountById' | 'accountByName', key: string): Promise<Account | undefined> {
    const { rows } = await this.#pool.query<{ body: string }>({ name, text: statements[name], values: [key] });
    return rows[0] && (JSON.parse(rows[0].body) as Account);
  }
}
