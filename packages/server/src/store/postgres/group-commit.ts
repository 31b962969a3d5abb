import { StoreUnavailable } from '../store.ts';
import { WaitingLine } from '../waiting-line.ts';
import { takeApart } from './alike.ts';
import { isSharedTask, type Reply, type SharedTask, type Task, writeAlone, writeTogether } from './batch.ts';
import type { Pool } from './connection.ts';
import { createInOneStatement } from './creations.ts';
import { endInOneStatement } from './endings-together.ts';
import { asStoreFailure, isLost, isRetried, isTooSlow } from './failure.ts';
import { rotateInOneStatement } from './rotations.ts';

type Waiting<T extends Task = Task> = { task: T; resolve(reply: Reply): void; reject(error: Error): void };

// A batch ends at either: commits bound how long one waits for those in front, changes and events how much one statement carries.
const batchTasks = 256;
const batchWeight = 2000;
// How many commits of their own are under way at once.
const mostAlone = 4;
const nothingEnded: Reply = { ended: { sids: [], grantIds: [] } };
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
  readonly #told: () => void;
  readonly #shared = new WaitingLine<Waiting<SharedTask>>('commits');
  readonly #alone = new WaitingLine<Waiting>('commits');
  #isBatchRunning = false;
  #aloneRunning = 0;
  #isClosed = false;
  #drained: (() => void) | undefined;

  /** `writer`: the connection for batches; `pool`: those for commits of their own. `told` is called after each transaction of which the log of events tells. */
  constructor(writer: Pool, pool: Pool, told: () => void) {
    this.#writer = writer;
    this.#pool = pool;
    this.#told = told;
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
      if (batch.length > 0) await this.#writeBatch(batch);
      this.#isBatchRunning = false;
      this.#scheduleBatch();
      this.#reportDrained();
    });
  }

  /** Writes what is alike by one statement each, and the others, with what could not be decided so, in a transaction. */
  async #writeBatch(batch: readonly Waiting<SharedTask>[]): Promise<void> {
    const { rotations, creations, endings, others } = takeApart(batch);
    const left = [...others];
    await this.#writeAlike(rotations, left, async () => {
      const done = await rotateInOneStatement(
        this.#writer,
        rotations.map(({ rotation }) => rotation),
      );
      return rotations.map(({ rotation }) => (done.has(rotation.rotate.grantId) ? nothingEnded : undefined));
    });
    await this.#writeAlike(creations, left, async () => {
      const done = await createInOneStatement(
        this.#writer,
        creations.map(({ creation }) => creation),
      );
      return creations.map(({ creation }) => (done.has(creation.grant.grantId) ? nothingEnded : undefined));
    });
    await this.#writeAlike(endings, left, () =>
      endInOneStatement(
        this.#writer,
        endings.map(({ ending }) => ending),
      ),
    );
    if (left.length > 0) await this.#writeInTransaction(left, 1);
  }

  /** Writes commits that are alike by one statement, `write`, and answers them. Those of which nothing was decided, or all if it failed, are `left`. */
  async #writeAlike(
    alike: readonly { waiting: Waiting<SharedTask> }[],
    left: Waiting<SharedTask>[],
    write: () => Promise<readonly (Reply | undefined)[]>,
  ): Promise<void> {
    if (alike.length === 0) return;
    try {
      const replies = await write();
      let isNews = false;
      for (const [index, { waiting }] of alike.entries()) {
        const reply = replies[index];
        if (reply === undefined) left.push(waiting);
        else {
          waiting.resolve(reply);
          isNews ||= isTold(waiting.task, reply);
        }
      }
      if (isNews) this.#told();
    } catch (error) {
      if (isLost(error) || isTooSlow(error)) for (const { waiting } of alike) waiting.reject(asStoreFailure(error));
      else left.push(...alike.map(({ waiting }) => waiting));
    }
  }

  async #writeInTransaction(batch: readonly Waiting<SharedTask>[], attempt: number): Promise<void> {
    try {
      const replies = await writeTogether(
        this.#writer,
        batch.map(({ task }) => task),
      );
      for (const [index, { resolve }] of batch.entries()) resolve(replies[index]!);
      if (replies.some((reply, index) => isTold(batch[index]!.task, reply))) this.#told();
    } catch (error) {
      if (isRetried(error) && attempt < tries) return this.#writeInTransaction(batch, attempt + 1);
      // Without a connection, or with a database that stalls, none of them can be written; else the one that cannot be must not take the others with it.
      if (batch.length === 1 || isLost(error) || isTooSlow(error))
        for (const { reject } of batch) reject(asStoreFailure(error));
      else for (const waiting of batch) await this.#writeInTransaction([waiting], 1);
    }
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
      if (isTold(waiting.task, reply)) this.#told();
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

/** Whether the log of events tells of a commit. */
function isTold({ events }: Task, reply: Reply): boolean {
  if ('conflict' in reply) return false;
  return events.length + reply.ended.sids.length + reply.ended.grantIds.length > 0;
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
