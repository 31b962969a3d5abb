import { join } from 'node:path';
import { openSqliteStore } from './sqlite/open.ts';
import type { Store } from './store.ts';

/** The settings that say where the store is. `store`: the URL of a Postgres database; without it the store is embedded, in the folder `data`. */
export type StoreLocation = { data: string; store?: string };

/** The file of the embedded store. */
export function storeFile(data: string): string {
  return join(data, 'tessera.db');
}

/** Opens the store the settings name. `warn` hears what the operator should know of it. The driver of the one that is not used is not loaded. */
export async function openStore({ data, store }: StoreLocation, warn: (message: string) => void): Promise<Store> {
  if (store === undefined) return openSqliteStore({ file: storeFile(data) });
  const { openPostgresStore } = await import('./postgres/open.ts');
  return openPostgresStore({ connectionString: store, warn });
}
