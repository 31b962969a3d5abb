import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Adapter } from 'oidc-provider';
import { type Account, nowInSeconds, type PayloadRow, type PeerDatabase, payloadOf } from './peer-database.ts';

type Write = { run(): void; resolve(): void; reject(error: unknown): void };

/**
 * The peer's storage in one SQLite file: write-ahead log, `synchronous=FULL`, one table of JSON payloads with the indexes its adapter contract needs; statements are prepared
 * once. Each write is a transaction of its own or, grouped, shares one and its flush with those of the same turn of the event loop; it resolves only when it is on disk.
 */
export class PeerSqlite implements PeerDatabase {
  readonly #db: DatabaseSync;
  readonly #accountById: StatementSync;
  readonly #accountByName: StatementSync;
  readonly #isGrouped: boolean;
  #writes: Write[] = [];

  constructor(file: string, isGrouped: boolean) {
    this.#isGrouped = isGrouped;
    this.#db = new DatabaseSync(file, { timeout: 5000 });
    this.#db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA cache_size = -24576;
      CREATE TABLE IF NOT EXISTS payloads (
        model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, grant_id TEXT, user_code TEXT, uid TEXT, consumed_at INTEGER, expires_at INTEGER,
        PRIMARY KEY (model, id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS payloads_grant ON payloads (grant_id, model) WHERE grant_id IS NOT NULL;
      CREATE INDEX IF NOT EXISTS payloads_user_code ON payloads (user_code, model) WHERE user_code IS NOT NULL;
      CREATE INDEX IF NOT EXISTS payloads_uid ON payloads (uid, model) WHERE uid IS NOT NULL;
      CREATE TABLE IF NOT EXISTS accounts (
        id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, body TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;`);
    this.#accountById = this.#db.prepare('SELECT body FROM accounts WHERE id = ?');
    this.#accountByName = this.#db.prepare('SELECT body FROM accounts WHERE username = ?');
  }

  async #write(run: () => void): Promise<void> {
    if (!this.#isGrouped) return run();
    return new Promise((resolve, reject) => {
      this.#writes.push({ run, resolve, reject });
      if (this.#writes.length === 1) setImmediate(() => this.#commit());
    });
  }

  /** The adapter of one model, for oidc-provider's `adapter` setting. */
  adapter(model: string): Adapter {
    const db = this.#db;
    const upsert = db.prepare(
      `INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?, NULL, ?)
       ON CONFLICT DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, user_code = excluded.user_code, uid = excluded.uid, expires_at = excluded.expires_at`,
    );
    // Named, because the planner would rather read through all rows of a model by the primary key.
    const columns = 'payload, consumed_at AS consumedAt, expires_at AS expiresAt';
    const find = db.prepare(`SELECT ${columns} FROM payloads WHERE model = ? AND id = ?`);
    const findByUserCode = db.prepare(
      `SELECT ${columns} FROM payloads INDEXED BY payloads_user_code WHERE model = ? AND user_code = ?`,
    );
    const findByUid = db.prepare(`SELECT ${columns} FROM payloads INDEXED BY payloads_uid WHERE model = ? AND uid = ?`);
    const consume = db.prepare('UPDATE payloads SET consumed_at = ? WHERE model = ? AND id = ?');
    const destroy = db.prepare('DELETE FROM payloads WHERE model = ? AND id = ?');
    const revoke = db.prepare('DELETE FROM payloads INDEXED BY payloads_grant WHERE model = ? AND grant_id = ?');
    return {
      upsert: (id, payload, expiresIn) =>
        this.#write(() => {
          const expiresAt = expiresIn ? nowInSeconds() + expiresIn : null;
          const { grantId = null, userCode = null, uid = null } = payload;
          upsert.run(model, id, JSON.stringify(payload), grantId, userCode, uid, expiresAt);
        }),
      find: async (id) => payloadOf(find.get(model, id) as PayloadRow | undefined),
      findByUserCode: async (userCode) => payloadOf(findByUserCode.get(model, userCode) as PayloadRow | undefined),
      findByUid: async (uid) => payloadOf(findByUid.get(model, uid) as PayloadRow | undefined),
      consume: (id) => this.#write(() => void consume.run(nowInSeconds(), model, id)),
      destroy: (id) => this.#write(() => void destroy.run(model, id)),
      revokeByGrantId: (grantId) => this.#write(() => void revoke.run(model, grantId)),
    };
  }

  /** Adds users. */
  addAccount(account: Account): Promise<void> {
    const insert = this.#db.prepare('INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)');
    return this.#write(() => void insert.run(account.accountId, account.username, JSON.stringify(account)));
  }

  async accountById(accountId: string): Promise<Account | undefined> {
    return accountOf(this.#accountById.get(accountId));
  }

  async accountByName(username: string): Promise<Account | undefined> {
    return accountOf(this.#accountByName.get(username));
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #commit(): void {
    const writes = this.#writes;
    this.#writes = [];
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      for (const { run } of writes) run();
      this.#db.exec('COMMIT');
      for (const { resolve } of writes) resolve();
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      for (const { reject } of writes) reject(error);
    }
  }
}

function accountOf(row: unknown): Account | undefined {
  return row === undefined ? undefined : (JSON.parse((row as { body: string }).body) as Account);
}
