import type { TokenStorage } from '../core/index.ts';
import { LatestValue } from './latest-value.ts';
import { webStorageAdapter } from './web-storage.ts';

/**
 * Keeps tokens in `localStorage`: signed in over restarts, in all tabs of this origin.
 *
 * **Warning: any script on the page can read it**, yours, a dependency's or an injected one (XSS), and it stays on disk until signed out. The DPoP key
 * cannot be read out, so stolen tokens do not work elsewhere; but a script in the page can use both for as long as it runs, and with
 * `useBearerTokens` a stolen refresh token is the whole sign-in. Use it only where staying signed in over restarts is worth that, with a strict
 * Content-Security-Policy; else `memoryStorage()`, or a backend that keeps the tokens (BFF).
 */
export function localStorageAdapter(): TokenStorage {
  const storage = webStorageAdapter('browser', () => globalThis.localStorage);
  return {
    ...storage,
    getLatest: (key) => new LatestValue(key).read(() => globalThis.localStorage.getItem(key)),
    async set(key, value) {
      await storage.set(key, value);
      await new LatestValue(key).announce(value);
    },
    async remove(key) {
      await storage.remove(key);
      await new LatestValue(key).announce(undefined);
    },
  };
}
