import type { DatabaseSync } from 'node:sqlite';
import { StoreUnavailable } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { prepareBatches, type Reply } from './batch.ts';
import { describeEngineFailure, isDamage } from './failure.ts';
import { openWritingConnection, type WriterOptions } from './writing-connection.ts';

/** How much of its time the calling thread writes: a hundredth, and this many milliseconds more at once. */
const share = 0.01;
const atOnceMs = 20;
/** What is larger, in tasks or characters, would hold up the calling thread for milliseconds. */
const mostTasks = 64;
const mostChars = 1 << 16;
/** The few pages it changes are in the reading connection's cache too. */
const cacheKib = 2048;

/**
 * Writes on the calling thread, while there is little to write: a thread of its own is a fifth of an idle server's memory and a fifth of its start, and a single commit takes a fraction of a millisecond.
 * It does not wait for another process's lock, and where the disk is slow the first commit says so: both are the thread's.
 */
export class WriterInPlace {
  readonly #db: DatabaseSync;
  readonly #run: (tasks: readonly string[]) => Reply[];
  #spentMs = 0;
  #countedAtMs = performance.now();

  /** Opens the file. Throws `StoreNotUsable` or `StoreUnavailable`. */
  constructor(options: WriterOptions) {
    try {
      this.#db = openWritingConnection(options);
    } catch (error) {
      const text = `store ${options.file}: ${describeEngineFailure(error)}`;
      throw error instanceof StoreNotUsable || isDamage(error)
        ? new StoreNotUsable(text)
        : new StoreUnavailable(text, { cause: error });
    }
    // Not before: bringing a large file to a new schema takes more.
    this.#db.exec(`PRAGMA cache_size = -${cacheKib}`);
    this.#run = prepareBatches(this.#db, 0);
  }

  /** Whether so much was written of late that a thread is worth what it takes. */
  get isBusy(): boolean {
    return this.#spentMs > atOnceMs;
  }

  /** Writes a batch of tasks as JSON: one reply for each, durable. Undefined, and nothing written, where that is too much, or another process holds the lock. */
  write(tasks: readonly string[]): Reply[] | undefined {
    if (tasks.length > mostTasks || tasks.reduce((sum, { length }) => sum + length, 0) > mostChars) return undefined;
    const startedMs = performance.now();
    this.#spentMs = Math.max(0, this.#spentMs - share * (startedMs - this.#countedAtMs));
    const replies = this.#run(tasks);
    this.#countedAtMs = performance.now();
    this.#spentMs += this.#countedAtMs - startedMs;
    return replies.every(isLocked) ? undefined : replies;
  }

  /** Closes the file. */
  close(): void {
    this.#db.close();
  }
}

function isLocked(reply: Reply): boolean {
  return typeof reply === 'object' && 'unavailable' in reply && reply.isLocked === true;
}
