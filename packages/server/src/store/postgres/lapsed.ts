import type { Seconds } from '@tessera/protocol';
import type { GrantRecord, SessionRecord } from '../records.ts';
import { grantColumns, hasLivingGrant } from './lists.ts';
import { type GrantRow, type SessionRow, toGrant, toSession } from './rows.ts';
import type { Statements } from './statements.ts';

// How many rows one statement looks at.
const slice = 2048;

const lapsedSessions = `
  SELECT * FROM sessions
  WHERE session_no > $1 AND session_no <= $2 AND ended_at IS NULL AND (ends_at <= $3 OR (sso_until <= $3 AND NOT ${hasLivingGrant('$3')}))
  ORDER BY session_no LIMIT $4`;
const nextSession = 'SELECT min(session_no) AS next FROM sessions WHERE session_no > $1';
const lastSession = 'SELECT max(session_no) AS last FROM sessions';
const lapsedGrants = `
  SELECT ${grantColumns} FROM grant_state s JOIN grants g USING (grant_id)
  WHERE s.grant_id > $1 AND s.grant_id <= $2 AND s.ended_at IS NULL AND (s.ends_at <= $3 OR s.idle_at <= $3)
  ORDER BY s.grant_id LIMIT $4`;
const lastGrantOfSlice = `SELECT grant_id FROM grant_state WHERE grant_id > $1 ORDER BY grant_id LIMIT 1 OFFSET ${slice - 1}`;
const lastGrant = 'SELECT grant_id FROM grant_state ORDER BY grant_id DESC LIMIT 1';

const first: Buffer = Buffer.alloc(0);

/**
 * Looks for what has lapsed by walking the tables: an index on the moments would cost every refresh. Goes on where the last call stopped and
 * returns when it has found `limit` of each or been all around, so that nothing found means that there is nothing.
 */
export class LapsedScan {
  readonly #statements: Statements;
  #sessionsAfter = 0;
  #grantsAfter: Buffer = first;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async find(now: Seconds, limit: number): Promise<{ sessions: SessionRecord[]; grants: GrantRecord[] }> {
    return { sessions: await this.#findSessions(now, limit), grants: await this.#findGrants(now, limit) };
  }

  async #findSessions(now: Seconds, limit: number): Promise<SessionRecord[]> {
    const end = (await this.#statements.one<{ last: number | null }>(lastSession))?.last ?? 0;
    const start = Math.min(this.#sessionsAfter, end);
    const found: SessionRow[] = [];
    // From where the last call stopped to the end, then from the beginning to there.
    await this.#walkSessions(start, end, now, limit, found);
    if (found.length < limit) await this.#walkSessions(0, start, now, limit, found);
    return found.map(toSession);
  }

  async #walkSessions(after: number, end: number, now: Seconds, limit: number, found: SessionRow[]): Promise<void> {
    let from = after;
    while (from < end && found.length < limit) {
      // Jumps over the holes that swept rows leave.
      const next = (await this.#statements.one<{ next: number | null }>(nextSession, from))?.next ?? end;
      const to = Math.min(end, Math.max(from, next - 1) + slice);
      const room = limit - found.length;
      const rows = await this.#statements.all<SessionRow>(lapsedSessions, from, to, now, room);
      found.push(...rows);
      from = rows.length === room ? rows.at(-1)!.session_no : to;
      this.#sessionsAfter = from;
    }
  }

  async #findGrants(now: Seconds, limit: number): Promise<GrantRecord[]> {
    const start = this.#grantsAfter;
    const end = (await this.#statements.one<{ grant_id: Buffer }>(lastGrant))?.grant_id;
    const found: GrantRow[] = [];
    if (end !== undefined) {
      await this.#walkGrants(start, end, now, limit, found);
      if (found.length < limit) await this.#walkGrants(first, start, now, limit, found);
    }
    return found.map(toGrant);
  }

  async #walkGrants(after: Buffer, end: Buffer, now: Seconds, limit: number, found: GrantRow[]): Promise<void> {
    let from = after;
    while (Buffer.compare(from, end) < 0 && found.length < limit) {
      const last = (await this.#statements.one<{ grant_id: Buffer }>(lastGrantOfSlice, from))?.grant_id ?? end;
      const to = Buffer.compare(last, end) < 0 ? last : end;
      const room = limit - found.length;
      const rows = await this.#statements.all<GrantRow>(lapsedGrants, from, to, now, room);
      found.push(...rows);
      from = rows.length === room ? rows.at(-1)!.grant_id : to;
      this.#grantsAfter = from;
    }
  }
}
