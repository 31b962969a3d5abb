import { idOf } from '../documents.ts';
import type { Appended, Change, NewEvent } from '../store.ts';
import { type Effects, isShared, type SharedChange } from './changes.ts';
import { type Connection, inTransaction, type Pool } from './connection.ts';
import { putDocument, remove } from './document-changes.ts';
import { endGrants, endSessions } from './endings.ts';
import { appendEvents } from './event-log.ts';
import { packKey, packText } from './key.ts';
import { RowsAtHand } from './rows-at-hand.ts';
import { createSession, renewSession } from './session-changes.ts';
import { run } from './statements.ts';

/** What a commit asks for. */
export type Task = { changes: readonly Change[]; events: readonly NewEvent[] };

/** A commit whose changes can all be decided on rows at hand, so that it shares its statements with others. */
export type SharedTask = { changes: readonly SharedChange[]; events: readonly NewEvent[] };

/** What became of it: what it ended, or the index of the first change whose expectation did not hold. */
export type Reply = { ended: { sids: string[]; grantIds: string[] }; appended?: Appended } | { conflict: number };

/** Whether a commit can go together with others. */
export function isSharedTask(task: Task): task is SharedTask {
  return task.changes.every(isShared);
}

/**
 * Writes commits together, in one transaction, with one statement of each kind. They are decided in their order, each on what those before it left; one that
 * conflicts leaves nothing. Returns once all is durable.
 */
export function writeTogether(pool: Pool, tasks: readonly SharedTask[]): Promise<Reply[]> {
  return inTransaction(pool, async (connection) => {
    const rows = new RowsAtHand();
    await rows.load(
      connection,
      tasks.flatMap((task) => task.changes),
    );
    const events: NewEvent[] = [];
    const replies = tasks.map((task): Reply => {
      const effects = noEffects();
      const conflict = rows.applyAll(task.changes, effects);
      if (conflict !== undefined) return { conflict };
      // The caller's events tell the cause, the others what followed from it.
      events.push(...task.events, ...effects.events);
      return { ended: { sids: effects.sids, grantIds: effects.grantIds } };
    });
    await rows.write(connection);
    await appendEvents(connection, events);
    return replies;
  });
}

/** Writes one commit of any changes in a transaction of its own. */
export async function writeAlone(pool: Pool, task: Task): Promise<Reply> {
  try {
    return await inTransaction(pool, async (connection) => {
      const effects = noEffects();
      if (task.changes.length > 1) await lockNamed(connection, task.changes);
      await applyInOrder(connection, task.changes, effects);
      await appendEvents(connection, [...task.events, ...effects.events]);
      return { ended: { sids: effects.sids, grantIds: effects.grantIds } };
    });
  } catch (error) {
    if (error instanceof Conflict) return { conflict: error.change };
    throw error;
  }
}

function noEffects(): Effects {
  return { events: [], sids: [], grantIds: [] };
}

/** Thrown to undo a commit: the expectation of one of its changes did not hold. */
export class Conflict extends Error {
  readonly code = 'conflict';
  readonly change: number;
  constructor(change: number) {
    super(`the expectation of change ${change} did not hold`);
    this.name = 'Conflict';
    this.change = change;
  }
}

async function applyInOrder(connection: Connection, changes: readonly Change[], effects: Effects): Promise<void> {
  let index = 0;
  while (index < changes.length) {
    const run = sharedFrom(changes, index);
    if (run.length > 0) {
      const rows = new RowsAtHand();
      await rows.load(connection, run);
      const failed = rows.applyAll(run, effects);
      if (failed !== undefined) throw new Conflict(index + failed);
      await rows.write(connection);
      index += run.length;
    } else {
      if (!(await applyByStatement(connection, changes[index]!, effects))) throw new Conflict(index);
      index += 1;
    }
  }
}

/** The changes from there on that can be decided together on rows at hand. */
function sharedFrom(changes: readonly Change[], start: number): SharedChange[] {
  const run: SharedChange[] = [];
  for (let index = start; index < changes.length; index += 1) {
    const change = changes[index]!;
    if (!isShared(change)) break;
    run.push(change);
  }
  return run;
}

async function applyByStatement(connection: Connection, change: Change, effects: Effects): Promise<boolean> {
  switch (change.change) {
    case 'put':
      return putDocument(connection, change);
    case 'remove':
      return remove(connection, change);
    case 'create-session':
      return createSession(connection, change);
    case 'renew-session':
      return renewSession(connection, change);
    case 'end-sessions':
      await endSessions(connection, change, effects);
      return true;
    case 'end-grants':
      if ('grantId' in change.where) throw new TypeError('change: the ending of one grant is decided on rows at hand');
      await endGrants(connection, change.where, change.ending, effects);
      return true;
    default:
      throw new TypeError(`change: expected a kind of change that store.ts lists, got ${JSON.stringify(change)}`);
  }
}

const lockDocuments = `
  SELECT 1 FROM documents WHERE (kind, id) IN (SELECT * FROM unnest($1::text[], $2::bytea[])) ORDER BY kind, id FOR NO KEY UPDATE`;
const lockSessions = 'SELECT 1 FROM sessions WHERE sid = ANY($1::bytea[]) ORDER BY sid FOR NO KEY UPDATE';
const lockGrants = `
  SELECT 1 FROM grants g JOIN grant_state s USING (grant_id)
  WHERE g.sid = ANY($1::bytea[]) OR g.grant_id = ANY($2::bytea[]) ORDER BY s.grant_id FOR NO KEY UPDATE OF s`;

/**
 * Locks the documents, sessions and grants that the changes name, in the one order, before the changes get to them in theirs. What they only describe (a user's sessions)
 * is locked when it is found; should two commits cross there, the server breaks the deadlock and one of them is run again.
 */
async function lockNamed(connection: Connection, changes: readonly Change[]): Promise<void> {
  const documents: { kind: string; id: string }[] = [];
  const sids = new Set<string>();
  const grantIds = new Set<string>();
  for (const change of changes) {
    if (change.change === 'put') documents.push({ kind: change.kind, id: idOf(change) });
    if (change.change === 'remove' || change.change === 'check') documents.push(change);
    if (change.change === 'renew-session') sids.add(change.sid);
    if (change.change === 'create-grant') sids.add(change.grant.sid);
    if (change.change === 'rotate-grant' || change.change === 'touch-grant' || change.change === 'count-replay')
      grantIds.add(change.grantId);
    if (change.change === 'end-sessions' && 'sid' in change.where) sids.add(change.where.sid);
    if (change.change === 'end-grants' && 'grantId' in change.where) grantIds.add(change.where.grantId);
  }
  if (documents.length > 0) {
    await run(connection, lockDocuments, [documents.map(({ kind }) => kind), documents.map(({ id }) => packText(id))]);
  }
  const sessions = [...sids].map(packKey);
  if (sids.size > 0) await run(connection, lockSessions, [sessions]);
  if (sids.size + grantIds.size > 0) await run(connection, lockGrants, [sessions, [...grantIds].map(packKey)]);
}
