import { Worker } from 'node:worker_threads';
import { StoreUnavailable } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import type { Reply, Task } from './batch.ts';
import { threadUrl } from './thread.ts';
import type { FromWriter, ToWriter, WriterOptions } from './writer.ts';

/** What becomes of a task that was written, or found in conflict. */
export type Outcome = Exclude<Reply, { unavailable: string } | { refused: string }>;

/** How much was handed to the writer: tasks, and the characters that said what to write. */
export type BatchSize = { tasks: number; chars: number };

type Waiting = { json: string; resolve(outcome: Outcome): void; reject(error: Error): void };

// A batch ends at either: its length bounds how long a caller waits for those in front, its size what one message copies.
const batchTasks = 512;
const batchChars = 1 << 20;
// Beyond this the node is full: callers are told at once rather than after they have given up.
const mostWaiting = 20_000;

/**
 * The main thread's side of writing. One batch is in flight at a time; what comes meanwhile waits and goes, together, into the next one. A
 * batch is formed after the events of this turn of the loop, so that callers who were answered together come back together.
 */
export class GroupCommit {
  readonly #options: WriterOptions;
  readonly #committed: (size: BatchSize) => void;
  #writer: Worker | undefined;
  #waiting: Waiting[] = [];
  #inFlight: Waiting[] = [];
  #scheduled = false;
  #reviving = false;
  #closed = false;
  #drained: (() => void) | undefined;

  /** `committed` is called after each batch that wrote something. */
  constructor(options: WriterOptions, committed: (size: BatchSize) => void) {
    this.#options = options;
    this.#committed = committed;
  }

  /** Starts the writer thread and waits until it has opened and migrated the file. */
  async open(): Promise<void> {
    const writer = new Worker(threadUrl('writer'), { workerData: this.#options, name: 'tessera-store-writer' });
    await new Promise<void>((resolve, reject) => {
      writer.once('error', reject);
      writer.once('message', (message: FromWriter) => {
        if ('ready' in message) return resolve();
        const text = 'failed' in message ? message.failed : 'the writer answered before it was asked';
        const described = `store ${this.#options.file}: ${text}`;
        reject(
          'usable' in message && !message.usable ? new StoreNotUsable(described) : new StoreUnavailable(described),
        );
      });
    });
    writer.removeAllListeners('error');
    writer.on('message', (message: FromWriter) => this.#answer(message));
    writer.on('error', (error) => this.#lost(writer, error));
    writer.on('exit', () => this.#lost(writer, undefined));
    writer.unref();
    this.#writer = writer;
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

  /** Stops the thread; call after `drain`. */
  async close(): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#writer = undefined;
    const exited = new Promise((resolve) => writer.once('exit', resolve));
    writer.ref();
    writer.postMessage({ close: true } satisfies ToWriter);
    await exited;
  }

  #schedule(): void {
    if (this.#scheduled || this.#reviving || this.#inFlight.length > 0 || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#writer === undefined) this.#revive();
      else this.#send(this.#writer);
    });
  }

  #send(writer: Worker): void {
    const batch = this.#waiting.splice(0, countOfBatch(this.#waiting));
    this.#inFlight = batch;
    // Only while somebody waits does the thread keep the process alive.
    writer.ref();
    writer.postMessage({ tasks: batch.map((waiting) => waiting.json) } satisfies ToWriter);
  }

  #answer(message: FromWriter): void {
    if (!('replies' in message)) return;
    const batch = this.#inFlight;
    this.#inFlight = [];
    this.#writer?.unref();
    const replies = JSON.parse(message.replies) as Reply[];
    let committed = false;
    for (const [index, waiting] of batch.entries()) {
      committed = settle(waiting, replies[index]!) || committed;
    }
    this.#schedule();
    this.#reportDrained();
    if (committed)
      this.#committed({ tasks: batch.length, chars: batch.reduce((sum, { json }) => sum + json.length, 0) });
  }

  // What was in flight may have been written or not: to the caller both is "unavailable", and reading again tells which.
  #lost(writer: Worker, cause: Error | undefined): void {
    if (this.#writer !== writer) return;
    this.#writer = undefined;
    this.#fail(new StoreUnavailable('the writer thread stopped', { cause }));
  }

  #revive(): void {
    this.#reviving = true;
    this.open()
      .finally(() => {
        this.#reviving = false;
      })
      .then(
        () => this.#schedule(),
        (error: Error) => this.#fail(error),
      );
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

/** Answers one caller; tells whether its task was committed. */
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
  // What a look writes is news to nobody.
  return reply === 0 || 'ended' in reply || 'endedGrants' in reply || 'swept' in reply;
}
