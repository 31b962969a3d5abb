import { StoreUnavailable } from '../store.ts';
import { WaitingLine } from '../waiting-line.ts';
import { isSharedTask, type Reply, type SharedTask, type Task, writeAlone, writeTogether } from './batch.ts';
import type { Pool } from './connection.ts';
import { createInOneStatement, onlyCreations } from './creations.ts';
import { endInOneStatement, onlyEndings, takeApart } from './endings-together.ts';
import { asStoreFailure, isLost, isRetried, isTooSlow } from './failure.ts';
import { onlyRotations, rotateInOneStatement } from './rotations.ts';

type Waiting<T extends Task = Task> = { task: T; resolve(reply: Reply): void; reject(error: Error): void };

// A batch ends at either: commits bound how long one waits for those in front, changes and events how much one statement carries.
const batchTasks = 256;
const batchWeight = 2000;
// How many commits of their own are under way at once.
const mostAlone = 4;
// How often a batch that another node crossed is run again.
const tries = 6;

/**
 * Writing, seen from the callers. Commits that can be decided on rows at hand (refreshes, redemptions, counters, events) go together: one batch is in flight
 * at a time, on a connection of its own; what comes meanwhile waits and goes into the next one. Commits with other changes have a transaction of
 * their own, a few side by side; the server flushes those together. Commits that wait together are written in their order if they share
 * statements; else nothing orders them, as if two nodes had asked.
 */
export class GroupCommit {
  readonly #writer: Pool;
  readonly #pool: Pool;
  readonly #committed: () => void;
  readonly #shared = new WaitingLine<Waiting<SharedTask>>('commits');
  readonly #alone = new WaitingLine<Waiting>('commits');
  #isBatchRunning = false;
  #aloneRunning = 0;
  #isClosed = false;
  #drained: (() => void) | undefined;

  /** `writer`: the connection for batches; `pool`: those for commits of their own. `committed` is called after each transaction that wrote something. */
  constructor(writer: Pool, pool: Pool, committed: () => void) {
    this.#writer = writer;
    this.#pool = pool;
    this.#committed = committed;
  }

  /** Writes a commit. Resolves once it is durable; rejects with `StoreUnavailable`, also when too many wait or its turn does not come in time, or `TypeError` if it cannot be written at all. */
  submit(task: Task): Promise<Reply> {
    if (this.#isClosed) return Promise.reject(new StoreUnavailable('the store is closed'));
    return new Promise((resolve, reject) => {
      if (isSharedTask(task)) {
        this.#shared.join({ task, resolve, reject });
        this.#scheduleBatch();
      } else {
        this.#alone.join({ task, resolve, reject });
        this.#nextAlone();
      }
    });
  }

  /** Takes no more commits and waits for those that were taken. */
  async drain(): Promise<void> {
    this.#isClosed = true;
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  #scheduleBatch(): void {
    if (this.#isBatchRunning || this.#shared.length === 0) return;
    this.#isBatchRunning = true;
    // After the events of this turn of the loop, so that callers who were answered together come back together.
    setImmediate(async () => {
      const batch = this.#shared.take(batchTasks, fitting());
      const { endings, others } = takeApart(batch);
      if (others.length > 0) await this.#writeBatch(others, 1);
      if (endings.length > 0) await this.#writeBatch(endings, 1);
      this.#isBatchRunning = false;
      this.#scheduleBatch();
      this.#reportDrained();
    });
  }

  async #writeBatch(batch: readonly Waiting<SharedTask>[], attempt: number): Promise<void> {
    let left = batch;
    try {
      if (await this.#writeEndings(batch)) return;
      left = await this.#writeInOneStatement(batch);
      if (left.length === 0) return;
      const replies = await writeTogether(
        this.#writer,
        left.map(({ task }) => task),
      );
      for (const [index, { resolve }] of left.entries()) resolve(replies[index]!);
      if (replies.some((reply) => 'ended' in reply)) this.#committed();
    } catch (error) {
      if (isRetried(error) && attempt < tries) return this.#writeBatch(left, attempt + 1);
      // Without a connection, or with a database that stalls, none of them can be written; else the one that cannot be must not take the others with it.
      if (left.length === 1 || isLost(error) || isTooSlow(error))
        for (const { reject } of left) reject(asStoreFailure(error));
      else for (const waiting of left) await this.#writeBatch([waiting], 1);
    }
  }

  /** Writes a batch of rotations alone, or of creations alone, in one statement. Returns those of which nothing was decided: of any other batch, all. */
  async #writeInOneStatement(batch: readonly Waiting<SharedTask>[]): Promise<readonly Waiting<SharedTask>[]> {
    const isWritten = await this.#writeAlike(batch.map(({ task }) => task));
    if (isWritten === undefined) return batch;
    const left = batch.filter((waiting, index) => {
      if (!isWritten(index)) return true;
      waiting.resolve({ ended: { sids: [], grantIds: [] } });
      return false;
    });
    if (left.length < batch.length) this.#committed();
    return left;
  }

  /** Writes a batch of endings alone in one statement. False, and nothing is done: it is any other batch. */
  async #writeEndings(batch: readonly Waiting<SharedTask>[]): Promise<boolean> {
    const endings = onlyEndings(batch.map(({ task }) => task));
    if (endings === undefined) return false;
    const replies = await endInOneStatement(this.#writer, endings);
    for (const [index, { resolve }] of batch.entries()) resolve(replies[index]!);
    this.#committed();
    return true;
  }

  /** Writes commits that are all alike; tells which of them were written. Undefined where they are not. */
  async #writeAlike(tasks: readonly SharedTask[]): Promise<((index: number) => boolean) | undefined> {
    const rotations = onlyRotations(tasks);
    if (rotations !== undefined) {
      const rotated = await rotateInOneStatement(this.#writer, rotations);
      return (index) => rotated.has(rotations[index]!.rotate.grantId);
    }
    const creations = onlyCreations(tasks);
    if (creations === undefined) return undefined;
    const created = await createInOneStatement(this.#writer, creations);
    return (index) => created.has(creations[index]!.grant.grantId);
  }

  #nextAlone(): void {
    if (this.#aloneRunning >= mostAlone) return;
    const [waiting] = this.#alone.take(1);
    if (waiting === undefined) return;
    this.#aloneRunning += 1;
    this.#writeAlone(waiting, 1).finally(() => {
      this.#aloneRunning -= 1;
      this.#nextAlone();
      this.#reportDrained();
    });
  }

  async #writeAlone(waiting: Waiting, attempt: number): Promise<void> {
    try {
      const reply = await writeAlone(this.#pool, waiting.task);
      waiting.resolve(reply);
      if ('ended' in reply) this.#committed();
    } catch (error) {
      if (isRetried(error) && attempt < tries) return this.#writeAlone(waiting, attempt + 1);
      waiting.reject(asStoreFailure(error));
    }
  }

  #isIdle(): boolean {
    return this.#shared.length === 0 && this.#alone.length === 0 && !this.#isBatchRunning && this.#aloneRunning === 0;
  }

  #reportDrained(): void {
    if (this.#isIdle()) this.#drained?.();
  }
}

/** Tells of one commit after the other whether it still fits into the batch; the first always does. */
function fitting(): (waiting: Waiting) => boolean {
  let weight = 0;
  return ({ task: { changes, events } }) => {
    const isFirst = weight === 0;
    weight += changes.length + events.length;
    return isFirst || weight <= batchWeight;
  };
}
