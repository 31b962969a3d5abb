import { TesseraClientError } from './errors.ts';
import { parseTokenSet, type TokenSet } from './token-set.ts';
import type { TokenStorage } from './token-storage.ts';

/**
 * The token set as the storage adapter holds it now. Reads it afresh every time, because another tab may have changed it; parsing is
 * skipped while the text is the same. Where a refresh's tokens cannot be written they are kept in memory and written later: those in the storage are spent, and
 * presented again they would look stolen.
 */
export class StoredTokens {
  readonly #storage: TokenStorage;
  readonly #key: string;
  #lastText: string | undefined;
  #lastTokens: TokenSet | undefined;
  #unwritten: { tokens: TokenSet; over: string | undefined } | undefined;

  constructor(storage: TokenStorage, key: string) {
    this.#storage = storage;
    this.#key = key;
  }

  /** The stored tokens, if any. What cannot be read is removed and reported as `storage_corrupt`; an adapter that throws, as `storage_unavailable`. */
  async read(): Promise<TokenSet | undefined> {
    return this.#newest(await guard('read', () => this.#storage.get(this.#key)));
  }

  /** Like `read`, but certain to see what another tab wrote before. */
  async readLatest(): Promise<TokenSet | undefined> {
    const { getLatest } = this.#storage;
    if (getLatest === undefined) return this.read();
    return this.#newest(await guard('read', () => getLatest.call(this.#storage, this.#key)));
  }

  async write(tokens: TokenSet): Promise<void> {
    await guard('written', () => this.#storage.set(this.#key, JSON.stringify(tokens)));
    this.#unwritten = undefined;
  }

  /** Writes the successors of the tokens read last. Throws as `write` does, and `read` then gives them all the same. */
  async replace(tokens: TokenSet): Promise<void> {
    this.#unwritten = { tokens, over: this.#lastText };
    await this.write(tokens);
  }

  async remove(): Promise<void> {
    this.#unwritten = undefined;
    this.#lastText = undefined;
    this.#lastTokens = undefined;
    await guard('removed', () => this.#storage.remove(this.#key));
  }

  async #newest(text: string | null | undefined): Promise<TokenSet | undefined> {
    const unwritten = this.#unwritten;
    // Somebody else has written or removed since: that is newer than what is held here.
    if (unwritten === undefined || text !== unwritten.over) {
      this.#unwritten = undefined;
      return this.#parse(text);
    }
    await this.write(unwritten.tokens).catch(() => undefined);
    return unwritten.tokens;
  }

  async #parse(text: string | null | undefined): Promise<TokenSet | undefined> {
    if (text === undefined || text === null) return undefined;
    if (text === this.#lastText) return this.#lastTokens;
    const tokens = parseTokenSet(text);
    if (tokens === undefined) {
      await this.remove();
      throw new TesseraClientError('storage_corrupt', 'the stored tokens could not be read and were removed');
    }
    this.#lastText = text;
    this.#lastTokens = tokens;
    return tokens;
  }
}

/** Runs a storage operation; what it throws becomes `storage_unavailable`, without the adapter's message, which may quote the value. */
export async function guard<T>(what: 'read' | 'written' | 'removed', work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : typeof cause;
    throw new TesseraClientError('storage_unavailable', `the storage adapter threw ${name}; nothing could be ${what}`);
  }
}
