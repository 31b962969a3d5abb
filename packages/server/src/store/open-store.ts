import { join } from 'node:path';
import { type JournaledStore, openJournaledStore } from './journal/journaled-store.ts';
import type { SigningKeyRecord } from './records.ts';
import { openSqliteStore } from './sqlite/open.ts';
import type { Store } from './store.ts';

/**
 * The settings that say where the store is. `store`: the URL of a Postgres database; without it the store is embedded, in the folder `data`. `journal`: the file of the
 * journal of endings, if it is not in that folder.
 */
export type StoreLocation = { data: string; store?: string; journal?: string };

/** The file of the embedded store. */
export function storeFile(data: string): string {
  return join(data, 'tessera.db');
}

/** The file of the journal of endings. */
export function journalFile({ data, journal }: StoreLocation): string {
  return journal ?? join(data, 'endings.journal');
}

/**
 * Opens the store the settings name, with its journal of endings. Throws `StoreNotUsable` when the store has gone back in time. `warn` hears what the operator should know.
 */
export async function openStore(location: StoreLocation, warn: (message: string) => void): Promise<JournaledStore> {
  const store = await openBareStore(location, warn);
  try {
    return await openJournaledStore({ store, file: journalFile(location), warn });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Opens the store the settings name without its journal: for what mends a store that has gone back in time. `warn` hears what the operator should know of it. The driver of the one that is not used is not loaded. */
export async function openBareStore({ data, store }: StoreLocation, warn: (message: string) => void): Promise<Store> {
  if (store === undefined) return openSqliteStore({ file: storeFile(data) });
  const { openPostgresStore } = await import('./postgres/open.ts');
  return openPostgresStore({ connectionString: store, warn });
}

/** The signing keys that the database of that URL holds; none where no store was made yet. Looks without changing anything, and throws as `openBareStore` does. */
export async function signingKeysIn(store: string): Promise<SigningKeyRecord[]> {
  const { inspectPostgres } = await import('./postgres/inspect.ts');
  return (await inspectPostgres(store)).signingKeys;
}
