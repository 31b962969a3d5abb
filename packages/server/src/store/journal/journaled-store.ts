import type { Seconds } from '@tessera/protocol';
import { HandedOnReadings } from '../readings.ts';
import { restoreRecordOf, restoreSetting } from '../restore-record.ts';
import {
  type Appended,
  type Change,
  type CommitResult,
  type EventFilter,
  type EventRecord,
  type NewEvent,
  type Store,
  type StorePosition,
  StoreUnavailable,
  type SweepResult,
} from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { entriesOfEvents, isJournaled, journaledTypes } from './entries-of-events.ts';
import type { JournalEntry, JournalMark } from './journal-entry.ts';
import { JournalFile } from './journal-file.ts';
import { RecentEvents } from './recent-events.ts';

// How many events are read at once.
const slice = 500;
// How many events that commits told wait for the journal; what more there are it reads from the log.
const mostTold = 4096;
// What others ended they write down themselves, if they share the file; so they get the time to.
const followAfterMs = 250;
// How often the journal notes how far the log has come although nothing ended.
const markEveryMs = 5000;

/** The store went back in time while it was in use, or was restored: this process must not go on with it. Waiting does not help. */
export class StoreWentBack extends StoreUnavailable {
  constructor(message: string) {
    super(message);
    this.name = 'StoreWentBack';
  }
}

type Committed = Extract<CommitResult, { outcome: 'committed' }>;

/** What a journaled store is made with. `warn` hears, once, when the store goes back in time while it is in use. */
export type JournaledStoreOptions = { store: Store; file: string; warn: (message: string) => void };

/**
 * Opens the journal of endings beside a store, and compares the two. Throws `StoreNotUsable` when the store is older than the journal knows, or is another one: then
 * what has ended would live again.
 */
