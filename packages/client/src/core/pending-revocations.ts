import type { ProtocolContext } from './protocol-context.ts';
import { type Revocable, revokeToken } from './revocation.ts';
import { guard } from './stored-tokens.ts';
import type { TokenStorage } from './token-storage.ts';

/** More sign-outs than this without network in between do not happen; a bound keeps a broken server from filling the storage. */
const mostPending = 20;

/**
 * Revocations still owed to the server after sign-outs it could not be told of. Kept in the app's storage adapter: in memory by default, else until
 * the server has answered, over restarts too.
 */
export class PendingRevocations {
  readonly #context: ProtocolContext;
  readonly #storage: TokenStorage;
  readonly #key: string;
  #settling: Promise<boolean> | undefined;

  constructor(context: ProtocolContext, storage: TokenStorage, key: string) {
    this.#context = context;
    this.#storage = storage;
    this.#key = key;
  }

  /** Notes a token to be revoked, before anything is sent, so that closing the page loses nothing. */
  async add(revocable: Revocable): Promise<void> {
    await this.#write([...(await this.#read()), revocable].slice(-mostPending));
  }

  /** Asks the server for all of them. Resolves to true when none is left. Calls while one is under way share it. */
  async settle(): Promise<boolean> {
    this.#settling ??= this.#settleAll().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  async #settleAll(): Promise<boolean> {
    for (const revocable of await this.#read()) {
      if ((await revokeToken(this.#context, revocable)) === 'later') return false;
      // Read again: another tab, or another sign-out, may have changed the list meanwhile.
      await this.#write((await this.#read()).filter((other) => other.token !== revocable.token));
    }
    return (await this.#read()).length === 0;
  }

  async #read(): Promise<Revocable[]> {
    const text = await guard('read', () => this.#storage.get(this.#key));
    try {
      const value: unknown = JSON.parse(text ?? '[]');
      return Array.isArray(value) ? value.filter(isRevocable) : [];
    } catch {
      return [];
    }
  }

  async #write(list: Revocable[]): Promise<void> {
    if (list.length === 0) await guard('removed', () => this.#storage.remove(this.#key));
    else await guard('written', () => this.#storage.set(this.#key, JSON.stringify(list)));
  }
}

function isRevocable(value: unknown): value is Revocable {
  if (typeof value !== 'object' || value === null) return false;
  const { token, token_type_hint } = value as Record<string, unknown>;
  return typeof token === 'string' && (token_type_hint === 'refresh_token' || token_type_hint === 'access_token');
}
