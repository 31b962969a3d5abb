import type { Seconds } from '@tessera/protocol';
import type { Awaitable } from './awaitable.ts';
import type { ThrottleLimit } from './config/config.ts';
import type { BucketRecord } from './store/records.ts';
import type { Change, Store } from './store/store.ts';

/** A bucket that a failure would fill, and its limit. `ahead`: tries under way that may yet fill it. */
export type Counted = { key: string; limit: ThrottleLimit; ahead?: number };

/** What fractions of a failure may be off by: whoever was told to wait so long is not told to wait again. */
const roundingError = 1e-6;

/**
 * How long, in seconds, one must wait before the next try, or 0: when a bucket is full, until one failure has leaked out. Pure.
 */
export function throttleWait(buckets: readonly BucketRecord[], counted: readonly Counted[], now: Seconds): Seconds {
  let wait = 0;
  for (const { key, limit, ahead = 0 } of counted) {
    const bucket = buckets.find((one) => one.key === key) ?? { level: 0, at: now };
    const leakPerSecond = limit.failures / limit.window;
    const level = ahead + Math.max(0, bucket.level - Math.max(0, now - bucket.at) * leakPerSecond);
    const tooFull = level + 1 - limit.failures;
    if (tooFull > roundingError) wait = Math.max(wait, Math.ceil(tooFull / leakPerSecond - roundingError));
  }
  return wait;
}

/** Counts failures in the store, shared by all nodes. */
export class Throttle {
  readonly #store: Store;
  readonly #now: () => Seconds;
  /** Keys that failed here lately: only these are looked up where each look-up would be felt. */
  readonly #failedLately = new Map<string, Seconds>();
  /** How many tries are under way at this node, by key. */
  readonly #underWay = new Map<string, number>();

  constructor(store: Store, now: () => Seconds) {
    this.#store = store;
    this.#now = now;
  }

  /** How long to wait before the next try, in seconds; 0: try now. */
  async wait(counted: readonly Counted[]): Promise<Seconds> {
    const buckets = await this.#store.getBuckets(counted.map((one) => one.key));
    return throttleWait(buckets, counted, this.#now());
  }

  /** The same for a hot path: costs nothing for who has not failed at this node lately. */
  waitIfFailedLately(countedOf: () => readonly Counted[]): Awaitable<Seconds> {
    if (this.#failedLately.size === 0) return 0;
    const counted = countedOf();
    const now = this.#now();
    const suspects = counted.filter(({ key }) => (this.#failedLately.get(key) ?? 0) > now);
    return suspects.length === 0 ? 0 : this.wait(suspects);
  }

  /**
   * Runs one try, telling it how many of the same key are ahead of it: parallel tries must not all pass before the first of them has been counted.
   */
  async inTurn<T>(key: string, attempt: (ahead: number) => Promise<T>): Promise<T> {
    const ahead = this.#underWay.get(key) ?? 0;
    this.#underWay.set(key, ahead + 1);
    try {
      return await attempt(ahead);
    } finally {
      const left = (this.#underWay.get(key) ?? 1) - 1;
      if (left > 0) this.#underWay.set(key, left);
      else this.#underWay.delete(key);
    }
  }

  /** Counts one failure. */
  async failed(counted: readonly Counted[]): Promise<void> {
    const at = this.#now();
    for (const { key, limit } of counted) {
      if (this.#failedLately.size >= 10_000)
        this.#failedLately.delete(this.#failedLately.keys().next().value as string);
      this.#failedLately.set(key, at + limit.window);
    }
    const changes: Change[] = counted.map(({ key, limit }) => ({
      change: 'fill-bucket',
      key,
      add: 1,
      leakPerSecond: limit.failures / limit.window,
      at,
    }));
    await this.#store.commit(changes);
  }

  /** Forgives what was counted, after a success. */
  async forgive(keys: readonly string[]): Promise<void> {
    const buckets = await this.#store.getBuckets(keys);
    if (buckets.length > 0) await this.#store.commit(buckets.map(({ key }) => ({ change: 'empty-bucket', key })));
  }
}
