import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Seconds } from '@tessera/protocol';
import type { GrantRecord, SessionRecord } from '../records.ts';
import type { Key } from './key.ts';
import { hasLivingGrant, selectGrant } from './lists.ts';
import { type GrantRow, type SessionRow, toGrant, toSession } from './rows.ts';
import type { Statements } from './statements.ts';

// How many rows are looked at before others get their turn.
const slice = 2048;

const lapsedSessions = `
  SELECT * FROM sessions
  WHERE session_no > ? AND session_no <= ? AND ended_at IS NULL AND (ends_at <= ? OR (sso_until <= ? AND NOT ${hasLivingGrant}))
  ORDER BY session_no LIMIT ?`;
const lapsedGrants = `
  SELECT grant_id FROM grant_state
  WHERE grant_id > ? AND grant_id <= ? AND ended_at IS NULL AND (ends_at <= ? OR idle_at <= ?)
  ORDER BY grant_id LIMIT ?`;
const lastGrantOfSlice = `SELECT grant_id FROM grant_state WHERE grant_id > ? ORDER BY grant_id LIMIT 1 OFFSET ${slice - 1}`;
const lastGrant = 'SELECT max(grant_id) AS grant_id FROM grant_state';

/**
 * Looks for what has lapsed by walking the tables: an index on the moments would cost every refresh. Goes on where the last call stopped and
 * returns when it has found `limit` of each or been all around, so that nothing found means that there is nothing.
 */
export class LapsedScan {
  readonly #statements: Statements;
  #sessionsAfter = 0;
  // The empty text sorts before every other key.
  #grantsAfter: Key = '';

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async find(now: Seconds, limit: number): Promise<{ sessions: SessionRecord[]; grants: GrantRecord[] }> {
    return { sessions: await this.#findSessions(now, limit), grants: await this.#findGrants(now, limit) };
  }

  async #findSessions(now: Seconds, limit: number): Promise<SessionRecord[]> {
    const end =
      this.#statements.one<{ last: number | null }>('SELECT max(session_no) AS last FROM sessions')?.last ?? 0;
    const start = Math.min(this.#sessionsAfter, end);
    const found: SessionRow[] = [];
    // From where the last call stopped to the end, then from the beginning to there.
    for (const [from, to] of [...slices(start, end), ...slices(0, start)]) {
      const room = limit - found.length;
      const rows = this.#statements.all<SessionRow>(lapsedSessions, from, to, now, now, now, now, room);
      found.push(...rows);
      this.#sessionsAfter = rows.length === room ? rows.at(-1)!.session_no : to;
      if (rows.length === room) break;
      await nextTurn();
    }
    return found.map(toSession);
  }

  async #findGrants(now: Seconds, limit: number): Promise<GrantRecord[]> {
    const start = this.#grantsAfter;
    const end = this.#statements.one<{ grant_id: Key | null }>(lastGrant)?.grant_id ?? null;
    const found: Key[] = [];
    if (end !== null) {
      await this.#walkGrants(start, end, now, limit, found);
      if (found.length < limit) await this.#walkGrants('', start, now, limit, found);
    }
    return found.flatMap((key) => {
      const row = this.#statements.one<GrantRow>(selectGrant, key);
      return row === undefined ? [] : [toGrant(row)];
    });
  }

  async #walkGrants(after: Key, end: Key, now: Seconds, limit: number, found: Key[]): Promise<void> {
    let from = after;
    while (compareKeys(from, end) < 0 && found.length < limit) {
      const last = this.#statements.one<{ grant_id: Key }>(lastGrantOfSlice, from)?.grant_id ?? end;
      const to = compareKeys(last, end) < 0 ? last : end;
      const room = limit - found.length;
      const rows = this.#statements.all<{ grant_id: Key }>(lapsedGrants, from, to, now, now, room);
      for (const row of rows) found.push(row.grant_id);
      from = rows.length === room ? rows.at(-1)!.grant_id : to;
      this.#grantsAfter = from;
      await nextTurn();
    }
  }
}

function* slices(from: number, to: number): Generator<[number, number]> {
  for (let start = from; start < to; start += slice) yield [start, Math.min(to, start + slice)];
}

/** The order SQLite sorts keys in: texts before BLOBs, each by their bytes. */
function compareKeys(a: Key, b: Key): number {
  if (typeof a !== typeof b) return typeof a === 'string' ? -1 : 1;
  return Buffer.compare(toBytes(a), toBytes(b));
}

function toBytes(key: Key): Uint8Array {
  return typeof key === 'string' ? Buffer.from(key) : key;
}
