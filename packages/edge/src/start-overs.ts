const quietMs = 60_000;

/**
 * Counts how often a receiver had to start over, by a gap or by a replay it did not ask for, until there was a minute without. Once is ordinary; where it goes on, each is followed by a
 * longer pause, because a replay costs a verification for each ending, and the operator is not told of each.
 */
export class StartOvers {
  #count = 0;
  #lastAtMs = 0;

  note(nowMs: number): void {
    this.#count = this.countAt(nowMs) + 1;
    this.#lastAtMs = nowMs;
  }

  countAt(nowMs: number): number {
    return nowMs - this.#lastAtMs >= quietMs ? 0 : this.#count;
  }
}
