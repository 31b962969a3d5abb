import type { TokenStorage } from '../core/index.ts';
import { webStorageAdapter } from './web-storage.ts';

/**
 * Keeps tokens in `sessionStorage`: signed in over reloads, in this tab alone, gone when the tab closes.
 *
 * **Warning: any script on the page can read it**, yours, a dependency's or an injected one (XSS), for as long as the tab lives. The DPoP key cannot be read
 * out, so stolen tokens do not work elsewhere; but a script in the page can use both for as long as it runs, and with `useBearerTokens` a
 * stolen refresh token is the whole sign-in. A duplicated tab starts with a copy of the tokens: both tabs then use one sign-in without
 * knowing of each other; prefer `localStorageAdapter()` where users do that.
 */
export function sessionStorageAdapter(): TokenStorage {
  return webStorageAdapter('tab', () => globalThis.sessionStorage);
}
