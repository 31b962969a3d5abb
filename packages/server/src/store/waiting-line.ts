import { StoreUnavailable } from './store.ts';

/** Beyond so many the node is full: callers are told at once rather than after they have given up. */
const mostWaiting = 20_000;
/** How long, in milliseconds, anybody waits for its turn while the database does not answer. */
const mostWaitMs = 5000;

/** Who waits can be told that it was in vain. */
type Refusable = { reject(error: Error): void };
type Place<Member> = { member: Member; sinceMs: number };

/**
 * Those who wait for their turn, in the order in which they came: not too many, and none for too long, so that a database that stalls neither fills the memory nor keeps
 * anybody waiting for all who are in front. Who is sent away hears `StoreUnavailable`; nothing was begun of what it asked.
 */
export class WaitingLine<Member extends Refusable> {
  readonly #what: string;
  readonly #mostWaitMs: number;
  #places: Place<Member>[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `what` waits there, in the plural, for messages; `waitMs` replaces how long anybody may. */
  constructor(what: string, waitMs = mostWaitMs) {
    this.#what = what;
    this.#mostWaitMs = waitMs;
  }

  get length(): number {
    return this.#places.length;
  }

  /** Lets one join at the end, or sends it away at once when too many are waiting. */
  join(member: Member): void {
    if (this.#places.length >= mostWaiting) {
      member.reject(new StoreUnavailable(`too many ${this.#what} are waiting`));
      return;
    }
    this.#places.push({ member, sinceMs: performance.now() });
    this.#watch();
  }

  /** Those in front whose turn it is: `most` of them, or as many as `fits` says of one after the other. */
  take(most: number, fits: (member: Member) => boolean = () => true): Member[] {
    this.#sendAway();
    const heavy = this.#places.slice(0, most).findIndex(({ member }) => !fits(member));
    return this.#places.splice(0, heavy < 0 ? most : heavy).map(({ member }) => member);
  }

  #sendAway(): void {
    const cameBeforeMs = performance.now() - this.#mostWaitMs;
    const first = this.#places.findIndex(({ sinceMs }) => sinceMs > cameBeforeMs);
    const late = this.#places.splice(0, first < 0 ? this.#places.length : first);
    for (const { member } of late)
      member.reject(new StoreUnavailable(`${this.#what} waited too long for the database`));
  }

  #watch(): void {
    const [first] = this.#places;
    if (this.#timer !== undefined || first === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#sendAway();
        this.#watch();
      },
      first.sinceMs + this.#mostWaitMs - performance.now() + 1,
    ).unref();
  }
}
