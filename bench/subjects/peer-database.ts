import { join } from 'node:path';
import type { Adapter, AdapterPayload } from 'oidc-provider';

/** A user of the peer, a JSON row as the models have. */
export type Account = { accountId: string; username: string; passwordHash: { salt: string; tag: string } };

/** The peer's durable storage: what oidc-provider's `adapter` setting wants, and its users. */
export interface PeerDatabase {
  /** The adapter of one model. */
  adapter(model: string): Adapter;
  addAccount(account: Account): Promise<void>;
  accountById(accountId: string): Promise<Account | undefined>;
  accountByName(username: string): Promise<Account | undefined>;
  close(): Promise<void>;
}

/** A row as the adapter gives it back. */
export type PayloadRow = { payload: string; consumedAt: number | null; expiresAt: number | null };

/**
 * Opens the storage in a file in that folder or, with a connection string, in Postgres. `isGrouped`: whether what is asked for at the same time goes to it together, as Tessera does it, or
 * call by call, as the adapters do that oidc-provider shows its users.
 */
export async function openPeerDatabase(
  folder: string,
  store: string | undefined,
  isGrouped: boolean,
): Promise<PeerDatabase> {
  if (store === undefined) {
    const { PeerSqlite } = await import('./peer-sqlite.ts');
    return new PeerSqlite(join(folder, 'peer.db'), isGrouped);
  }
  const { openPeerPostgres } = await import('./peer-postgres.ts');
  return openPeerPostgres(store, isGrouped);
}

/** What a model's row says, undefined when there is none or it has expired. */
export function payloadOf(row: PayloadRow | undefined): AdapterPayload | undefined {
  if (row === undefined || (row.expiresAt !== null && row.expiresAt <= nowInSeconds())) return undefined;
  const parsed = JSON.parse(row.payload) as AdapterPayload;
  return row.consumedAt === null ? parsed : { ...parsed, consumed: row.consumedAt };
}

/** The time as the peer's rows keep it. */
export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
