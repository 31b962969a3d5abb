import type { AdapterPayload } from 'oidc-provider';
import pg from 'pg';
import { type Account, nowInSeconds, type PeerDatabase } from './peer-database.ts';
import { Grouped } from './peer-postgres-grouped.ts';
import { OneByOne } from './peer-postgres-one-by-one.ts';
import type { PeerWrite } from './peer-postgres-writes.ts';

/** By which column of a model the adapter's contract looks for it. */
export type PayloadColumn = 'id' | 'user_code' | 'uid';

/** How the peer's reads and writes reach Postgres. */
export interface PeerAccess {
  find(column: PayloadColumn, model: string, key: string): Promise<AdapterPayload | undefined>;
  findAccount(column: 'id' | 'username', key: string): Promise<Account | undefined>;
  /** Resolves once it is on disk. */
  write(write: PeerWrite): Promise<void>;
  close(): Promise<void>;
}

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
// As many connections as Tessera's node takes.
const connections = 8;

/**
 * Opens the peer's storage in a Postgres database: one table of JSON payloads with the indexes its adapter contract needs; connections are pooled, and statements prepared once by
 * each. `isGrouped`: whether what is asked for at the same time shares a statement.
 */
export async function openPeerPostgres(connectionString: string, isGrouped: boolean): Promise<PeerDatabase> {
  const types = {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === int8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
  } as pg.CustomTypesConfig;
  const pool = (max: number) => new pg.Pool({ connectionString, types, max });
  const access = isGrouped ? new Grouped(pool(connections), pool(1)) : new OneByOne(pool(connections + 1));
  await access.pool.query(schema);
  return databaseOver(access);
}

function databaseOver(access: PeerAccess): PeerDatabase {
  return {
    adapter: (model) => ({
      upsert: (id, payload, expiresIn) =>
        access.write({ kind: 'upsert', model, id, payload, expiresAt: expiresIn ? nowInSeconds() + expiresIn : null }),
      find: (key) => access.find('id', model, key),
      findByUserCode: (key) => access.find('user_code', model, key),
      findByUid: (key) => access.find('uid', model, key),
      consume: (id) => access.write({ kind: 'consume', model, id, at: nowInSeconds() }),
      destroy: (id) => access.write({ kind: 'destroy', model, id }),
      revokeByGrantId: (grantId) => access.write({ kind: 'revoke', model, grantId }),
    }),
    addAccount: (account) => access.write({ kind: 'account', account }),
    accountById: (accountId) => access.findAccount('id', accountId),
    accountByName: (username) => access.findAccount('username', username),
    close: () => access.close(),
  };
}
