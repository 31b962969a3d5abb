import { StoreUnavailable } from '../store.ts';
import type { Reply, Task } from './batch.ts';
import { WriterInPlace } from './writer-in-place.ts';
import { WriterThread } from './writer-thread.ts';
import type { WriterOptions } from './writing-connection.ts';

/** What becomes of a task that was written, or found in conflict. */
export type Outcome = Exclude<Reply, { unavailable: string } | { refused: string }>;

/** A batch that wrote something: how many tasks and characters said what to write, and whether the log of events tells of it. */
export type WrittenBatch = { tasks: number; chars: number; isTold: boolean };

type Waiting = { json: string; resolve(outcome: Outcome): void; reject(error: Error): void };

// A batch ends at either: its length bounds how long a caller waits for those in front, its size what one message copies.
const batchTasks = 512;
const batchChars = 1 << 20;
// Beyond this the node is full: callers are told at once rather than after they have given up.
const mostWaiting = 20_000;

// The thread ends after a while in which it had hardly anything to do: so many batches or fewer.
const restEveryMs = 60_000;
const batchesOfRest = 60;

/**
 * Where commits wait. One batch is in flight at a time; what comes meanwhile waits and goes, together, into the next one. A
 * batch is formed after the events of this turn of the loop, so that callers who were answered together come back together. While there is little to write it is written
 * in place; a thread of its own starts when there is more, and ends when there is little again.
 */
export class GroupCommit {
  readonly #options: WriterOptions;
  readonly #committed: (batch: WrittenBatch) => void;
  #here: WriterInPlace | undefined;
  #thread: WriterThread | undefined;
  #starting: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #rest: NodeJS.Timeout | undefined;
  #batches = 0;
  #waiting: Waiting[] = [];
  #inFlight: Waiting[] = [];
  #scheduled = false;
  #closed = false;
  #drained: (() => void) | undefined;

  /** `committed` is called after each batch that wrote something. */
  constructor(options: WriterOptions, committed: (batch: WrittenBatch) => void) {
    this.#options = options;
    this.#committed = committed;
  }

  /** Opens the file and brings it to this version's schema. Throws `StoreNotUsable` or `StoreUnavailable`. */
  open(): void {
    this.#here = new WriterInPlace(this.#options);
  }

  /** Writes a task with the next batch. Resolves once it is durable; rejects with `StoreUnavailable`, or `TypeError` if it cannot be written at all. */
  submit(task: Task): Promise<Outcome> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('the store is closed'));
    if (this.#waiting.length >= mostWaiting)
      return Promise.reject(new StoreUnavailable('too many commits are waiting'));
    return new Promise((resolve, reject) => {
      // Here and not with the batch: what cannot be put into words fails alone.
      this.#waiting.push({ json: JSON.stringify(task), resolve, reject });
      this.#schedule();
    });
  }

  /** Takes no more tasks and waits for those that were taken. */
  async drain(): Promise<void> {
    this.#closed = true;
    if (this.#waiting.length === 0 && this.#inFlight.length === 0) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  /** Ends the thread and closes the file; call after `drain`. */
  async close(): Promise<void> {
    await this.#starting;
    this.#endThread();
    await this.#ending;
    this.#here?.close();
    this.#here = undefined;
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0 || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    const batch = this.#waiting.splice(0, countOfBatch(this.#waiting));
    const tasks = batch.map((waiting) => waiting.json);
    this.#inFlight = batch;
    if (this.#thread !== undefined) this.#thread.send(tasks);
    else this.#writeInPlace(tasks);
  }

  #writeInPlace(tasks: readonly string[]): void {
    const replies = this.#here?.write(tasks);
    // What was too much, or stood before another process's lock, waits for the thread.
    if (replies === undefined || (this.#here?.isBusy && !this.#closed)) this.#startThread();
    if (replies !== undefined) this.#answer(replies);
  }

  #answer(replies: Reply[]): void {
    const batch = this.#inFlight;
    this.#inFlight = [];
    this.#batches += 1;
    let isWritten = false;
    let isTold = false;
    for (const [index, waiting] of batch.entries()) {
      const reply = replies[index]!;
      isWritten = settle(waiting, reply) || isWritten;
      isTold ||= reply !== 0 && ('at' in reply || 'appended' in reply);
    }
    this.#schedule();
    this.#reportDrained();
    if (isWritten)
      this.#committed({ tasks: batch.length, chars: batch.reduce((sum, { json }) => sum + json.length, 0), isTold });
  }

  #startThread(): void {
    this.#starting ??= this.#start().then(
      () => {
        this.#starting = undefined;
      },
      (error: Error) => {
        this.#starting = undefined;
        // Otherwise all goes on in place.
        if (this.#inFlight.length > 0) this.#fail(error);
      },
    );
  }

  async #start(): Promise<void> {
    const thread: WriterThread = await WriterThread.start(this.#options, {
      answered: (replies) => this.#answer(replies),
      lost: (cause) => this.#lost(thread, cause),
    });
    this.#thread = thread;
    this.#batches = 0;
    this.#rest = setInterval(() => this.#restIfQuiet(), restEveryMs).unref();
    // What was too much to be written in place.
    if (this.#inFlight.length > 0) thread.send(this.#inFlight.map((waiting) => waiting.json));
  }

  #restIfQuiet(): void {
    if (this.#batches <= batchesOfRest && this.#inFlight.length === 0) this.#endThread();
    this.#batches = 0;
  }

  #endThread(): void {
    const thread = this.#thread;
    if (thread === undefined) return;
    clearInterval(this.#rest);
    this.#thread = undefined;
    this.#ending = thread.close();
  }

  // What was in flight may have been written or not: to the caller both is "unavailable", and reading again tells which.
  #lost(thread: WriterThread, cause?: Error): void {
    if (this.#thread !== thread) return;
    clearInterval(this.#rest);
    this.#thread = undefined;
    this.#fail(new StoreUnavailable('the writer thread stopped', { cause }));
  }

  #fail(error: Error): void {
    const lost = [...this.#inFlight, ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    for (const waiting of lost) waiting.reject(error);
    this.#reportDrained();
  }

  #reportDrained(): void {
    if (this.#waiting.length === 0 && this.#inFlight.length === 0) this.#drained?.();
  }
}

function countOfBatch(waiting: readonly Waiting[]): number {
  let chars = 0;
  const end = Math.min(waiting.length, batchTasks);
  for (let index = 0; index < end; index += 1) {
    chars += waiting[index]!.json.length;
    if (chars > batchChars) return Math.max(1, index);
  }
  return end;
}

/** Answers one caller; tells whether its task was written. */
function settle(waiting: Waiting, reply: Reply): boolean {
  if (reply !== 0 && 'unavailable' in reply) {
    waiting.reject(new StoreUnavailable(`SQLite: ${reply.unavailable}`));
    return false;
  }
  if (reply !== 0 && 'refused' in reply) {
    waiting.reject(new TypeError(`changes or events that cannot be stored: ${reply.refused}`));
    return false;
  }
  waiting.resolve(reply);
  return reply === 0 || 'at' in reply || 'appended' in reply || 'swept' in reply;
}
