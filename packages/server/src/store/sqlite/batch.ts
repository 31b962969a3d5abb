import type { DatabaseSync } from 'node:sqlite';
import type { EndedGrant } from '../ending-events.ts';
import type { Appended, Change, EventRecord, NewEvent, StorePosition } from '../store.ts';
import { type Effects, prepareChanges } from './changes.ts';
import { prepareEventLog } from './event-log.ts';
import { isBusy, isEngineFailure } from './failure.ts';
import { type DueReply, type DueTask, prepareDue } from './lapsed.ts';
import { prepareSweep, type SweepBounds } from './sweep.ts';
import { prepareWriteLock } from './write-lock.ts';

type Commit = { changes: readonly Change[]; events: readonly NewEvent[] };

/** One piece of work for the writer; travels as JSON. */
export type Task = Commit | { sweep: SweepBounds } | DueTask;

/**
 * What became of a task: 0 (committed, and no event tells of it), from where on the log has its events, what it ended (of one that did nothing but end grants no more than the caller lacks, and where the log begins to tell of them), the index of the change that conflicted, what a sweep removed, a look found;
 * `unavailable` when the engine failed (`isLocked`: because another process holds the lock), `refused` when the task itself cannot be written (a bug of the caller).
 */
export type Reply =
  | 0
  | { at: StorePosition }
  | { ended: { sids: string[]; grantIds: string[] }; appended: Appended }
  | { endedGrants: EndedGrant[]; at: StorePosition }
  | { conflict: number }
  | { swept: ReturnType<ReturnType<typeof prepareSweep>> }
  | DueReply
  | { unavailable: string; isLocked?: boolean }
  | { refused: string };

// These are one statement, or undo themselves: alone in a commit they need no savepoint.
const undoThemselves = new Set<Change['change']>([
  'rotate-grant',
  'touch-grant',
  'count-replay',
  'remember',
  'touch-session',
]);

// These look before they write, are one statement, or have no conflicts: what conflicts has left nothing.
const conflictUnwritten = new Set<Change['change']>([
  ...undoThemselves,
  'create-session',
  'renew-session',
  'create-grant',
  'end-grants',
  'end-sessions',
]);

/** A task without a savepoint failed when part of it was written: the batch is undone, and run again with savepoints. */
class HalfWritten extends Error {}

/**
 * Prepares a connection for batches. The returned function runs a batch in one transaction and answers once it is durable. A conflict or a value that cannot be
 * written undoes only the task it belongs to: tasks that may conflict when they have written have a savepoint. It costs a copy of each page that its task changes, so the others have
 * none; should one of them fail half-way, the batch begins anew with a savepoint for each. When the engine fails so that the
 * transaction is lost, each task has another try in a transaction of its own.
 */
export function prepareBatches(db: DatabaseSync, busyTimeoutMs: number): (tasks: readonly string[]) => Reply[] {
  const begin = prepareWriteLock(db, busyTimeoutMs);
  const commit = db.prepare('COMMIT');
  const savepoint = db.prepare('SAVEPOINT task');
  const release = db.prepare('RELEASE task');
  const undo = db.prepare('ROLLBACK TO task');
  const apply = prepareChanges(db);
  const sweep = prepareSweep(db);
  const lookForDue = prepareDue(db);
  const log = prepareEventLog(db);

  function write(task: Task): Reply {
    if ('sweep' in task) return { swept: sweep(task.sweep) };
    if (!('changes' in task)) return lookForDue(task);
    const effects: Effects = { events: [], sids: [], grantIds: [], grants: [] };
    for (const [index, change] of task.changes.entries()) {
      if (!apply(change, effects)) return { conflict: index };
    }
    const at = { epoch: log.epoch(), position: log.mark() + 1 };
    if (effects.grants.length > 0 && onlyEndsGrants(task)) {
      for (const event of effects.events) log.append(event);
      return { endedGrants: effects.grants, at };
    }
    // The caller's events tell the cause, the others what followed from it.
    const causes = task.events.map((event) => log.append(event));
    if (effects.sids.length === 0 && effects.grantIds.length === 0 && effects.events.length === 0)
      return causes.length === 0 ? 0 : { at };
    const events: EventRecord[] = task.events.map((event, index) => ({ ...event, position: causes[index]! }));
    for (const event of effects.events) events.push({ ...event, position: log.append(event) });
    return {
      ended: { sids: effects.sids, grantIds: effects.grantIds },
      appended: { epoch: log.epoch(), events },
    };
  }

  function writeAlone(json: string, isCareful: boolean): Reply {
    const task = JSON.parse(json) as Task;
    if (undoesItself(task)) return write(task);
    if (!isCareful && isUnwrittenByConflict(task)) return writeUnsaved(task);
    const mark = log.mark();
    savepoint.run();
    try {
      const reply = write(task);
      if (typeof reply === 'object' && 'conflict' in reply) {
        undo.run();
      }
      release.run();
      return reply;
    } catch (error) {
      if (db.isTransaction) {
        undo.run();
        release.run();
      }
      log.rewind(mark);
      throw error;
    }
  }

  function writeUnsaved(task: Task): Reply {
    try {
      return write(task);
    } catch (cause) {
      throw new HalfWritten('a task failed half-way', { cause });
    }
  }

  function replyTo(json: string, isCareful: boolean): Reply {
    try {
      return writeAlone(json, isCareful);
    } catch (error) {
      // Some failures end the transaction, and the tasks before this one with it.
      if (error instanceof HalfWritten || !db.isTransaction || !(error instanceof Error)) throw error;
      return isEngineFailure(error) ? { unavailable: error.message } : { refused: error.message };
    }
  }

  function runTogether(tasks: readonly string[], isCareful = false): Reply[] {
    try {
      begin();
      log.begin();
      const replies = tasks.map((task) => replyTo(task, isCareful));
      log.end();
      commit.run();
      return replies;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      if (error instanceof HalfWritten) return runTogether(tasks, true);
      if (tasks.length > 1 && !isBusy(error)) return runOneByOne(tasks);
      const message = error instanceof Error ? error.message : String(error);
      return tasks.map(() => ({ unavailable: message, isLocked: isBusy(error) }));
    }
  }

  // The one that asked for more room than there is must not take the others with it.
  function runOneByOne(tasks: readonly string[]): Reply[] {
    return tasks.flatMap((task) => runTogether([task]));
  }

  return runTogether;
}

function onlyEndsGrants({ changes, events }: Commit): boolean {
  return changes.length === 1 && events.length === 0 && changes[0]!.change === 'end-grants';
}

function undoesItself(task: Task): boolean {
  if (!('changes' in task) || task.changes.length !== 1 || task.events.length !== 0) return false;
  return undoThemselves.has(task.changes[0]!.change);
}

/** Whether a conflict leaves nothing of it: only the last change writes, and that one looks first. */
function isUnwrittenByConflict(task: Task): boolean {
  if (!('changes' in task)) return false;
  const last = task.changes.at(-1);
  if (last !== undefined && !conflictUnwritten.has(last.change)) return false;
  return task.changes.every((change) => change === last || change.change === 'check');
}
