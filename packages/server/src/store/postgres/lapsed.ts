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
import type { GrantRecord, SessionRecord } from '../records.ts';
import { type Connection, inTransaction, type Pool } from './connection.ts';
import { asStoreFailure, isRetried } from './failure.ts';
import { packKey, unpackKey } from './key.ts';
import { grantColumns } from './lists.ts';
import { type GrantRow, type SessionRow, sessionColumns, toGrant, toSession } from './rows.ts';
import { count, run, Statements } from './statements.ts';

type Entry = { id: Buffer; due_at: number };

const anyDue = `
  SELECT EXISTS (SELECT 1 FROM sessions_due WHERE due_at <= $1) AS sessions, EXISTS (SELECT 1 FROM grants_due WHERE due_at <= $1) AS grants`;
const isFilling = 'SELECT 1 FROM due_backfill';
const selectSessions = `SELECT ${sessionColumns} FROM sessions WHERE sid = ANY($1::bytea[])`;
const selectGrants = `SELECT ${grantColumns} FROM grant_state s JOIN grants g USING (grant_id) WHERE grant_id = ANY($1::bytea[])`;

const tables = {
  sessions: {
    ...statementsOf('sessions_due', 'sid', 'sessions', 'least(sso_until, ends_at)'),
    limits: `
      SELECT sid AS id, ended_at, ends_at, sso_until, CASE WHEN sso_until <= $2 THEN (
        SELECT max(least(t.idle_at, t.ends_at)) FROM grants g JOIN grant_state t USING (grant_id) WHERE g.sid = s.sid AND t.ended_at IS NULL
      ) END AS carried_until
      FROM sessions s WHERE sid = ANY($1::bytea[])`,
    judge: (row: unknown, now: Seconds) => judgeSession(row as SessionLimits, now),
  },
  grants: {
    ...statementsOf('grants_due', 'grant_id', 'grant_state', 'least(idle_at, ends_at)'),
    // Two parameters, so that both are called alike.
    limits: `
      SELECT grant_id AS id, ended_at, ends_at, idle_at FROM grant_state
      WHERE grant_id = ANY($1::bytea[]) AND $2::bigint IS NOT NULL`,
    judge: (row: unknown, now: Seconds) => judgeGrant(row as GrantLimits, now),
  },
};

function statementsOf(entries: string, id: string, rows: string, dueAt: string) {
  return {
    // Those that another look or an ending has locked are left to the next look.
    due: `
      SELECT ${id} AS id, due_at FROM ${entries} WHERE (due_at, ${id}) > ($1, $2) AND due_at <= $3 ORDER BY due_at, ${id} LIMIT $4
      FOR UPDATE SKIP LOCKED`,
    move: `
      UPDATE ${entries} d SET due_at = a.due_at FROM unnest($1::bytea[], $2::bigint[]) AS a(id, due_at) WHERE d.${id} = a.id`,
    drop: `DELETE FROM ${entries} WHERE ${id} = ANY($1::bytea[])`,
    fill: `
      WITH slice AS MATERIALIZED (
        SELECT ${id} AS id, ${dueAt} AS due_at, ended_at FROM ${rows} WHERE ${id} > $1 ORDER BY ${id} LIMIT ${fillSlice}
      ), filled AS (
        INSERT INTO ${entries} SELECT id, due_at FROM slice WHERE ended_at IS NULL ORDER BY id ON CONFLICT DO NOTHING
      )
      SELECT id FROM slice ORDER BY id DESC LIMIT 1`,
  };
}

/** Finds what has lapsed by the moments at which it may, see `../due.ts`. Nodes that look at once pass over each other's entries. */
export class LapsedScan {
  readonly #pool: Pool;
  readonly #statements: Statements;
  #isFilled = false;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#statements = new Statements(pool);
  }

  async find(now: Seconds, limit: number): Promise<{ sessions: SessionRecord[]; grants: GrantRecord[] }> {
    this.#isFilled ||= await fillSome(() => this.#fill());
    const due = (await this.#statements.one<Record<DueKind, boolean>>(anyDue, now))!;
    const sids = due.sessions ? await this.#findDue('sessions', now, limit) : [];
    const grantIds = due.grants ? await this.#findDue('grants', now, limit) : [];
    return {
      sessions: sids.length === 0 ? [] : (await this.#statements.all<SessionRow>(selectSessions, sids)).map(toSession),
      grants: grantIds.length === 0 ? [] : (await this.#statements.all<GrantRow>(selectGrants, grantIds)).map(toGrant),
    };
  }

  async #findDue(kind: DueKind, now: Seconds, limit: number): Promise<Buffer[]> {
    const found = await findDue(kind, now, limit, (bounds) => this.#transact((connection) => look(connection, bounds)));
    return found.map(packKey);
  }

  async #fill(): Promise<boolean> {
    if ((await this.#statements.all(isFilling)).length === 0) return true;
    await this.#transact(fillSliceOf);
    return false;
  }

  async #transact<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await inTransaction(this.#pool, work);
      } catch (error) {
        if (!isRetried(error) || attempt === 3) throw asStoreFailure(error);
      }
    }
  }
}

/**
 * Looks at entries. They are locked before their rows are read, by a statement with a snapshot of its own: a grant that ends meanwhile either is seen ended, or its ending
 * waits for the entry of its session and then brings it back.
 */
async function look(connection: Connection, { kind, now, after, most }: LookBounds): Promise<Looked> {
  const table = tables[kind];
  const entries = await run<Entry>(connection, table.due, [after.dueAt, packMark(after.id), now, most]);
  const ids = entries.map(({ id }) => id);
  const rows = ids.length === 0 ? [] : await run<{ id: Buffer }>(connection, table.limits, [ids, now]);
  const found = new Map(rows.map((row) => [row.id.toString('hex'), row]));
  const judged = ids.map((id) => ({ id, verdict: table.judge(found.get(id.toString('hex')), now) }));
  const moved = judged.flatMap(({ id, verdict }) => (typeof verdict === 'number' ? [{ id, dueAt: verdict }] : []));
  const gone = judged.flatMap(({ id, verdict }) => (verdict === 'gone' ? [id] : []));
  if (moved.length > 0) {
    await count(connection, table.move, [moved.map(({ id }) => id), moved.map(({ dueAt }) => dueAt)]);
  }
  if (gone.length > 0) await count(connection, table.drop, [gone]);
  const last = entries.at(-1);
  return {
    lapsed: judged.flatMap(({ id, verdict }) => (verdict === 'lapsed' ? [unpackKey(id)] : [])),
    ...(last !== undefined && entries.length === most && { last: { dueAt: last.due_at, id: unpackKey(last.id) } }),
  };
}

// No key is as short as none.
function packMark(id: string): Buffer {
  return id === '' ? Buffer.alloc(0) : packKey(id);
}

const nextFill = 'SELECT kind, after_id FROM due_backfill ORDER BY kind LIMIT 1 FOR UPDATE SKIP LOCKED';
const fillOn = 'UPDATE due_backfill SET after_id = $2 WHERE kind = $1';
const fillEnds = 'DELETE FROM due_backfill WHERE kind = $1';

async function fillSliceOf(connection: Connection): Promise<void> {
  const [next] = await run<{ kind: DueKind; after_id: Buffer }>(connection, nextFill);
  if (next === undefined) return;
  const [last] = await run<{ id: Buffer }>(connection, tables[next.kind].fill, [next.after_id]);
  if (last === undefined) await count(connection, fillEnds, [next.kind]);
  else await count(connection, fillOn, [next.kind, last.id]);
}
