import { type Fetch, fetchJson } from './fetch-json.ts';
import { importVerificationKey, type SignatureAlgorithm, type VerificationKey } from './signature.ts';

/** `locate` tells the `jwks_uri`. `coolDownMs` is the least time between two fetches that unknown keys cause. */
export type JsonWebKeySetOptions = {
  locate: () => Promise<string>;
  fetch: Fetch;
  monotonicMs: () => number;
  coolDownMs: number;
};

/** A key looked up: found, or `unknown` (the issuer publishes no such key), `revoked`, `unavailable` (the issuer could not be asked; `detail` says why). */
export type KeyLookup =
  | { found: VerificationKey }
  | { found: undefined; because: 'unknown' | 'revoked' | 'unavailable'; detail?: string };

const leastMaxAgeMs = 60_000;
const defaultMaxAgeMs = 300_000;
const mostMaxAgeMs = 3_600_000;
const retryAfterMs = 1000;
const timeoutMs = 5000;
const largestAnswerBytes = 262_144;
const mostKeys = 100;

// Looks beyond the cool-down, for keys that sign from one moment to the next: few, because anybody can name a key that does not exist.
const mostSpares = 2;
const spareEveryMs = 60_000;
// Within this every node of the issuer has heard of a key that one of them signs with.
const lookAgainMs = 300;

/**
 * The issuer's public keys: fetched on first use, again when an unknown `kid` appears (at most once per cool-down, one request in flight, however
 * many tokens wait for it; twice a minute once more, a moment later: a key may be newer than the last answer, or than what the node that answered knew) and, without anyone waiting, when they are older than the answer's `max-age` (bounded to 1–60 minutes). While the issuer is away
 * the keys held stay in use. A revoked key never comes back within this process. Source: RFC 7517 section 5, OpenID Connect Core 1.0 section 10.1.1.
 */
export class JsonWebKeySet {
  readonly #options: JsonWebKeySetOptions;
  readonly #revoked = new Set<string>();
  #keys = new Map<string, VerificationKey>();
  #lastNumber = 0;
  #fetches = 0;
  #attemptAtMs: number | undefined;
  #lastAttemptFailed = true;
  #lastFailure: string | undefined;
  #fetchedAtMs: number | undefined;
  #maxAgeMs = defaultMaxAgeMs;
  #inFlight: Promise<void> | undefined;
  #lookingAgain: Promise<void> | undefined;
  #spares = mostSpares;
  #sparesAtMs = 0;

  constructor(options: JsonWebKeySetOptions) {
    this.#options = options;
  }

