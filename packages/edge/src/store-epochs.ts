/** For so long after the last sign of several stores what is known is not trusted. */
const distrustMs = 300_000;
const mostRemembered = 100;
const longestTold = 20;

/**
 * Tells from the epochs of a feed's marks whether nodes of several stores answer in turns. One new epoch is a store that was restored: epochs are random and never come back. So
 * an epoch that comes back, or a place given in an epoch and not known in it twice, is a second store behind the same address: what has ended in the one is alive in the other.
 * Source: docs/revocation-feed.md, "Places".
 */
export class StoreEpochs {
  #current: string | undefined;
  readonly #left = new Set<string>();
  #setBackAtMs: number | undefined;
  #divided: { sinceMs: number; seenAtMs: number } | undefined;

  /** Notes the epoch of an answer; says what it shows when that is a second store. `isSetBack`: the node did not know the place it was asked from. */
  note(epoch: string, isSetBack: boolean, nowMs: number): string | undefined {
    const before = this.#current;
    this.#current = epoch;
    const isSecondStore = before === epoch ? isSetBack && this.#isSetBackAgain(nowMs) : this.#left.has(epoch);
    if (before !== undefined && before !== epoch) this.#leave(before);
    if (!isSecondStore) return undefined;
    this.#divided = { sinceMs: nowMs - (this.dividedForMs(nowMs) ?? 0), seenAtMs: nowMs };
    return `nodes of different stores answer in turns (store epochs ${cut(before)} and ${cut(epoch)}): take away the one that should not; until five minutes after, nothing known is trusted to be whole`;
  }

  /** For how many milliseconds several stores have been answering; undefined when none was seen in the last five minutes. */
  dividedForMs(nowMs: number): number | undefined {
    if (!this.#divided || nowMs - this.#divided.seenAtMs >= distrustMs) return undefined;
    return nowMs - this.#divided.sinceMs;
  }

  #isSetBackAgain(nowMs: number): boolean {
    const before = this.#setBackAtMs;
    this.#setBackAtMs = nowMs;
    return before !== undefined && nowMs - before < distrustMs;
  }

  #leave(epoch: string): void {
    const [oldest] = this.#left;
    if (oldest !== undefined && this.#left.size >= mostRemembered) this.#left.delete(oldest);
    this.#left.add(epoch);
  }
}

function cut(epoch: string | undefined): string {
  return (epoch ?? '').slice(0, longestTold);
}
