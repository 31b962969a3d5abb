/**
 * Where tokens are kept between calls. The client keeps nothing outside of it, and by default it is memory alone.
 *
 * An adapter stores texts under keys and gives them back unchanged; methods may be synchronous or return promises, and may throw: the client
 * reports that as `storage_unavailable`. The client writes at most two keys, both beginning with `tessera:`: the token set, and revocations still
 * owed to the server after a sign-out without network.
 *
 * Whoever can read the storage can read the tokens. With DPoP (the default) they are useless without the key, which script can use but not copy; with
 * `useBearerTokens` they are the sign-in itself.
 */
export interface TokenStorage {
  /**
   * How far a stored value reaches: `page` ends with the page, `tab` survives a reload, `browser` is shared by all tabs and survives a restart.
   * From `tab` on the DPoP key is kept too; with `browser` refreshes are coordinated between tabs.
   */
  readonly reach: 'page' | 'tab' | 'browser';
  /** The text last set under the key; `undefined` (or null) when there is none. */
  get(key: string): string | null | undefined | Promise<string | null | undefined>;
  /**
   * Like `get`, but waits until what other tabs have written before is visible here. Needed where a tab's view may lag behind, as that of localStorage does;
   * asked only around a refresh. Default: `get`.
   */
  getLatest?(key: string): Promise<string | null | undefined>;
  /** Keeps a text under a key, in place of an earlier one. Returns when it is kept. */
  set(key: string, value: string): void | Promise<void>;
  /** Forgets the key. Forgetting what is not there is not an error. */
  remove(key: string): void | Promise<void>;
}

/** Keeps tokens in memory: gone at a reload, out of reach of anything that reads storage. The default, and the safest. */
export function memoryStorage(): TokenStorage {
  const values = new Map<string, string>();
  return {
    reach: 'page',
    get: (key) => values.get(key),
    set: (key, value) => void values.set(key, value),
    remove: (key) => void values.delete(key),
  };
}
