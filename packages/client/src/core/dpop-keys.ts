/**
 * Where DPoP key pairs are kept, by name. The private keys are not extractable, so a place has to keep the `CryptoKey` itself: memory or IndexedDB.
 * A place that fails throws; `undefined` from `load` means surely gone.
 */
export interface DpopKeys {
  load(keyId: string): Promise<CryptoKeyPair | undefined>;
  save(keyId: string, key: CryptoKeyPair): Promise<void>;
  remove(keyId: string): Promise<void>;
}

/** Keeps DPoP keys in memory. Goes with `memoryStorage()`. */
export function memoryDpopKeys(): DpopKeys {
  const keys = new Map<string, CryptoKeyPair>();
  return {
    load: async (keyId) => keys.get(keyId),
    save: async (keyId, key) => void keys.set(keyId, key),
    remove: async (keyId) => void keys.delete(keyId),
  };
}
