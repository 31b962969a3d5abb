import type { TokenStorage } from '../core/index.ts';

/**
 * Keeps tokens in `localStorage`: signed in over restarts, in all tabs of this origin.
 *
 * **Warning: any script on the page can read it**, yours, a dependency's or an injected one (XSS), and it stays on disk until signed out. The DPoP key
 * cannot be read out, so stolen tokens do not work elsewhere; but a script in the page can use both for as long as it runs, and with
 * `useBearerTokens` a stolen refresh token is the whole sign-in. Use it only where staying signed in over restarts is worth that, with a strict
 * Content-Security-Policy; else `memoryStorage()`, or a backend that keeps the tokens (BFF).
 */
export function localStorageAdapter(): TokenStorage {
  return webStorageAdapter('browser', () => globalThis.localStorage);
}

/** An adapter over one of the browser's two storages, looked up at each use: reading the property can itself throw where storage is blocked. */
export function webStorageAdapter(reach: 'tab' | 'browser', storage: () => Storage): TokenStorage {
  return {
    reach,
    get: (key) => storage().getItem(key),
    set: (key, value) => storage().setItem(key, value),
    remove: (key) => storage().removeItem(key),
  };
}
