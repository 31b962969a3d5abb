import type { Appended, EventFilter, EventRecord } from '../store.ts';

/** How many events are kept: what a busy second brings. */
const mostEvents = 4096;

/**
 * The latest events as far as this process's commits told of them, one position after the other without a gap. What is asked between two positions that are both in here needs no
 * reading of the log: positions are dense, and what has one stays as it is.
 */
export class RecentEvents {
  #epoch = 0;
  #events: EventRecord[] = [];

  /** Takes what a commit told. After a gap, in which there is what others appended, it begins anew. */
  add({ epoch, events }: Appended): void {
    for (const event of events) {
      const last = this.#events.at(-1);
      if (last !== undefined && (epoch !== this.#epoch || event.position !== last.position + 1)) this.#events = [];
      this.#epoch = epoch;
      this.#events.push(event);
    }
    if (this.#events.length > mostEvents) this.#events = this.#events.slice(-mostEvents / 2);
  }

  /** The events a filter asks for, if it asks for all between two positions, and all of those are here; else undefined. */
  find(filter: EventFilter): EventRecord[] | undefined {
    const { afterPosition, beforePosition, limit, ...more } = filter;
    const first = this.#events[0]?.position;
    if (first === undefined || afterPosition === undefined || beforePosition === undefined) return undefined;
    const from = afterPosition + 1 - first;
    const to = beforePosition - first;
    if (from < 0 || to > this.#events.length || Object.keys(more).length > 0) return undefined;
    return this.#events.slice(from, Math.min(Math.max(from, to), from + limit));
  }
}
