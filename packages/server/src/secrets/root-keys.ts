import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/**
 * One root key: 32 random bytes from outside the database. `current` seals; `accepted` only opens, as a successor does before it seals and a
 * predecessor afterwards; `refused` was compromised and opens nothing.
 */
export type RootKey = { id: string; secret: Uint8Array; state: 'current' | 'accepted' | 'refused' };

/** What a key derived from a root key is for: each purpose has a key of its own, so that nothing sealed for one opens as another. */
export type Purpose =
  | 'refresh-token'
  | 'authorization-code'
  | 'access-token'
  | 'authorization-request'
  | 'form'
  | 'known-browser'
  | 'dpop-nonce'
  | 'client-secret'
  | 'stored-secret';

/** The server's root keys and what is derived from them. Ids are 4 bytes, base64url (6 characters). */
export class RootKeys {
  readonly #keys: Map<string, RootKey>;
  readonly #current: RootKey;
  readonly #derived = new Map<string, KeyObject>();

  constructor(keys: readonly RootKey[]) {
    const strange = keys.find((key) => Buffer.from(key.id, 'base64url').length !== 4 || key.id.length !== 6);
    if (strange) throw new TypeError(`keys: an id must be 4 bytes as base64url (6 characters); got "${strange.id}"`);
    const current = keys.find((key) => key.state === 'current');
    if (!current) throw new TypeError('keys: one root key must be current; none is');
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#current = current;
  }

  /** The id of the key that seals now. */
  get currentId(): string {
    return this.#current.id;
  }

  /** All ids that still open something, the current one first. */
  get acceptedIds(): string[] {
    const others = [...this.#keys.values()].filter((key) => key.state === 'accepted').map((key) => key.id);
    return [this.currentId, ...others];
  }

  /** What that root key is here; undefined when it is not known. */
  stateOf(id: string): RootKey['state'] | undefined {
    return this.#keys.get(id)?.state;
  }

  /** The key of that purpose under that root key; undefined when the root key is unknown or refused. */
  derive(id: string, purpose: Purpose): KeyObject | undefined {
    const name = `${id}/${purpose}`;
    const known = this.#derived.get(name);
    if (known) return known;
    const root = this.#keys.get(id);
    if (!root || root.state === 'refused') return undefined;
    // A key object: handing HMAC the bytes costs six times the hash.
    const derived = createSecretKey(Buffer.from(hkdfSync('sha256', root.secret, '', `tessera/${purpose}/v1`, 32)));
    this.#derived.set(name, derived);
    return derived;
  }

  /** The key of that purpose under the current root key. */
  deriveCurrent(purpose: Purpose): KeyObject {
    return this.derive(this.currentId, purpose) as KeyObject;
  }

  /**
   * `<key id>.<HMAC-SHA256 of the text>`, under the current key unless another is named: for values that must be checked, not read. Throws a TypeError for a key that is unknown or refused.
   */
  authenticate(purpose: Purpose, text: string, id = this.currentId): string {
    const key = this.derive(id, purpose);
    if (!key) throw new TypeError(`id: no root key "${id}" is accepted`);
    return `${id}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  }
}
