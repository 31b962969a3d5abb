import crypto from 'node:crypto';

const wordsPerEntry = 6;
const entriesPerSet = 8;
const wordsPerSet = wordsPerEntry * entriesPerSet;

/**
 * Remembers which tokens had a right signature, so that it is computed once per token and not once per request. A fixed table outside the heap: per entry
 * 128 bits of a SHA-256 over a secret prefix and the whole token, the number of the key that verified it, and when it was written. A place belongs to a
 * set of eight; a full set overwrites its oldest. The prefix is random per process, so nobody can look for two tokens with one digest, or for tokens that push
 * others out. A hit says only "this very token was signed by that key": the claims are read from the token and judged every time.
 */
export class RememberedTokens {
  readonly #table: Uint32Array<ArrayBuffer>;
  readonly #sets: number;
  readonly #prefix: string;
  #clock = 0;
  #hits = 0;
  #misses = 0;

  constructor(options: { sizeBytes: number; prefix: Uint8Array }) {
    this.#sets = Math.floor(options.sizeBytes / 4 / wordsPerSet);
    if (this.#sets < 1) throw new TypeError(`sizeBytes must be at least ${wordsPerSet * 4}, got ${options.sizeBytes}`);
    this.#table = new Uint32Array(new ArrayBuffer(this.#sets * wordsPerSet * 4));
    this.#prefix = Buffer.from(options.prefix).toString('hex');
  }

  /** True when this token was remembered as signed by the key of that number. */
  has(token: string, keyNumber: number): boolean {
    const isHeld = this.#find(this.#digest(token), keyNumber) !== undefined;
    if (isHeld) this.#hits++;
    else this.#misses++;
    return isHeld;
  }

  /** Remembers a token whose signature was just verified. `keyNumber` is at least 1. */
  add(token: string, keyNumber: number): void {
    if (!(keyNumber >= 1)) throw new TypeError(`keyNumber must be at least 1, got ${keyNumber}`);
    const digest = this.#digest(token);
    if (this.#find(digest, keyNumber) !== undefined) return;
    const at = this.#oldestOf(digest);
    for (let word = 0; word < 4; word++) this.#table[at + word] = digest[word] as number;
    this.#table[at + 4] = keyNumber;
    this.#clock = (this.#clock + 1) >>> 0;
    this.#table[at + 5] = this.#clock;
  }

  /** Forgets every token that was verified with this key. */
  forgetKey(keyNumber: number): void {
    for (let at = 0; at < this.#table.length; at += wordsPerEntry)
      if (this.#table[at + 4] === keyNumber) this.#table.fill(0, at, at + wordsPerEntry);
  }

  /** Size and use, for `status()`. */
  status(): { sizeBytes: number; places: number; hits: number; misses: number } {
    return {
      sizeBytes: this.#table.byteLength,
      places: this.#sets * entriesPerSet,
      hits: this.#hits,
      misses: this.#misses,
    };
  }

  #find(digest: Uint32Array, keyNumber: number): number | undefined {
    const start = this.#setOf(digest);
    for (let at = start; at < start + wordsPerSet; at += wordsPerEntry)
      if (this.#table[at + 4] === keyNumber && this.#isAt(at, digest)) return at;
    return undefined;
  }

  #isAt(at: number, digest: Uint32Array): boolean {
    const table = this.#table;
    return (
      table[at] === digest[0] &&
      table[at + 1] === digest[1] &&
      table[at + 2] === digest[2] &&
      table[at + 3] === digest[3]
    );
  }

  /** An empty place, or the one written the longest ago; ages are compared across the clock's wrap. */
  #oldestOf(digest: Uint32Array): number {
    const start = this.#setOf(digest);
    let oldest = start;
    let oldestAge = -1;
    for (let at = start; at < start + wordsPerSet; at += wordsPerEntry) {
      if (this.#table[at + 4] === 0) return at;
      const age = (this.#clock - (this.#table[at + 5] as number)) >>> 0;
      if (age > oldestAge) {
        oldest = at;
        oldestAge = age;
      }
    }
    return oldest;
  }

  #setOf(digest: Uint32Array): number {
    return ((digest[0] as number) % this.#sets) * wordsPerSet;
  }

  #digest(token: string): Uint32Array {
    const bytes = sha256(this.#prefix + token);
    return Uint32Array.of(bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt32LE(12));
  }
}

/** `crypto.hash` came with Node 20.12. */
const sha256: (text: string) => Buffer =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha256', text, 'buffer')
    : (text) => crypto.createHash('sha256').update(text).digest();
