import { feedMarkType, type PollAnswer, type PollRequest, securityEventOf, securityEventType } from '@tessera/protocol';
import type { Context } from '../context.ts';
import type { EventRecord } from '../store/store.ts';
import { revocationOfEvent, revocationTypes } from './revocation-of-event.ts';

/** Who polls: the audiences it serves decide what it sees, those it serves when it is answered. */
export type FeedReceiver = { audiences(): Promise<readonly string[]> };

/** How many of the newest revocations are kept at hand, and how many older ones, which are read from the store, with their signatures. */
const atHand = 4096;
const mostSets = 500;

/** `signed` once it was asked for, by that key. */
type Entry = { event: EventRecord; signed?: { text: string; kid: string | undefined } };

/**
 * The revocation feed: what has ended, told to edges as Security Event Tokens by long polling. It keeps nothing about its receivers: what a receiver acknowledges is its place in the
 * feed. A receiver without a place is replayed everything that still matters.
 * Source: RFC 8417, RFC 8936; OpenID CAEP 1.0 for `session-revoked`. The replay, the mark and `resync` are ours (docs/revocation-feed.md).
 */
export class RevocationFeed {
  readonly #context: Context;
  readonly #unsubscribe: () => void;
  readonly #waiting = new Set<() => void>();
  #recent: Entry[] = [];
  /** Older ones that were replayed lately: edges that start together get the same. */
  readonly #replayed = new Map<number, Entry>();
  /** Every revocation after this position is in `#recent`. */
  #recentFrom: number;
  /** Events up to there were taken: those that come again are known. */
  #takenTo: number;
  #closed = false;
  #mark: { text: string; key: string } | undefined;

  /** Starts following at the follower's position: make it when the follower has started. */
  constructor(context: Context) {
    this.#context = context;
    this.#recentFrom = context.follower.position.position;
    this.#takenTo = this.#recentFrom;
    this.#unsubscribe = context.follower.subscribe((events) => this.#take(events));
  }

