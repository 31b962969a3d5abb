import { EventQueue } from './event-queue.ts';
import type { Figures } from './figures.ts';
import { nextArrival, seededRandom } from './random.ts';

/** Rotations a second in all, spread evenly over so many processes. `standbyMs`: the round trip to a synchronous standby, 0 without one. */
export type CommitLoad = { perSecond: number; processes: number; standbyMs: number; seed: number };

/** Waits in milliseconds, from handing the rotation over to its durable answer. Transactions and flushes a second; `batch`: rotations a transaction. */
export type CommitResult = { batch: number; transactions: number; flushes: number; p50Ms: number; p99Ms: number };

const mostInABatch = 256;
/** Enough rotations for a p99. */
const rotations = 6000;

type Process = { waiting: number[]; isBusy: boolean };

/**
 * Plays the group commit of many processes on one Postgres: in each one batch is in flight, what comes meanwhile waits for the next; a batch is BEGIN, a statement that locks,
 * one that writes, COMMIT (plain rotations alone take one statement for all of it: not played); the database flushes for all that commit while the flush before is under way. Crude: a database with cores to spare, no lost connections.
 * Source: packages/server/src/store/postgres/group-commit.ts.
 */
export function playGroupCommit(figures: Figures, { perSecond, processes, standbyMs, seed }: CommitLoad): CommitResult {
  const random = seededRandom(seed);
  const queue = new EventQueue();
  const flush = flushTogether(queue, figures.flushMs / 1000);
  const waits: number[] = [];
  let transactions = 0;
  const nodes = Array.from({ length: processes }, (): Process => ({ waiting: [], isBusy: false }));

  const startBatch = (node: Process, now: number): void => {
    if (node.isBusy || node.waiting.length === 0) return;
    node.isBusy = true;
    const batch = node.waiting.splice(0, mostInABatch);
    const statements = (3 * figures.statementMs + batch.length * figures.statementMsAChange) / 1000;
    queue.plan(now + statements, (atCommit) =>
      flush(atCommit + figures.statementMs / 2000, (flushedAt) => {
        const answered = flushedAt + (standbyMs + figures.statementMs / 2) / 1000;
        queue.plan(answered, (at) => {
          transactions += 1;
          for (const since of batch) waits.push((at - since) * 1000);
          node.isBusy = false;
          startBatch(node, at);
        });
      }),
    );
  };
  for (const node of nodes) {
    const arrive = (now: number): void => {
      node.waiting.push(now);
      startBatch(node, now);
      queue.plan(now + nextArrival(random, perSecond / processes), arrive);
    };
    queue.plan(nextArrival(random, perSecond / processes), arrive);
  }
  const seconds = rotations / perSecond;
  queue.runUntil(seconds);
  waits.sort((a, b) => a - b);
  const at = (share: number) => waits[Math.floor(waits.length * share)] ?? Number.NaN;
  return {
    batch: waits.length / transactions,
    transactions: transactions / seconds,
    flushes: flush.count() / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

/** One flush at a time; who comes during one shares the next. */
function flushTogether(queue: EventQueue, seconds: number) {
  let waiting: ((now: number) => void)[] = [];
  let isFlushing = false;
  let count = 0;
  const begin = (now: number): void => {
    if (isFlushing || waiting.length === 0) return;
    isFlushing = true;
    count += 1;
    const flushed = waiting;
    waiting = [];
    queue.plan(now + seconds, (at) => {
      isFlushing = false;
      for (const told of flushed) told(at);
      begin(at);
    });
  };
  const flush = (at: number, told: (now: number) => void): void =>
    queue.plan(at, (now) => {
      waiting.push(told);
      begin(now);
    });
  flush.count = () => count;
  return flush;
}

/** What a rotation costs in microseconds when so many share a transaction. */
export function rotationMicros(figures: Figures, batch: number): { node: number; postgres: number } {
  return {
    node: figures.refreshNodeMicros + figures.refreshNodeMicrosABatch / batch,
    postgres: figures.refreshPostgresMicros + figures.refreshPostgresMicrosABatch / batch,
  };
}
