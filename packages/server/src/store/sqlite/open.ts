import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Seconds } from '@tessera/protocol';
import { appendedAt, grantsEndedAt } from '../ending-events.ts';
import { HandedOnReadings } from '../readings.ts';
import type { Change, CommitResult, Ending, NewEvent, Store, SweepResult } from '../store.ts';
import { StoreUnavailable } from '../store.ts';
import type { CheckpointerOptions } from './checkpointer.ts';
import { openConnection } from './connection.ts';
import { GroupCommit, type WrittenBatch } from './group-commit.ts';
import { Reader } from './reader.ts';
import type { SweepBounds } from './sweep.ts';
import { threadUrl } from './thread.ts';

/** Where the store is and what it may take. */
export type SqliteStoreOptions = {
  /** The database file, made if it is not there; or `:memory:`: a private file, not flushed, gone when the store closes. For tests and trials. */
  file: string;
  /** The most that page caches take, of the reading and the writing connection together. Default 24 MiB. */
  cacheBytes?: number;
  /** How large the write-ahead log grows before it is copied into the file; it stays below about four times that. Default 4 MiB. */
  checkpointBytes?: number;
  /** How long a batch waits for another process's lock before its callers get `StoreUnavailable`. Default 5000. */
  busyTimeoutMs?: number;
  /** The most the database file may grow to; then writes get `StoreUnavailable` until a sweep has made room. Default: what the disk holds. */
  maxBytes?: number;
};

