import type { Seconds } from '@tessera/protocol';
import type { RequestFacts } from './request-facts.ts';

const sliceSeconds = 10;

/**
 * Remembers the DPoP proofs that were accepted, for as long as they could be accepted again, in slices of ten seconds that are dropped whole. Bounded: a full memory refuses
 * the next proof, since forgetting one that still counts would open the door to its replay. One process's memory: another
 * one would take the proof too, while it is of now or its nonce (where they share those) is fresh. Source: RFC 9449 section 11.1.
 */
export class DpopReplayMemory {
  readonly #capacity: number;
  readonly #slices = new Map<number, Map<string, string>>();
  /** What each request that still lives has proven, so that it may be judged more than once. */
  readonly #proven = new WeakMap<object, string>();
  #size = 0;

  constructor(options: { capacity: number }) {
    this.#capacity = options.capacity;
  }

  /** How many proofs are remembered. */
  get size(): number {
    return this.#size;
  }

  /**
   * Remembers a proof until `forgetAt`. `fresh`: not seen before, or only with this very request; `replayed`: seen with another, with the source of the first time; `full`: no
   * room, so it cannot be accepted.
   */
  remember(
    proof: { replayKey: string; forgetAt: Seconds },
    request: Pick<RequestFacts, 'source'>,
    now: Seconds,
  ): { verdict: 'fresh' | 'full' } | { verdict: 'replayed'; firstSource: string } {
    this.#forget(now);
    if (this.#proven.get(request) === proof.replayKey) return { verdict: 'fresh' };
    for (const slice of this.#slices.values()) {
      const firstSource = slice.get(proof.replayKey);
      if (firstSource !== undefined) return { verdict: 'replayed', firstSource };
    }
    if (this.#size >= this.#capacity) return { verdict: 'full' };
    const number = Math.floor(proof.forgetAt / sliceSeconds);
    const slice = this.#slices.get(number) ?? new Map<string, string>();
    slice.set(proof.replayKey, request.source ?? '');
    this.#slices.set(number, slice);
    this.#size++;
    this.#proven.set(request, proof.replayKey);
    return { verdict: 'fresh' };
  }

  #forget(now: Seconds): void {
    for (const [number, slice] of this.#slices) {
      if ((number + 1) * sliceSeconds > now) continue;
      this.#slices.delete(number);
      this.#size -= slice.size;
    }
  }
}
