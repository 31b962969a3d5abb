import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '../store.ts';
import { storeContract } from '../store-contract.ts';
import { openSqliteStore } from './open.ts';

storeContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
  const file = join(folder, 'store.db');
  const stores: Store[] = [];
  const another = async (): Promise<Store> => {
    const store = await openSqliteStore({ file });
    stores.push(store);
    return store;
  };
  return {
    store: await another(),
    another,
    async close() {
      for (const store of stores) await store.close();
      await rm(folder, { recursive: true });
    },
  };
});
