import { grantEnded, sessionEnded } from '../ending-events.ts';
import type { Ending } from '../store.ts';
import type { ChangeOf, Effects } from './changes.ts';
import type { Connection } from './connection.ts';
import { packKey, unpackKey } from './key.ts';
import { type EndedGrantRow, toEndedGrant } from './rows.ts';
import { run } from './statements.ts';

type SessionRow = { sid: Buffer; user_id: Buffer; session_no: number; ends_at: number };
type GrantRow = EndedGrantRow & { offline: boolean; grant_no: number };

/** Locks the unended sessions that the condition selects, by id, and ends them. */
function endSessionsWhere(condition: string): string {
  return `
    WITH locked AS MATERIALIZED (
      SELECT sid FROM sessions WHERE ended_at IS NULL AND ${condition} ORDER BY sid FOR NO KEY UPDATE
    )
    UPDATE sessions s SET ended_at = $1, end_reason = $2, version = version + 1
    FROM locked WHERE s.sid = locked.sid AND s.ended_at IS NULL
    RETURNING s.sid, s.user_id, s.session_no, s.ends_at`;
}

/** Locks the unended grants that the condition selects, by id, and ends them. */
function endGrantsWhere(condition: string): string {
  return `
    WITH locked AS MATERIALIZED (
      SELECT s.grant_id FROM grants g JOIN grant_state s USING (grant_id)
      WHERE s.ended_at IS NULL AND (${condition}) ORDER BY s.grant_id FOR NO KEY UPDATE OF s
    ), ended AS (
      UPDATE grant_state s SET ended_at = $1, end_reason = $2
      FROM locked WHERE s.grant_id = locked.grant_id AND s.ended_at IS NULL
      RETURNING s.grant_id, s.ends_at
    )
    SELECT g.grant_id, g.sid, g.user_id, g.client_id, g.offline, g.birth, g.grant_no, ended.ends_at FROM ended JOIN grants g USING (grant_id)
    ORDER BY g.grant_no`;
}

const endSessionBySid = endSessionsWhere('sid = $3 AND ($4::bigint IS NULL OR version = $4)');
const endSessionsByUser = endSessionsWhere('user_id = $3 AND sid IS DISTINCT FROM $4');
const endBound = endGrantsWhere('g.sid = ANY($3::bytea[]) AND NOT g.offline');
const endAllOfSession = endGrantsWhere('g.sid = $3');
const endAllOfUser = endGrantsWhere('g.sid = ANY($3::bytea[]) OR (g.user_id = $4 AND g.sid IS DISTINCT FROM $5)');
const endGrantsByUserAndClient = endGrantsWhere('g.user_id = $3 AND g.client_id = $4');
const isUnended = 'SELECT 1 FROM sessions WHERE sid = $1 AND ended_at IS NULL';

/**
 * Ends sessions, and then the grants under them, in two statements on purpose: the second looks with a snapshot of its own, taken after the sessions were
 * locked. So it sees every grant that was created before, and none can be created after: that needs the session's lock, and finds it ended.
 */
export async function endSessions(
  connection: Connection,
  { where, offline, ending }: ChangeOf<'end-sessions'>,
  effects: Effects,
): Promise<void> {
  const how = [ending.at, ending.reason];
  if ('sid' in where) {
    const sid = packKey(where.sid);
    const sessions = await run<SessionRow>(connection, endSessionBySid, [...how, sid, where.version ?? null]);
    if (sessions.length === 0 && (!offline || (await wasRenewed(connection, where)))) return;
    const grants = offline
      ? await run<GrantRow>(connection, endAllOfSession, [...how, sid])
      : await run<GrantRow>(connection, endBound, [...how, [sid]]);
    return tell(sessions, grants, ending, effects);
  }
  const except = where.exceptSid === undefined ? null : packKey(where.exceptSid);
  const userId = packKey(where.userId);
  const sessions = await run<SessionRow>(connection, endSessionsByUser, [...how, userId, except]);
  if (sessions.length === 0 && !offline) return;
  sessions.sort((a, b) => a.session_no - b.session_no);
  const sids = sessions.map(({ sid }) => sid);
  const grants = offline
    ? await run<GrantRow>(connection, endAllOfUser, [...how, sids, userId, except])
    : await run<GrantRow>(connection, endBound, [...how, sids]);
  tell(sessions, grants, ending, effects);
}

/** Ends the grants of a session, or of a user at a client, an event each. One that is named ends with `grant-rows.ts`. */
export async function endGrants(
  connection: Connection,
  where: { sid: string } | { userId: string; clientId: string },
  ending: Ending,
  effects: Effects,
): Promise<void> {
  tell([], await select(), ending, effects);

  function select(): Promise<GrantRow[]> {
    const how = [ending.at, ending.reason];
    if ('sid' in where) return run(connection, endAllOfSession, [...how, packKey(where.sid)]);
    return run(connection, endGrantsByUserAndClient, [...how, packKey(where.userId), packKey(where.clientId)]);
  }
}

/** Whether a session that was to end in one version lives in another: then nothing happens, to its grants neither. */
async function wasRenewed(connection: Connection, where: { sid: string; version?: number }): Promise<boolean> {
  if (where.version === undefined) return false;
  return (await run(connection, isUnended, [packKey(where.sid)])).length > 0;
}

/** One event for each session, which tells of the grants bound to it too, and one for each other grant. */
function tell(sessions: SessionRow[], grants: GrantRow[], ending: Ending, effects: Effects): void {
  const bound = new Map<string, GrantRow[]>(sessions.map(({ sid }) => [unpackKey(sid), []]));
  const others: GrantRow[] = [];
  for (const grant of grants) (grant.offline ? others : (bound.get(unpackKey(grant.sid)) ?? others)).push(grant);
  for (const session of sessions) {
    const sid = unpackKey(session.sid);
    const itsGrants = bound.get(sid)!;
    effects.sids.push(sid);
    effects.grantIds.push(...itsGrants.map((grant) => unpackKey(grant.grant_id)));
    const { ends_at: endsAt } = session;
    effects.events.push(
      sessionEnded({ sid, userId: unpackKey(session.user_id), endsAt }, itsGrants.map(toEndedGrant), ending),
    );
  }
  for (const grant of others) {
    effects.grantIds.push(unpackKey(grant.grant_id));
    effects.events.push(grantEnded(toEndedGrant(grant), ending));
  }
}