export async function openJournaledStore({ store, file, warn }: JournaledStoreOptions): Promise<JournaledStore> {
  const journal = new JournalFile(file);
  try {
    const mark = await journal.open().catch((error: unknown) => {
      throw new StoreNotUsable(
        `the journal of endings ${file} cannot be opened (${(error as NodeJS.ErrnoException).code ?? 'error'}); let this user write it, or name another place (journal)`,
        { cause: error },
      );
    });
    const isFormer = await compare(store, file, mark);
    const journaled = new JournaledStore(store, journal, warn, { mark, isFormer });
    await journaled.catchUp();
    return journaled;
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** True when the journal is of a state before a restore that this store has been through. */
async function compare(store: Store, file: string, mark: JournalMark | undefined): Promise<boolean> {
  const restore = restoreRecordOf(await store.get('setting', restoreSetting));
  if (restore?.state === 'begun')
    throw new StoreNotUsable('a restore of this store was begun and did not come to its end; run it again');
  if (mark === undefined) return false;
  const { epoch, position } = await store.position();
  if (mark.epoch !== epoch) {
    if (restore?.formerEpochs.includes(mark.epoch)) return true;
    throw new StoreNotUsable(
      `the journal of endings ${file} belongs to another store, or to this one before it was put back to an older state; ${whatToDo}. If this is meant to be another store, move that file away`,
    );
  }
  if (mark.position > position) throw new StoreNotUsable(`${olderThan(mark.position, position, file)}; ${whatToDo}`);
  return false;
}

function olderThan(known: number, found: number, file: string): string {
  return `the store went back in time: the journal of endings ${file} knows position ${known}, the store stands at ${found}, so what has ended since would live again`;
}

const whatToDo =
  'if an older state was put back, finish it with: tessera restore --policy resume (or reauthenticate), see docs/operations.md';

/**
 * A store that keeps a journal of endings outside of its database. A commit that ends something is answered only when the journal holds it on disk, and with it every ending
 * before it, whoever committed it. Commits that end nothing, refreshes among them, touch no file. One flush serves all endings that wait together.
 *
 * Positions only grow. Should the store stand at an earlier one, or in another epoch, than this process has seen, every call from then on throws `StoreWentBack`.
 */
export class JournaledStore extends HandedOnReadings implements Store {
  readonly clockMs?: () => Promise<number>;
  readonly #store: Store;
  readonly #journal: JournalFile;
  readonly #warn: (message: string) => void;
  #mark: JournalMark | undefined;
  /** The last mark in the file. */
  #written: JournalMark | undefined;
  /** The furthest this process has seen. */
  #seen: StorePosition | undefined;
  #markedMs = 0;
  #wentBack: StoreWentBack | undefined;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #isFlushAsked = false;
  /** Events of this process's commits that the journal does not hold yet, as far as their commits told. */
  readonly #told: { epoch: number; event: EventRecord }[] = [];
  readonly #recent = new RecentEvents();
  #stopFollowing: (() => void) | undefined;
  #followTimer: NodeJS.Timeout | undefined;
  #isFormer: boolean;

  /** Made by `openJournaledStore`. `mark`: how far the journal reaches; `isFormer`: in an epoch that a restore ended. */
  constructor(
    store: Store,
    journal: JournalFile,
    warn: (message: string) => void,
    { mark, isFormer }: { mark: JournalMark | undefined; isFormer: boolean },
  ) {
    super();
    this.#store = store;
    if (store.clockMs !== undefined) this.clockMs = () => this.#clockOf();
    this.#journal = journal;
    this.#warn = warn;
    this.#mark = mark;
    this.#written = mark;
    this.#isFormer = isFormer;
  }

  /**
   * True while the journal is of a state before a restore, and this node's endings of that time may not be in the store. Nothing is written to it until they have been
   * applied again and `adopt` was called.
   */
  get isFormer(): boolean {
    return this.#isFormer;
  }

  /** Begins this epoch in the journal: what it held of before has been applied. `from`: the position at which the epoch began. */
  async adopt(from: number): Promise<void> {
    const { epoch } = await this.position();
    this.#isFormer = false;
    this.#mark = { epoch, position: from };
    this.#markedMs = 0;
    await this.catchUp();
  }

  override async readEvents(filter: EventFilter) {
    const store = this.readings();
    return this.#recent.find(filter) ?? store.readEvents(filter);
  }

  findLapsed(now: Seconds, limit: number) {
    return this.readings().findLapsed(now, limit);
  }

  sweep(bounds: Parameters<Store['sweep']>[0]): Promise<SweepResult> {
    return this.readings().sweep(bounds);
  }

  override async position(): Promise<StorePosition> {
    // Known before we ask: answers of several connections may overtake each other.
    const known = this.#seen;
    const position = await this.readings().position();
    this.#compare(known, position);
    return position;
  }

  onEvents(listener: () => void): () => void {
    // Whoever listens stays for a while: from now on what others end is followed too.
    this.#stopFollowing ??= this.#store.onEvents(() => this.#followSoon());
    return this.#store.onEvents(listener);
  }

  async commit(changes: readonly Change[], events: readonly NewEvent[] = []): Promise<CommitResult> {
    const known = this.#seen;
    const result = await this.readings().commit(changes, events);
    if (result.outcome === 'conflict') return result;
    if (result.appended !== undefined) this.#take(known, result.appended);
    if (hasEnded(changes, events, result)) {
      this.#isFlushAsked = true;
      await this.catchUp();
    }
    return result;
  }

  /**
   * Brings the journal up to what the store holds now. Throws `StoreUnavailable` when it cannot be written: what was committed is, but an answer that says so would promise
   * more than is kept.
   */
  catchUp(): Promise<void> {
    this.#next ??= this.#running.then(
      () => this.#write(),
      () => this.#write(),
    );
    return this.#next;
  }

  /** The journal's entries, of this epoch and of those before. */
  entries(): AsyncGenerator<JournalEntry> {
    return this.#journal.entries();
  }

  /** Removes from the journal what no longer matters, when it has grown enough. */
  async compactIfDue(now: Seconds): Promise<void> {
    await this.#journal.compactIfDue(now);
  }

  async close(): Promise<void> {
    this.#stopFollowing?.();
    clearTimeout(this.#followTimer);
    this.#markedMs = 0;
    if (this.#wentBack === undefined) await this.catchUp().catch(() => undefined);
    await this.#running.catch(() => undefined);
    await this.#journal.close();
    await this.#store.close();
  }

  async #clockOf(): Promise<number> {
    const answer = await this.readings().clockMs?.();
    if (answer === undefined) throw new TypeError('clockMs: expected a store with a clock');
    return answer;
  }

  protected override readings(): Store {
    if (this.#wentBack !== undefined) throw this.#wentBack;
    return this.#store;
  }

  #compare(known: StorePosition | undefined, found: StorePosition): void {
    if (known !== undefined && found.epoch !== known.epoch)
      this.#goneBack('the store was restored while this server was running; restart the server');
    if (known !== undefined && found.position < known.position)
      this.#goneBack(`${olderThan(known.position, found.position, this.#journal.path)}; stop all servers; ${whatToDo}`);
    if (this.#seen === undefined || found.position > this.#seen.position) this.#seen = found;
  }

  #goneBack(message: string): never {
    const isNew = this.#wentBack === undefined;
    this.#wentBack ??= new StoreWentBack(message);
    if (isNew) this.#warn(message);
    throw this.#wentBack;
  }

  #followSoon(): void {
    if (this.#wentBack !== undefined) return;
    this.#followTimer ??= setTimeout(() => {
      this.#followTimer = undefined;
      // Tried again at the next commit; whoever ends something hears of a failure.
      this.catchUp().catch(() => undefined);
    }, followAfterMs).unref();
  }

  #write(): Promise<void> {
    this.#next = undefined;
    const flush = this.#isFlushAsked;
    this.#isFlushAsked = false;
    this.#running = this.#writeAll(flush).catch((error: unknown) => {
      // Whoever asked has been refused; the next one must not believe that it is written.
      this.#isFlushAsked ||= flush;
      if (error instanceof StoreUnavailable) throw error;
      throw new StoreUnavailable(`the journal of endings ${this.#journal.path} cannot be written`, { cause: error });
    });
    return this.#running;
  }

  async #writeAll(flush: boolean): Promise<void> {
    const told = this.#told.splice(0);
    const others = this.#isFormer ? undefined : await this.#journal.news();
    const written = (await this.#writeTold(told, others)) ?? (await this.#writeFromLog(others));
    // Another process wrote it down and may not have flushed it yet.
    if (flush && written === 0) await this.#journal.flush();
  }

  /** Keeps what a commit said of its events for the next writing. `known`: the furthest this process had seen when the commit began. */
  #take(known: StorePosition | undefined, { epoch, events }: Appended): void {
    const [first, last] = [events[0], events.at(-1)];
    if (first === undefined || last === undefined) return;
    // The log stood right before them, or further than that.
    this.#compare(known, { epoch, position: first.position - 1 });
    this.#compare(undefined, { epoch, position: last.position });
    if (this.#told.length >= mostTold) this.#told.length = 0;
    for (const event of events) this.#told.push({ epoch, event });
    this.#recent.add({ epoch, events });
  }

  /**
   * Writes what commits of this process told, if that is all there is after the journal's end: then the log need not be read. Returns how many entries that made; undefined, and
   * nothing is written, if there may be others.
   */
  async #writeTold(
    told: readonly { epoch: number; event: EventRecord }[],
    others: JournalMark | undefined,
  ): Promise<number | undefined> {
    const epoch = told[0]?.epoch;
    if (epoch === undefined || this.#isFormer || told.some((one) => one.epoch !== epoch)) return undefined;
    const reached = this.#reachedIn(epoch, others);
    const events = told.map(({ event }) => event).filter(({ position }) => position > reached);
    events.sort((a, b) => a.position - b.position);
    if (events.some(({ position }, index) => position !== reached + 1 + index)) return undefined;
    return this.#append(events, { epoch, position: events.at(-1)?.position ?? reached });
  }

  /** Writes what the log holds after the journal's end. Returns how many entries that made. */
  async #writeFromLog(others: JournalMark | undefined): Promise<number> {
    const head = await this.position();
    if (this.#isFormer) return 0;
    let reached = this.#reachedIn(head.epoch, others);
    let written = 0;
    for (;;) {
      const events =
        reached >= head.position
          ? []
          : await this.#store.readEvents({ afterPosition: reached, types: [...journaledTypes], limit: slice });
      const isLast = events.length < slice;
      reached = Math.max(reached, events.at(-1)?.position ?? 0, isLast ? head.position : 0);
      written += await this.#append(events, { epoch: head.epoch, position: reached });
      if (isLast) return written;
    }
  }

  /** Appends the entries of events, with which the journal reaches that far. Returns how many they are. */
  async #append(events: readonly EventRecord[], mark: JournalMark): Promise<number> {
    const entries = await entriesOfEvents(this.#store, events);
    if (entries.length > 0 || this.#isMarkDue(mark)) {
      await this.#journal.append(entries, mark, entries.length > 0);
      this.#markedMs = performance.now();
      this.#written = mark;
    }
    this.#mark = mark;
    return entries.length;
  }

  /** How far the journal reaches in that epoch. */
  #reachedIn(epoch: number, others: JournalMark | undefined): number {
    const own = this.#mark?.epoch === epoch ? this.#mark.position : 0;
    return others?.epoch === epoch ? Math.max(own, others.position) : own;
  }

  #isMarkDue({ epoch, position }: JournalMark): boolean {
    if (this.#written?.epoch === epoch && this.#written.position >= position) return false;
    return this.#markedMs === 0 || performance.now() - this.#markedMs > markEveryMs;
  }
}

function hasEnded(changes: readonly Change[], events: readonly NewEvent[], { ended }: Committed): boolean {
  if (events.some(isJournaled)) return true;
  if (ended.sids.length + ended.grantIds.length === 0) return false;
  // What lapses by itself needs no journal; anything else that ends sessions or grants does.
  return changes.some(
    (change) =>
      (change.change === 'end-sessions' || change.change === 'end-grants') &&
      isJournaled({ type: 'session.ended', data: { reason: change.ending.reason } }),
  );
}
