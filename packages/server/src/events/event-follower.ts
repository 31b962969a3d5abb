import type { EventRecord, Store } from '../store/store.ts';

/** How many events are read at once; how long commits are gathered before the next read: a while, longer where reading takes long, but never so long that an edge would notice. */
const slice = 500;
const gatherMs = 10;
const gatherTimes = 8;
const mostGatherMs = 60;

/** How old, in milliseconds, what this process remembers of the store may be when it answers from it. */
const freshMs = 1000;

/** The clocks of a follower: the time, and one that only runs on. Both in milliseconds. */
export type FollowerClocks = { nowMs(): number; monotonicMs(): number };

/**
 * Takes notice of new events. What it must do before anybody acts on them is awaited. If it fails they count as not read, and come again, to all subscribers: each must be able to
 * take them twice.
 */
export type EventSubscriber = (events: readonly EventRecord[]) => void | Promise<void>;

/** Reads each event soon after its commit, whoever committed it, and hands it to all subscribers of this process, in order; once, unless one of them fails. */
export class EventFollower {
  readonly #store: Store;
  readonly #subscribers = new Set<EventSubscriber>();
  readonly #clocks: FollowerClocks;
  readonly #onFailure: (error: unknown) => void;
  #position = 0;
  #epoch = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #stop: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #tookMs = 0;
  #running: Promise<number> = Promise.resolve(0);
  #next: Promise<number> | undefined;

  constructor(store: Store, clocks: FollowerClocks, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#clocks = clocks;
    this.#onFailure = onFailure;
  }

  /** Begins with what is appended from now on. */
  async start(): Promise<void> {
    ({ position: this.#position, epoch: this.#epoch } = await this.#store.position());
    this.#stop = this.#store.onEvents(() => this.#wake());
  }

  /** How far it has read, and in which epoch of the store. */
  get position(): { epoch: number; position: number } {
    return { epoch: this.#epoch, position: this.#position };
  }

  /**
   * Whether the store was read just now. What a process remembers (clients, keys, cut-offs) rests on it having read the store's events; one that was frozen, or cut off from the
   * store, must catch up before it answers.
   */
  get isFresh(): boolean {
    return this.#clocks.monotonicMs() - this.#readAtMs <= freshMs;
  }

  /** Calls back with each slice of new events. Returns the end of it. */
  subscribe(subscriber: EventSubscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  /**
   * Reads the store now, after this call began; all subscribers have seen what it holds when the promise resolves to the time (milliseconds) as of which that is all there is. Callers that
   * wait together share one read.
   */
  catchUp(): Promise<number> {
    this.#next ??= this.#running.then(
      () => this.#read(),
      () => this.#read(),
    );
    return this.#next;
  }

  stop(): void {
    this.#stop?.();
    clearTimeout(this.#timer);
    this.#subscribers.clear();
  }

  #wake(): void {
    if (this.#timer) return;
    const waitMs = Math.min(mostGatherMs, Math.max(gatherMs, gatherTimes * this.#tookMs));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.catchUp().catch(this.#onFailure);
    }, waitMs);
  }

  #read(): Promise<number> {
    this.#next = undefined;
    const beganMs = performance.now();
    this.#running = this.#readAll().finally(() => {
      this.#tookMs = performance.now() - beganMs;
    });
    return this.#running;
  }

  async #readAll(): Promise<number> {
    for (;;) {
      const asOfMs = this.#clocks.nowMs();
      const readAtMs = this.#clocks.monotonicMs();
      // A store that went back in time says so here, and nobody is told that it is all there is.
      const head = await this.#store.position();
      const events =
        head.position <= this.#position
          ? []
          : await this.#store.readEvents({
              afterPosition: this.#position,
              beforePosition: head.position + 1,
              limit: slice,
            });
      const last = events.at(-1);
      if (last) {
        await Promise.all([...this.#subscribers].map((subscriber) => subscriber(events)));
        this.#position = last.position;
      }
      if (events.length < slice) {
        this.#readAtMs = readAtMs;
        return asOfMs;
      }
    }
  }
}