/**
 * Opens the store in an SQLite file. Any number of processes may have it open: they take turns at writing and hear of each other's commits
 * within 50 ms. Throws `StoreNotUsable` for a file of a newer version or another program, `StoreUnavailable` if it cannot be opened.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const isPrivate = options.file === ':memory:';
  const folder = isPrivate ? makePrivateFolder() : undefined;
  const file = folder === undefined ? options.file : join(folder, 'store.db');
  const store = new SqliteStore({ ...options, file }, folder);
  try {
    await store.open();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

// How often a store looks whether another process has committed.
const watchEveryMs = 50;
const checkpointEveryMs = 100;
// A commit changes about this much of the log, beside what its own values take: some pages, each written whole.
const logBytesOfTask = 12_288;
const checkpointerRestartsAfterMs = 5000;
// A sweep removes this many rows at a time, so that commits get between.
const sweepSlice = 500;

class SqliteStore extends HandedOnReadings implements Store {
  readonly #options: SqliteStoreOptions;
  readonly #privateFolder: string | undefined;
  readonly #writer: GroupCommit;
  readonly #listeners = new Set<() => void>();
  #reader: Reader | undefined;
  #checkpointer: Worker | undefined;
  #checkpointerRestarts: NodeJS.Timeout | undefined;
  /** About how much the log has grown since there was a checkpointer. */
  #logBytes = 0;
  #watch: NodeJS.Timeout | undefined;
  #seen = 0;
  #closing: Promise<void> | undefined;

  constructor(options: SqliteStoreOptions, privateFolder: string | undefined) {
    super();
    this.#options = options;
    this.#privateFolder = privateFolder;
    this.#writer = new GroupCommit(
      {
        file: options.file,
        cacheBytes: this.#cacheBytes(),
        busyTimeoutMs: this.#busyTimeoutMs(),
        synchronous: privateFolder === undefined ? 'FULL' : 'OFF',
        maxBytes: options.maxBytes,
        checkpoints: privateFolder !== undefined,
      },
      (batch) => {
        this.#countLog(batch);
        if (batch.isTold) this.#notify();
      },
    );
  }

  async open(): Promise<void> {
    this.#writer.open();
    this.#reader = new Reader(
      openConnection({
        file: this.#options.file,
        readOnly: true,
        busyTimeoutMs: this.#busyTimeoutMs(),
        cacheBytes: this.#cacheBytes(),
        synchronous: 'FULL',
      }),
    );
    this.#seen = this.#dataVersion();
  }

  async findLapsed(now: Seconds, limit: number) {
    return this.readings().findLapsed(now, limit, async (task) => {
      const outcome = await this.#writer.submit(task);
      if (outcome !== 0 && ('looked' in outcome || 'isFilled' in outcome)) return outcome;
      throw new TypeError('the writer answered a look with a commit');
    });
  }

  onEvents(listener: () => void): () => void {
    // Wrapped, so that the same function registered twice is called twice and removed once.
    const entry = () => listener();
    this.#listeners.add(entry);
    this.#watch ??= setInterval(() => this.#lookForOthers(), watchEveryMs).unref();
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size === 0) this.#stopWatching();
    };
  }

  async commit(changes: readonly Change[], events: readonly NewEvent[] = []): Promise<CommitResult> {
    const outcome = await this.#writer.submit({ changes, events });
    if (outcome === 0) return { outcome: 'committed', ended: { sids: [], grantIds: [] } };
    if ('conflict' in outcome) return { outcome: 'conflict', change: outcome.conflict };
    if ('endedGrants' in outcome)
      return { outcome: 'committed', ...grantsEndedAt(outcome.endedGrants, endingOf(changes), outcome.at) };
    if ('ended' in outcome) return { outcome: 'committed', ...outcome };
    if ('at' in outcome)
      return { outcome: 'committed', ended: { sids: [], grantIds: [] }, appended: appendedAt(events, outcome.at) };
    throw new TypeError('the writer answered a commit with a sweep or a look');
  }

  async sweep(bounds: SweepBounds): Promise<SweepResult> {
    const total: SweepResult = { sessions: 0, grants: 0, remembered: 0, buckets: 0, events: 0 };
    for (let left = bounds.limit; left > 0; left -= sweepSlice) {
      const outcome = await this.#writer.submit({ sweep: { ...bounds, limit: Math.min(left, sweepSlice) } });
      if (outcome === 0 || !('swept' in outcome)) throw new TypeError('the writer answered a sweep with a commit');
      for (const kind of kindsOf(total)) total[kind] += outcome.swept[kind];
      if (kindsOf(total).every((kind) => outcome.swept[kind] === 0)) break;
    }
    return total;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    this.#stopWatching();
    await this.#writer.drain();
    await this.#stopCheckpointer();
    this.#reader?.close();
    this.#reader = undefined;
    // The writer goes last: the last connection to close leaves everything in the database file.
    await this.#writer.close();
    if (this.#privateFolder !== undefined) removePrivateFolder(this.#privateFolder);
  }

  protected override readings(): Reader {
    if (this.#reader === undefined || this.#closing !== undefined) throw new StoreUnavailable('the store is closed');
    return this.#reader;
  }

  #notify(): void {
    // Noted first: what another process commits from now on is seen at the next look.
    if (this.#listeners.size > 0) this.#seen = this.#dataVersion();
    for (const listener of [...this.#listeners]) listener();
  }

  #lookForOthers(): void {
    if (this.#dataVersion() !== this.#seen) this.#notify();
  }

  #dataVersion(): number {
    try {
      return this.readings().dataVersion();
    } catch (error) {
      // A store that is away for a moment has nothing to tell; anything else is a bug.
      if (error instanceof StoreUnavailable) return this.#seen;
      throw error;
    }
  }

  #stopWatching(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  /** Commands that write little, and servers at rest, need no thread for checkpoints: a small log does no harm. */
  #countLog({ tasks, chars }: WrittenBatch): void {
    if (this.#checkpointer !== undefined || this.#privateFolder !== undefined) return;
    this.#logBytes += tasks * logBytesOfTask + chars;
    if (this.#logBytes >= this.#checkpointBytes() && this.#checkpointerRestarts === undefined)
      this.#startCheckpointer();
  }

  #startCheckpointer(): void {
    if (this.#closing !== undefined) return;
    const options: CheckpointerOptions = {
      file: this.#options.file,
      checkpointBytes: this.#checkpointBytes(),
      everyMs: checkpointEveryMs,
    };
    const checkpointer = new Worker(threadUrl('checkpointer'), {
      workerData: options,
      name: 'tessera-store-checkpointer',
    });
    checkpointer.unref();
    // Without it the log only grows until the store closes: begin again, after a while.
    checkpointer.on('error', () => {
      this.#checkpointerRestarts = setTimeout(() => {
        this.#checkpointerRestarts = undefined;
        this.#startCheckpointer();
      }, checkpointerRestartsAfterMs).unref();
    });
    checkpointer.on('exit', () => {
      if (this.#checkpointer === checkpointer) this.#checkpointer = undefined;
    });
    this.#checkpointer = checkpointer;
    this.#logBytes = 0;
  }

  async #stopCheckpointer(): Promise<void> {
    clearTimeout(this.#checkpointerRestarts);
    const checkpointer = this.#checkpointer;
    if (checkpointer === undefined) return;
    this.#checkpointer = undefined;
    const exited = new Promise((resolve) => checkpointer.once('exit', resolve));
    checkpointer.ref();
    checkpointer.postMessage('close');
    await exited;
  }

  #checkpointBytes(): number {
    return this.#options.checkpointBytes ?? 4 << 20;
  }

  #cacheBytes(): number {
    return (this.#options.cacheBytes ?? 24 << 20) / 2;
  }

  #busyTimeoutMs(): number {
    return this.#options.busyTimeoutMs ?? 5000;
  }
}

function endingOf([change]: readonly Change[]): Ending {
  if (change?.change !== 'end-grants')
    throw new TypeError('the writer ended grants for a commit that asked for something else');
  return change.ending;
}

function kindsOf(result: SweepResult): (keyof SweepResult)[] {
  return Object.keys(result) as (keyof SweepResult)[];
}

const privateFolders = new Set<string>();

function makePrivateFolder(): string {
  // One listener for all stores: what a process forgets to close does not stay behind.
  if (privateFolders.size === 0) process.on('exit', removeAllPrivateFolders);
  const folder = mkdtempSync(join(tmpdir(), 'tessera-store-'));
  privateFolders.add(folder);
  return folder;
}

function removePrivateFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  privateFolders.delete(folder);
  if (privateFolders.size === 0) process.removeListener('exit', removeAllPrivateFolders);
}

function removeAllPrivateFolders(): void {
  for (const folder of privateFolders) rmSync(folder, { recursive: true, force: true });
}
