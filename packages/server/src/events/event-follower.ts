import type { EventRecord, Store } from '../store/store.ts';

/** How many events are read at once, and how long commits are gathered before the next read. */
const slice = 500;
const gatherMs = 10;

/** Reads each event once, soon after its commit, whoever committed it, and hands it to all subscribers of this process, in order. */
export class EventFollower {
  readonly #store: Store;
  readonly #subscribers = new Set<(events: readonly EventRecord[]) => void>();
  readonly #onFailure: (error: unknown) => void;
  #position = 0;
  #stop: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading = false;
  #again = false;

  constructor(store: Store, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#onFailure = onFailure;
  }

  /** Begins with what is appended from now on. */
  async start(): Promise<void> {
    this.#position = (await this.#store.position()).position;
    this.#stop = this.#store.onCommit(() => this.#wake());
  }

  /** Calls back with each slice of new events. Returns the end of it. */
  subscribe(subscriber: (events: readonly EventRecord[]) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  stop(): void {
    this.#stop?.();
    clearTimeout(this.#timer);
    this.#subscribers.clear();
  }

  #wake(): void {
    if (this.#reading) this.#again = true;
    else this.#timer ??= setTimeout(() => void this.#read(), gatherMs);
  }

  async #read(): Promise<void> {
    this.#timer = undefined;
    this.#reading = true;
    try {
      do {
        this.#again = false;
        const events = await this.#store.readEvents({ afterPosition: this.#position, limit: slice });
        const last = events.at(-1);
        if (!last) continue;
        this.#position = last.position;
        this.#again ||= events.length === slice;
        for (const subscriber of this.#subscribers) subscriber(events);
      } while (this.#again);
    } catch (error) {
      this.#onFailure(error);
    } finally {
      this.#reading = false;
    }
  }
}
