import type { Seconds } from './seconds.ts';

/** Smaller differences are the grain of the header, and the way of the answer. */
const grain: Seconds = 2;

/**
 * The server's time. Servers refuse DPoP proofs from the future, and old ones, and people's devices are minutes or hours off: once a proof was refused or a nonce asked for, proofs and the checks of ID tokens go
 * by the `Date` of that answer, all that stays on the device by its own clock. In memory; until then it is the device's. Source: RFC 9449 section 11.1, RFC 9110 section 6.6.1.
 */
export class ServerClock {
  readonly #deviceNow: () => Seconds;
  #ahead: Seconds = 0;

  constructor(deviceNow: () => Seconds) {
    this.#deviceNow = deviceNow;
  }

  /** The time at the server. */
  now(): Seconds {
    return this.#deviceNow() + this.#ahead;
  }

  /** How far the server was found to be ahead of this device. */
  get ahead(): Seconds {
    return this.#ahead;
  }

  /** Takes over the `Date` of an answer that just came, if it has one that script may read. Tells whether that moved this clock. */
  learn(date: string | null): boolean {
    const dateMs = date === null ? Number.NaN : Date.parse(date);
    if (!Number.isFinite(dateMs)) return false;
    const ahead = Math.floor(dateMs / 1000) - this.#deviceNow();
    if (Math.abs(ahead - this.#ahead) <= grain) return false;
    this.#ahead = ahead;
    return true;
  }
}