  /**
   * Answers a poll: at once when there is something to tell or the receiver has no place yet, else when something ends or `waitMs` have passed. `onGone` is told how to end
   * the wait early.
   */
  async poll(
    receiver: FeedReceiver,
    request: PollRequest,
    waitMs: number,
    onGone: (listener: () => void) => void,
  ): Promise<PollAnswer> {
    const limit = Math.min(mostSets, Math.max(1, request.maxEvents ?? 100));
    const deadline = this.#context.monotonicMs() + waitMs;
    const receiverGone = { isGone: false, wake: () => {} };
    onGone(() => {
      receiverGone.isGone = true;
      receiverGone.wake();
    });
    for (;;) {
      const asOfMs = await this.#context.follower.catchUp();
      // Only now: the place may have been given by a node that was ahead of this one.
      const place = this.#placeOf(request.ack ?? []);
      const found = await this.#after(await receiver.audiences(), place ?? 0, limit);
      const isIdle = found.entries.length === 0 && place !== undefined;
      const remainingMs = deadline - this.#context.monotonicMs();
      if (isIdle && !request.returnImmediately && remainingMs > 0 && !this.#closed && !receiverGone.isGone) {
        await this.#sleep(remainingMs, receiverGone);
        continue;
      }
      const sets = Object.fromEntries(
        found.entries.map((entry) => [this.#jti(entry.event.position), this.#signed(entry)]),
      );
      return {
        sets,
        mark: this.#signMark(found.reaches, asOfMs),
        ...(found.more && { moreAvailable: true }),
        ...(place === undefined && { resync: true }),
      };
    }
  }

  /** Answers everybody who waits, and from now on at once. */
  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    for (const wake of [...this.#waiting]) wake();
  }

  #take(events: readonly EventRecord[]): void {
    const revocations = events.filter(
      ({ type, position }) => position > this.#takenTo && revocationTypes.includes(type),
    );
    this.#takenTo = Math.max(this.#takenTo, events.at(-1)?.position ?? 0);
    if (revocations.length === 0) return;
    this.#recent.push(...revocations.map((event) => ({ event })));
    if (this.#recent.length > atHand) {
      const dropped = this.#recent.splice(0, this.#recent.length - atHand);
      this.#recentFrom = dropped.at(-1)?.event.position ?? this.#recentFrom;
    }
    for (const wake of [...this.#waiting]) wake();
  }

  async #after(
    audiences: readonly string[],
    position: number,
    limit: number,
  ): Promise<{ entries: Entry[]; more: boolean; reaches: number }> {
    const head = this.#context.follower.position.position;
    const now = this.#context.now();
    const entries: Entry[] = [];
    let reached = position;
    while (entries.length < limit) {
      const candidates = await this.#candidates(reached, now, head);
      const last = candidates.at(-1);
      if (!last) return { entries, more: false, reaches: Math.max(head, position) };
      for (const entry of candidates) {
        if (entries.length === limit) return { entries, more: true, reaches: reached };
        reached = entry.event.position;
        if (isFor(audiences, entry.event) && (entry.event.until ?? 0) >= now) entries.push(entry);
      }
    }
    return { entries, more: reached < head, reaches: reached };
  }

  async #candidates(after: number, now: number, head: number): Promise<Entry[]> {
    if (after >= this.#recentFrom)
      return this.#recent.filter(({ event }) => event.position > after && event.position <= head);
    const events = await this.#context.store.readEvents({
      afterPosition: after,
      types: [...revocationTypes],
      mattersAt: now,
      limit: mostSets,
    });
    return events.filter((event) => event.position <= head).map((event) => this.#older(event));
  }

  #older(event: EventRecord): Entry {
    const known = this.#replayed.get(event.position);
    if (known) return known;
    if (this.#replayed.size >= atHand) this.#replayed.delete(this.#replayed.keys().next().value as number);
    const entry: Entry = { event };
    this.#replayed.set(event.position, entry);
    return entry;
  }

  #placeOf(ack: readonly string[]): number | undefined {
    const { epoch, position: head } = this.#context.follower.position;
    let place: number | undefined;
    for (const jti of ack) {
      const match = /^(\d{1,16})\.(\d{1,16})$/.exec(jti);
      if (!match || Number(match[1]) !== epoch || Number(match[2]) > head) continue;
      place = Math.max(place ?? 0, Number(match[2]));
    }
    return place;
  }

  #signed(entry: Entry): string {
    const { event } = entry;
    const { config, signingKeys } = this.#context;
    const kid = signingKeys.currentKid('ES256');
    // What a revoked or retired key signed is signed anew by its successor.
    if (entry.signed?.kid === kid && entry.signed !== undefined) return entry.signed.text;
    const revocation = revocationOfEvent(event, config.issuer);
    if (!revocation) throw new TypeError(`event: ${event.type} at position ${event.position} is not a revocation`);
    const text = signingKeys.sign('ES256', securityEventType, {
      iss: config.issuer,
      jti: this.#jti(event.position),
      iat: event.at,
      ...securityEventOf(revocation, event.at),
    });
    entry.signed = { text, kid };
    return text;
  }

  #signMark(position: number, asOfMs: number): string {
    const { config, signingKeys, now } = this.#context;
    const key = `${position}/${asOfMs}/${signingKeys.currentKid('ES256')}`;
    if (this.#mark?.key !== key)
      this.#mark = {
        key,
        text: signingKeys.sign('ES256', feedMarkType, {
          iss: config.issuer,
          jti: this.#jti(position),
          iat: now(),
          as_of_ms: asOfMs,
        }),
      };
    return this.#mark.text;
  }

  #jti(position: number): string {
    return `${this.#context.follower.position.epoch}.${position}`;
  }

  #sleep(ms: number, receiverGone: { wake: () => void }): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
      receiverGone.wake = wake;
    });
  }
}

/** True when the event ends tokens of one of the audiences served. */
function isFor(served: readonly string[], { audiences }: EventRecord): boolean {
  return audiences === null || audiences === undefined || audiences.some((audience) => served.includes(audience));
}
