import type { Store } from './store/store.ts';

/** Where time comes from. `wallMs` may be set and jump; `monotonicMs` only runs on, and says nothing but how much has passed. */
export type TimeSource = { wallMs(): number; monotonicMs(): number };

/** Where a clock says that it is off. */
type ClockLog = Record<'warn' | 'info', (facts: object, message: string) => void>;

/** What is known of the database's clock: what it said at a moment of ours, give or take. */
type Measurement = { databaseMs: number; monotonicMs: number; wallMs: number; doubtMs: number };

/** A node whose own clock is further off than this is not ready. */
const mostOffMs = 2000;
/** How often the database's clock is asked, and how soon again after it could not be. */
const measureEveryMs = 30_000;
const retryMs = 2000;
/** Of several answers the quickest counts; one that was longer under way says nothing. */
const firstSamples = 3;
const mostDoubtMs = 1000;

/**
 * The time of a node. With a database that many nodes share it is the database's: measured now and then, and carried on from there by a clock that cannot be set. So
 * whoever sets the clock of this machine, or a machine that is an hour off, changes nothing about who is signed in and for how long. An embedded database has no other
 * clock than this machine's.
 */
export class Clock {
  readonly #source: TimeSource;
  readonly #store: Pick<Store, 'clockMs'>;
  readonly #log: ClockLog;
  #known: Measurement | undefined;
  #measuring: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #wasOff = false;

  /** `store`: asked for the database's clock, where it has one of its own. `log` hears when this machine's is off, and when it is right again. */
  constructor(source: TimeSource, store: Pick<Store, 'clockMs'>, log: ClockLog) {
    this.#source = source;
    this.#store = store;
    this.#log = log;
  }

  /** The time in milliseconds. */
  readonly nowMs = (): number => {
    if (this.#known === undefined) return this.#source.wallMs();
    return Math.floor(this.#known.databaseMs + this.#source.monotonicMs() - this.#known.monotonicMs);
  };

  /** By how many milliseconds this machine's clock is ahead of the database's, as last measured; 0 where they are one. */
  get aheadMs(): number {
    return this.#known === undefined ? 0 : this.#known.wallMs - this.#known.databaseMs;
  }

  /** Whether this machine's clock is too far off, whatever the measuring may be wrong by. */
  get isOff(): boolean {
    return this.#known !== undefined && Math.abs(this.aheadMs) - this.#known.doubtMs > mostOffMs;
  }

  /**
   * False when this machine's clock and the running one have parted since the database was asked: somebody set the clock, or the machine slept, and then the running one
   * stood still. `measure` tells.
   */
  get isSteady(): boolean {
    if (this.#known === undefined) return true;
    const { wallMs, monotonicMs } = this.#known;
    const parted = this.#source.wallMs() - wallMs - (this.#source.monotonicMs() - monotonicMs);
    return Math.abs(parted) <= mostOffMs;
  }

  /** Asks the database's clock once, and from then on every so often. Rejects if it cannot be asked. */
  async start(): Promise<void> {
    if (!this.#store.clockMs) return;
    await this.measure();
    this.#measureIn(measureEveryMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Asks the database's clock now. Callers who wait together share one question. */
  measure(): Promise<void> {
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  async #measure(): Promise<void> {
    let best: Measurement | undefined;
    for (let sample = 0; sample < firstSamples; sample++) {
      const one = await this.#sample();
      if (one && (best === undefined || one.doubtMs < best.doubtMs)) best = one;
      if (this.#known && best && best.doubtMs < mostDoubtMs) break;
    }
    if (!best || (this.#known && this.isSteady && best.doubtMs >= mostDoubtMs)) return;
    this.#known = best;
    this.#tell();
  }

  async #sample(): Promise<Measurement | undefined> {
    const askedMs = this.#source.monotonicMs();
    const databaseMs = await this.#store.clockMs?.();
    const monotonicMs = this.#source.monotonicMs();
    if (databaseMs === undefined) return undefined;
    const doubtMs = (monotonicMs - askedMs) / 2;
    // It was read somewhere between question and answer: in the middle, for all we know.
    return { databaseMs: databaseMs + doubtMs, monotonicMs, wallMs: this.#source.wallMs(), doubtMs };
  }

  #tell(): void {
    if (this.isOff === this.#wasOff) return;
    this.#wasOff = this.isOff;
    const seconds = Math.abs(this.aheadMs / 1000).toFixed(1);
    const where = this.aheadMs > 0 ? 'ahead of' : 'behind';
    if (this.isOff)
      this.#log.warn(
        { aheadMs: Math.round(this.aheadMs) },
        `this machine's clock is ${seconds} s ${where} the database's; this node goes by the database's and is not ready until the clock is set right (NTP)`,
      );
    else this.#log.info({ aheadMs: Math.round(this.aheadMs) }, "this machine's clock is right again");
  }

  #measureIn(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.measure().then(
        () => this.#measureIn(measureEveryMs),
        () => this.#measureIn(retryMs),
      );
    }, ms).unref();
  }
}
