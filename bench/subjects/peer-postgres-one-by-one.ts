import type { AdapterPayload } from 'oidc-provider';
import type pg from 'pg';
import { type Account, type PayloadRow, payloadOf } from './peer-database.ts';
import type { PayloadColumn, PeerAccess } from './peer-postgres.ts';
import { columns, type Kind, type PeerWrite } from './peer-postgres-writes.ts';

const writes: Record<Kind, string> = {
  upsert: `
    INSERT INTO payloads (model, id, payload, grant_id, user_code, uid, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, user_code = excluded.user_code, uid = excluded.uid, expires_at = excluded.expires_at`,
  consume: 'UPDATE payloads SET consumed_at = $3 WHERE model = $1 AND id = $2',
  destroy: 'DELETE FROM payloads WHERE model = $1 AND id = $2',
  revoke: 'DELETE FROM payloads WHERE model = $1 AND grant_id = $2',
  account: 'INSERT INTO accounts VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
};

/**
 * As the adapters do it that oidc-provider shows its users: each call is a statement of its own, and each that writes a transaction, flushed by Postgres together with what else commits at the time.
 * Source: https://github.com/panva/node-oidc-provider/blob/main/example/adapters/contributed/knex.js.
 */
export class OneByOne implements PeerAccess {
  readonly pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.pool = pool;
  }

  async find(column: PayloadColumn, model: string, key: string): Promise<AdapterPayload | undefined> {
    const { rows } = await this.pool.query<PayloadRow>({
      name: `payload_${column}`,
      text: `SELECT payload, consumed_at AS "consumedAt", expires_at AS "expiresAt" FROM payloads WHERE model = $1 AND ${column} = $2`,
      values: [model, key],
    });
    return payloadOf(rows[0]);
  }

  async findAccount(column: 'id' | 'username', key: string): Promise<Account | undefined> {
    const { rows } = await this.pool.query<{ body: string }>({
      name: `account_${column}`,
      text: `SELECT body FROM accounts WHERE ${column} = $1`,
      values: [key],
    });
    return rows[0] && (JSON.parse(rows[0].body) as Account);
  }

  async write(write: PeerWrite): Promise<void> {
    await this.pool.query({ name: write.kind, text: writes[write.kind], values: columns[write.kind](write as never) });
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}
