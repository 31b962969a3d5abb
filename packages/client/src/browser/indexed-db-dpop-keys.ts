import type { DpopKeys, Seconds } from '../core/index.ts';

const databaseName = 'tessera-client';
const storeName = 'dpop-keys';
/** Twice the longest session a server grants by default: a key unused for so long has outlived its tokens. */
const keyIdleLimit: Seconds = 180 * 86_400;

type StoredKey = { keyId: string; publicKey: CryptoKey; privateKey: CryptoKey; usedAt: Seconds };

/**
 * Keeps DPoP keys in IndexedDB, which stores a non-extractable `CryptoKey` as such: after a reload it can be used again, and still nobody can read it.
 * Keys whose tab was closed without signing out are dropped after 180 days. `now` is the time in seconds.
 */
export function indexedDbDpopKeys(now: () => Seconds): DpopKeys {
  // One read per page and key: the key of a name never changes.
  const loaded = new Map<string, CryptoKeyPair>();
  return {
    async load(keyId) {
      const known = loaded.get(keyId);
      if (known !== undefined) return known;
      const found = await inStore('readonly', (store) => result<StoredKey | undefined>(store.get(keyId)));
      if (found === undefined) return undefined;
      // Where the disk is full the key can still be used; only the day of its last use is not noted.
      await inStore('readwrite', (store) => noteUse(store, keyId, now())).catch(() => undefined);
      const key = { publicKey: found.publicKey, privateKey: found.privateKey };
      loaded.set(keyId, key);
      return key;
    },
    async save(keyId, { publicKey, privateKey }) {
      await inStore('readwrite', async (store) => {
        await dropIdleKeys(store, now() - keyIdleLimit);
        await result(store.put({ keyId, publicKey, privateKey, usedAt: now() } satisfies StoredKey));
      });
      loaded.set(keyId, { publicKey, privateKey });
    },
    async remove(keyId) {
      loaded.delete(keyId);
      await inStore('readwrite', (store) => result(store.delete(keyId)));
    },
  };
}

async function noteUse(store: IDBObjectStore, keyId: string, usedAt: Seconds): Promise<void> {
  const stored = await result<StoredKey | undefined>(store.get(keyId));
  if (stored !== undefined) await result(store.put({ ...stored, usedAt }));
}

async function dropIdleKeys(store: IDBObjectStore, before: Seconds): Promise<void> {
  const keys = await result<StoredKey[]>(store.getAll());
  for (const { keyId } of keys.filter(({ usedAt }) => usedAt < before)) await result(store.delete(keyId));
}

/** Runs work in a transaction of its own and resolves when it is durable. The connection is closed after it, so that no open page blocks clearing. */
async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const opening = indexedDB.open(databaseName, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(storeName, { keyPath: 'keyId' });
  const database = await result(opening);
  try {
    const transaction = database.transaction(storeName, mode);
    const completed = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
    // Work that fails is the failure to tell; that its transaction is aborted then is no error of the page's.
    completed.catch(() => undefined);
    const value = await work(transaction.objectStore(storeName));
    await completed;
    return value;
  } finally {
    database.close();
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
