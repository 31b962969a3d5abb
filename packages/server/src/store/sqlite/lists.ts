import { setImmediate as nextTurn } from 'node:timers/promises';
import { addGrantFilter, addSessionFilter, grantLives } from '../filters.ts';
import { numberOfCursor, pageOf } from '../pages.ts';
import type { GrantRecord, SessionRecord } from '../records.ts';
import type { GrantFilter, Page, PageRequest, SessionFilter } from '../store.ts';
import { packKey } from './key.ts';
import { type GrantRow, type SessionRow, toGrant, toSession } from './rows.ts';
import { Conditions, type Statements } from './statements.ts';

/** The columns of a grant, from `grants g` joined with `grant_state s`. */
export const grantColumns = `
  g.grant_no, g.grant_id, g.sid, g.user_id, g.client_id, g.offline, g.birth, g.last_ip, g.last_user_agent,
  s.generation, s.seal_key_id, s.rotated_at, s.idle_at, s.ends_at, s.last_used_at, s.uses, s.replays, s.origin,
  s.ended_at, s.end_reason`;

/** Reads one grant by its id. */
export const selectGrant = `
  SELECT ${grantColumns} FROM grant_state s CROSS JOIN grants g ON g.grant_no = s.grant_no WHERE s.grant_id = ?`;

/** Whether the session in `sessions` has a living grant; takes `now` twice. */
const hasLivingGrant = `EXISTS (
  SELECT 1 FROM grants g CROSS JOIN grant_state s ON s.grant_id = g.grant_id WHERE g.sid = sessions.sid AND ${grantLives})`;

// How many row numbers a query looks at when no index narrows it: a few milliseconds, then others get their turn.
const slice = 4096;

/** Sessions, newest first. */
export async function listSessions(
  statements: Statements,
  filter: SessionFilter,
  page: PageRequest,
): Promise<Page<SessionRecord>> {
  const where = new Conditions();
  addSessionFilter(where, filter, packKey, hasLivingGrant);
  const rows = await newestFirst<SessionRow>(statements, page, {
    table: 'sessions',
    number: 'session_no',
    select: 'SELECT * FROM sessions',
    where,
    isNarrow: filter.userId !== undefined,
  });
  return pageOf(rows, page.limit, (row) => String(row.session_no), toSession);
}

/** Grants, newest first. */
export async function listGrants(
  statements: Statements,
  filter: GrantFilter,
  page: PageRequest,
): Promise<Page<GrantRecord>> {
  const where = new Conditions();
  addGrantFilter(where, filter, packKey);
  const rows = await newestFirst<GrantRow>(statements, page, {
    table: 'grants',
    number: 'grant_no',
    select: `SELECT ${grantColumns} FROM grants g CROSS JOIN grant_state s ON s.grant_id = g.grant_id`,
    where,
    isNarrow: filter.userId !== undefined || filter.sid !== undefined,
  });
  return pageOf(rows, page.limit, (row) => String(row.grant_no), toGrant);
}

type Scan = {
  table: 'sessions' | 'grants';
  number: 'session_no' | 'grant_no';
  select: string;
  where: Conditions;
  /** Whether an index leaves few rows to look at. */
  isNarrow: boolean;
};

/** Up to one more row than the page holds, the newest before the cursor. */
async function newestFirst<Row>(statements: Statements, page: PageRequest, scan: Scan): Promise<Row[]> {
  const { table, number, where } = scan;
  const column = table === 'grants' ? `g.${number}` : number;
  const sql = `${scan.select} WHERE ${where.sql} AND ${column} <= ? AND ${column} > ? ORDER BY ${column} DESC LIMIT ?`;
  const below = `SELECT max(${number}) AS newest FROM ${table} WHERE ${number} < ?`;
  const rows: Row[] = [];
  let before = numberOfCursor(page.after);
  while (rows.length <= page.limit) {
    // Jumps over the holes that swept rows leave.
    const newest = statements.one<{ newest: number | null }>(below, before)?.newest ?? null;
    if (newest === null) break;
    const oldest = scan.isNarrow ? 0 : newest - slice;
    rows.push(...statements.all<Row>(sql, ...where.values, newest, oldest, page.limit + 1 - rows.length));
    before = oldest + 1;
    if (rows.length <= page.limit) await nextTurn();
  }
  return rows;
}