  /** The key if it is held, at once. Starts, but does not await, a fetch when what is held is old. */
  peek(kid: string, alg: SignatureAlgorithm): VerificationKey | undefined {
    const key = this.#keys.get(`${alg} ${kid}`);
    if (key && this.#isOld() && this.#mayFetch(this.#options.coolDownMs)) void this.#fetch();
    return key;
  }

  /**
   * The key, asking the issuer when it is not held. `coolDownMs` replaces the one of the options, for a `kid` that did not come from a stranger.
   */
  async find(kid: string, alg: SignatureAlgorithm, coolDownMs: number = this.#options.coolDownMs): Promise<KeyLookup> {
    const held = this.peek(kid, alg);
    if (held) return { found: held };
    if (this.#revoked.has(kid)) return { found: undefined, because: 'revoked' };
    if (this.#inFlight || this.#mayFetch(coolDownMs)) await this.#fetch();
    const name = `${alg} ${kid}`;
    if (!this.#keys.has(name) && !this.#lastAttemptFailed) {
      await this.#lookAgain();
      // A key that exists costs nothing.
      if (this.#keys.has(name)) this.#spares = mostSpares;
    }
    const fetched = this.#keys.get(name);
    if (fetched) return { found: fetched };
    if (this.#revoked.has(kid)) return { found: undefined, because: 'revoked' };
    if (!this.#lastAttemptFailed) return { found: undefined, because: 'unknown' };
    return { found: undefined, because: 'unavailable', ...(this.#lastFailure ? { detail: this.#lastFailure } : {}) };
  }

  /** Drops a key for good; answers the numbers of the keys dropped, so that what was verified with them can be forgotten. */
  revoke(kid: string): number[] {
    this.#revoked.add(kid);
    const dropped = [...this.#keys].filter(([, key]) => key.kid === kid);
    for (const [name] of dropped) this.#keys.delete(name);
    return dropped.map(([, key]) => key.number);
  }

  /** True when the key was revoked. */
  isRevoked(kid: string): boolean {
    return this.#revoked.has(kid);
  }

  /** What is held, for `status()`. */
  status(): { kids: string[]; revokedKids: string[]; fetches: number; ageMs: number | undefined } {
    const nowMs = this.#options.monotonicMs();
    return {
      kids: [...this.#keys.values()].map((key) => key.kid),
      revokedKids: [...this.#revoked],
      fetches: this.#fetches,
      ageMs: this.#fetchedAtMs === undefined ? undefined : nowMs - this.#fetchedAtMs,
    };
  }

  #isOld(): boolean {
    return this.#fetchedAtMs !== undefined && this.#options.monotonicMs() - this.#fetchedAtMs > this.#maxAgeMs;
  }

  #mayFetch(coolDownMs: number): boolean {
    if (this.#attemptAtMs === undefined) return true;
    const pauseMs = this.#lastAttemptFailed ? Math.min(retryAfterMs, coolDownMs) : coolDownMs;
    return this.#options.monotonicMs() - this.#attemptAtMs >= pauseMs;
  }

  /** Looks a moment later, if there is a look to spare; whoever comes meanwhile waits for the same. */
  #lookAgain(): Promise<void> | undefined {
    if (this.#lookingAgain || !this.#takeSpare()) return this.#lookingAgain;
    this.#lookingAgain = new Promise((resolve) => setTimeout(resolve, lookAgainMs))
      .then(() => this.#fetch())
      .finally(() => {
        this.#lookingAgain = undefined;
      });
    return this.#lookingAgain;
  }

  #takeSpare(): boolean {
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#sparesAtMs >= spareEveryMs) {
      this.#spares = Math.min(mostSpares, this.#spares + Math.floor((nowMs - this.#sparesAtMs) / spareEveryMs));
      this.#sparesAtMs = nowMs;
    }
    if (this.#spares === 0) return false;
    this.#spares -= 1;
    return true;
  }

  /** Never rejects: a failure leaves what is held. */
  #fetch(): Promise<void> {
    this.#inFlight ??= this.#fetchOnce().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #fetchOnce(): Promise<void> {
    this.#attemptAtMs = this.#options.monotonicMs();
    this.#fetches++;
    try {
      const url = await this.#options.locate();
      const { headers, body } = await fetchJson({ fetch: this.#options.fetch, url, timeoutMs, largestAnswerBytes });
      this.#replace(body);
      this.#maxAgeMs = maxAgeOf(headers.get('cache-control'));
      this.#fetchedAtMs = this.#options.monotonicMs();
      this.#lastAttemptFailed = false;
    } catch (error) {
      this.#lastAttemptFailed = true;
      this.#lastFailure = error instanceof Error ? error.message : undefined;
    }
  }

  #replace(body: unknown): void {
    const entries = (body as { keys?: unknown } | null)?.keys;
    if (!Array.isArray(entries)) throw new TypeError('a JWKS has an array "keys"');
    const keys = new Map<string, VerificationKey>();
    for (const jwk of entries.slice(0, mostKeys)) {
      const imported = importVerificationKey(jwk);
      if (!imported || this.#revoked.has(imported.kid)) continue;
      const name = `${imported.alg} ${imported.kid}`;
      const held = this.#keys.get(name);
      // The same key keeps its number, and with it what was remembered under it; new material under an old kid does not.
      const isSame = held?.thumbprint === imported.thumbprint;
      keys.set(name, isSame ? (held as VerificationKey) : { ...imported, number: ++this.#lastNumber });
    }
    this.#keys = keys;
  }
}

/** How long an answer may be used, from its Cache-Control, bounded to 1–60 minutes. Source: RFC 9111 section 5.2.2.1. */
export function maxAgeOf(cacheControl: string | null): number {
  const directive = cacheControl ?? '';
  if (/\bno-(store|cache)\b/i.test(directive)) return leastMaxAgeMs;
  const [, seconds] = /(?:^|[\s,])max-age="?(\d{1,9})/i.exec(directive) ?? [];
  if (seconds === undefined) return defaultMaxAgeMs;
  return Math.min(mostMaxAgeMs, Math.max(leastMaxAgeMs, Number(seconds) * 1000));
}
