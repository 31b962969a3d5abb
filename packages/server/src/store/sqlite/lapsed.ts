import type { DatabaseSync } from 'node:sqlite';
import type { Seconds } from '@tessera/protocol';
import {
  type DueKind,
  fillSlice,
  fillSome,
  findDue,
  type GrantLimits,
  judgeGrant,
  judgeSession,
  type LookBounds,
  type Looked,
  type SessionLimits,
} from '../due.ts';
import { type Key, packKey, unpackKey } from './key.ts';
import type { Statements } from './statements.ts';

type Entry = { id: Key; due_at: number };

/** What the writer is asked: to look at entries that came due, or to make a slice of those that a file of an older version lacks. */
export type DueTask = { look: LookBounds } | { fill: true };

/** What it answers. `isFilled`: that none are lacking. */
export type DueReply = { looked: Looked } | { isFilled: boolean };

const anyDue = `
  SELECT EXISTS (SELECT 1 FROM sessions_due WHERE due_at <= ?1) AS sessions, EXISTS (SELECT 1 FROM grants_due WHERE due_at <= ?1) AS grants`;

/** Finds what has lapsed by the moments at which it may, see `../due.ts`. The entries are looked at by the writer, whom nobody crosses. */
export class LapsedScan {
  readonly #statements: Statements;
  #isFilled = false;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** The ids of what has lapsed; `ask` hands a task to the writer. */
  async find(
    now: Seconds,
    limit: number,
    ask: (task: DueTask) => Promise<DueReply>,
  ): Promise<{ sids: string[]; grantIds: string[] }> {
    this.#isFilled ||= await fillSome(async () => this.#hasNoneToFill() || isFilled(await ask({ fill: true })));
    // Most looks find nothing due, and ask nobody.
    const due = this.#statements.one<Record<DueKind, number>>(anyDue, now)!;
    const look = async (bounds: LookBounds) => looked(await ask({ look: bounds }));
    return {
      sids: due.sessions === 1 ? await findDue('sessions', now, limit, look) : [],
      grantIds: due.grants === 1 ? await findDue('grants', now, limit, look) : [],
    };
  }

  #hasNoneToFill(): boolean {
    return this.#statements.one('SELECT 1 FROM due_backfill') === undefined;
  }
}

function looked(reply: DueReply): Looked {
  return 'looked' in reply ? reply.looked : { lapsed: [] };
}

function isFilled(reply: DueReply): boolean {
  return 'isFilled' in reply && reply.isFilled;
}

/** Prepares the writer's side. One process writes at a time, so what is read of a row is so until the entry is written. */
export function prepareDue(db: DatabaseSync): (task: DueTask) => DueReply {
  const tables = {
    sessions: {
      ...prepareEntries(db, 'sessions_due', 'sid', 'sessions', 'min(sso_until, ends_at)'),
      limits: db.prepare(`
        SELECT ended_at, ends_at, sso_until, CASE WHEN sso_until <= ?2 THEN (
          SELECT max(min(t.ends_at, coalesce(t.idle_at, t.ends_at))) FROM grants g CROSS JOIN grant_state t ON t.grant_id = g.grant_id
          WHERE g.sid = sessions.sid AND t.ended_at IS NULL
        ) END AS carried_until
        FROM sessions WHERE sid = ?1`),
      judge: (row: unknown, now: Seconds) => judgeSession(row as SessionLimits, now),
    },
    grants: {
      ...prepareEntries(db, 'grants_due', 'grant_id', 'grant_state', 'min(ends_at, coalesce(idle_at, ends_at))'),
      limits: db.prepare('SELECT ended_at, ends_at, idle_at FROM grant_state WHERE grant_id = ?1 AND ?2 IS NOT NULL'),
      judge: (row: unknown, now: Seconds) => judgeGrant(row as GrantLimits, now),
    },
  };
  const nextFill = db.prepare('SELECT kind, after_id FROM due_backfill ORDER BY kind LIMIT 1');
  const fillOn = db.prepare('UPDATE due_backfill SET after_id = ? WHERE kind = ?');
  const fillEnds = db.prepare('DELETE FROM due_backfill WHERE kind = ?');

  function look({ kind, now, after, most }: LookBounds): Looked {
    const table = tables[kind];
    const entries = table.due.all(after.dueAt, packKey(after.id), now, most) as Entry[];
    const lapsed: string[] = [];
    for (const { id } of entries) {
      const verdict = table.judge(table.limits.get(id, now), now);
      if (verdict === 'lapsed') lapsed.push(unpackKey(id));
      else if (verdict === 'gone') table.drop.run(id);
      else table.move.run(verdict, id);
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < most) return { lapsed };
    return { lapsed, last: { dueAt: last.due_at, id: unpackKey(last.id) } };
  }

  function fill(): boolean {
    const next = nextFill.get() as { kind: DueKind; after_id: Key } | undefined;
    if (next === undefined) return true;
    const table = tables[next.kind];
    const last = table.lastOfSlice.get(next.after_id) as { id: Key | null };
    if (last.id === null) fillEnds.run(next.kind);
    else {
      table.fill.run(next.after_id, last.id);
      fillOn.run(last.id, next.kind);
    }
    return false;
  }

  return (task) => ('look' in task ? { looked: look(task.look) } : { isFilled: fill() });
}

function prepareEntries(db: DatabaseSync, entries: string, id: string, rows: string, dueAt: string) {
  return {
    due: db.prepare(`
      SELECT ${id} AS id, due_at FROM ${entries} WHERE (due_at, ${id}) > (?, ?) AND due_at <= ? ORDER BY due_at, ${id} LIMIT ?`),
    move: db.prepare(`UPDATE ${entries} SET due_at = ? WHERE ${id} = ?`),
    drop: db.prepare(`DELETE FROM ${entries} WHERE ${id} = ?`),
    lastOfSlice: db.prepare(`
      SELECT max(id) AS id FROM (SELECT ${id} AS id FROM ${rows} WHERE ${id} > ? ORDER BY ${id} LIMIT ${fillSlice})`),
    fill: db.prepare(`
      INSERT INTO ${entries} (${id}, due_at) SELECT ${id}, ${dueAt} FROM ${rows} WHERE ${id} > ? AND ${id} <= ? AND ended_at IS NULL ON CONFLICT DO NOTHING`),
  };
}
