import { addGrantFilter, addSessionFilter, grantLives } from '../filters.ts';
import { numberOfCursor, pageOf } from '../pages.ts';
import type { GrantRecord, SessionRecord } from '../records.ts';
import type { GrantFilter, Page, PageRequest, SessionFilter } from '../store.ts';
import { packKey } from './key.ts';
import { type GrantRow, type SessionRow, sessionColumns, toGrant, toSession } from './rows.ts';
import { Conditions, type Statements } from './statements.ts';

/** The columns of a grant, from `grants g` joined with `grant_state s`. */
export const grantColumns = `
  g.grant_no, g.grant_id, g.sid, g.user_id, g.client_id, g.offline, g.birth, g.last_ip, g.last_user_agent,
  s.generation, s.seal_key_id, s.rotated_at, s.idle_at, s.ends_at, s.last_used_at, s.uses, s.replays, s.ended_at, s.end_reason`;

/** Whether the session in `sessions` has a living grant; takes `now` twice. */
const hasLivingGrant = `EXISTS (
  SELECT 1 FROM grants g JOIN grant_state s USING (grant_id) WHERE g.sid = sessions.sid AND ${grantLives})`;

// How many row numbers a query looks at when no index narrows it: no statement runs long, and none holds back the vacuum.
const slice = 8192;

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
    select: `SELECT ${sessionColumns} FROM sessions`,
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
    select: `SELECT ${grantColumns} FROM grants g JOIN grant_state s USING (grant_id)`,
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
  const [newestAt, oldestAt, limitAt] = [1, 2, 3].map((offset) => `$${where.values.length + offset}`);
  // The plus keeps an index that narrows from being passed over for one that orders.
  const order = scan.isNarrow ? `(${number} + 0)` : number;
  const sql = `${scan.select} WHERE ${where.sql} AND ${number} <= ${newestAt} AND ${number} > ${oldestAt} ORDER BY ${order} DESC LIMIT ${limitAt}`;
  const below = `SELECT max(${number}) AS newest FROM ${table} WHERE ${number} < $1`;
  const rows: Row[] = [];
  let before = numberOfCursor(page.after);
  while (rows.length <= page.limit) {
    // Jumps over the holes that swept rows leave.
    const newest = (await statements.one<{ newest: number | null }>(below, before))?.newest ?? null;
    if (newest === null) break;
    const oldest = scan.isNarrow ? 0 : newest - slice;
    rows.push(...(await statements.all<Row>(sql, ...where.values, newest, oldest, page.limit + 1 - rows.length)));
    before = oldest + 1;
  }
  return rows;
}
