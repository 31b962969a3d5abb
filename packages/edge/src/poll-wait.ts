import type { Seconds } from '@tessera/protocol';

const tryLongerAfterMs = 600_000;

/**
 * How long a poll asks to be held. Something between here and the issuer may cut lines that are silent for longer than it likes: then shorter, a second less than what was cut, and after ten
 * minutes without a cut twice as long again, up to `most`.
 */
export class PollWait {
  readonly #most: Seconds;
  #seconds: Seconds;
  #changedAtMs = 0;

  constructor(most: Seconds) {
    this.#most = most;
    this.#seconds = most;
  }

  at(nowMs: number): Seconds {
    if (this.#seconds < this.#most && nowMs - this.#changedAtMs >= tryLongerAfterMs) {
      this.#seconds = Math.min(this.#most, this.#seconds * 2);
      this.#changedAtMs = nowMs;
    }
    return this.#seconds;
  }

  /** A poll that was held was cut after `heldMs`. */
  noteCut(heldMs: number, nowMs: number): void {
    this.#seconds = Math.min(this.#seconds, Math.max(1, Math.floor(heldMs / 1000) - 1));
    this.#changedAtMs = nowMs;
  }
}
