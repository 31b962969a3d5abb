import type { Seconds } from '@tessera/protocol';
import type { NewEvent, Store } from '../store/store.ts';

/** An event type of a refusal's own, with what else it tells. */
export type RefusalEvent = {
  type: 'dpop.replayed' | 'sign_in.failed' | 'sign_in.throttled';
  data: Record<string, unknown>;
};

/** A refusal as it is written down. */
export type RefusalEntry = {
  refusalId: string;
  endpoint: string;
  error: string;
  reason: string;
  description: string;
  facts: { clientId?: string; userId?: string; sid?: string; grantId?: string; expected?: string; got?: string };
  origin: { ip: string; userAgent: string };
  /** Where a refusal has an event type of its own, with what else it tells. */
  event?: RefusalEvent;
};

/** Refusals a second that become events in the long run, and at once. More than that stand in the log alone: strangers must not fill the store. */
const perSecond = 5;
const atOnce = 200;
/** How long a refusal waits to be written, with others. */
export const refusalsFlushEveryMs = 100;

/** Appends refusals to the events, a few at a time and beside the answers, which do not wait for it. */
export class RefusalJournal {
  readonly #store: Store;
  readonly #now: () => Seconds;
  readonly #onFailure: (error: unknown) => void;
  #waiting: NewEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #allowance = atOnce;
  #asOf: Seconds;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(store: Store, now: () => Seconds, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#now = now;
    this.#onFailure = onFailure;
    this.#asOf = now();
  }

  /** Takes a refusal down, unless there are too many. */
  add(entry: RefusalEntry): void {
    const at = this.#now();
    this.#allowance = Math.min(atOnce, this.#allowance + Math.max(0, at - this.#asOf) * perSecond);
    this.#asOf = at;
    if (this.#allowance < 1) return;
    this.#allowance--;
    const { refusalId, endpoint, error, reason, description, facts, origin, event } = entry;
    const { expected, got, ...ids } = facts;
    this.#waiting.push({
      type: event?.type ?? 'request.refused',
      at,
      actor: { kind: 'server' },
      ...ids,
      data: {
        refusalId,
        endpoint,
        error,
        reason,
        description,
        origin,
        ...(expected && { expected }),
        ...(got && { got }),
        ...event?.data,
      },
    });
    this.#timer ??= setTimeout(() => void this.flush(), refusalsFlushEveryMs);
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#waiting;
    this.#waiting = [];
    if (events.length > 0) this.#writing = this.#store.commit([], events).catch(this.#onFailure);
    await this.#writing;
  }
}
