/** A step of the clock larger than this is no drift: it was set, or the machine slept. */
const jumpMs = 5000;
/** How long the clock must run evenly after a jump ahead before it is believed for good. */
const settleMs = 120_000;

/**
 * Tells whether the clock has run evenly lately, by comparing it with one that cannot be set. An ending is for good, and a clock that is set an hour ahead by mistake lets
 * things lapse that have not: whoever ends things waits until the jump has stayed. A laptop that slept is the legitimate case: then it only takes that much longer.
 */
export class EvenTime {
  readonly #nowMs: () => number;
  readonly #monotonicMs: () => number;
  #aheadMs: number;
  #believedAtMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: () => number, monotonicMs: () => number) {
    this.#nowMs = nowMs;
    this.#monotonicMs = monotonicMs;
    this.#aheadMs = nowMs() - monotonicMs();
  }

  /** Looks at the clocks; true when what has lapsed by them may be ended. A jump back needs no waiting: it lets nothing lapse. */
  look(): boolean {
    const monotonicMs = this.#monotonicMs();
    const aheadMs = this.#nowMs() - monotonicMs;
    if (aheadMs > this.#aheadMs + jumpMs) this.#believedAtMs = monotonicMs + settleMs;
    this.#aheadMs = aheadMs;
    return monotonicMs >= this.#believedAtMs;
  }
}
