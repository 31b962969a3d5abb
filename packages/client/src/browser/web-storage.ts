import type { TokenStorage } from '../core/index.ts';

/** An adapter over one of the browser's two storages, looked up at each use: reading the property can itself throw where storage is blocked. */
export function webStorageAdapter(reach: 'tab' | 'browser', storage: () => Storage): TokenStorage {
  return {
    reach,
    get: (key) => storage().getItem(key),
    set: (key, value) => storage().setItem(key, value),
    remove: (key) => storage().removeItem(key),
  };
}
