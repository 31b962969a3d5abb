import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { grantEnded, sessionEnded } from '../ending-events.ts';
import type { Ending } from '../store.ts';
import type { ChangeOf, Effects } from './changes.ts';
import { type Key, packKey, unpackKey } from './key.ts';
import { type EndedGrantColumns, toEndedGrant } from './rows.ts';

type SessionRow = { sid: Key; user_id: Key; ends_at: number };

const grantColumns = "g.grant_id, g.sid, g.user_id, g.client_id, g.birth -> '$.resources', s.ends_at";
const liveGrants = `
  SELECT ${grantColumns} FROM grants g CROSS JOIN grant_state s ON s.grant_id = g.grant_id WHERE s.ended_at IS NULL`;

/**
 * The changes that end sessions and grants. Only one process writes at a time, so what the selects see is what the updates find: no grant
 * can be created under a session between its ending and the commit.
 */
export function prepareEndings(db: DatabaseSync) {
  const sessionBySid = db.prepare(
    'SELECT sid, user_id, ends_at FROM sessions WHERE sid = ?1 AND ended_at IS NULL AND (?2 IS NULL OR version = ?2)',
  );
  const sessionsByUser = db.prepare(
    'SELECT sid, user_id, ends_at FROM sessions WHERE user_id = ? AND ended_at IS NULL AND sid IS NOT ? ORDER BY session_no',
  );
  const endSession = db.prepare(
    'UPDATE sessions SET ended_at = ?, end_reason = ?, version = version + 1 WHERE sid = ?',
  );
  const endGrant = db.prepare('UPDATE grant_state SET ended_at = ?, end_reason = ? WHERE grant_id = ?');
  const boundToSession = prepareFind(db, `${liveGrants} AND g.sid = ? AND g.offline = 0 ORDER BY g.grant_no`);
  const grantsBySession = prepareFind(db, `${liveGrants} AND g.sid = ? ORDER BY g.grant_no`);
  const grantsByUser = prepareFind(db, `${liveGrants} AND g.user_id = ? AND g.sid IS NOT ? ORDER BY g.grant_no`);
  const grantsByUserAndClient = prepareFind(
    db,
    `${liveGrants} AND g.user_id = ? AND g.client_id = ? ORDER BY g.grant_no`,
  );
  const grantById = prepareFind(
    db,
    `SELECT ${grantColumns} FROM grant_state s CROSS JOIN grants g ON g.grant_no = s.grant_no
     WHERE s.grant_id = ?1 AND s.ended_at IS NULL AND (?2 IS NULL OR g.client_id = ?2 AND g.birth ->> '$.secretDigest' = ?3)`,
  );

  function endEach(grants: EndedGrantColumns[], ending: Ending, effects: Effects): void {
    for (const columns of grants) {
      const grant = toEndedGrant(columns);
      endGrant.run(ending.at, ending.reason, columns[0]);
      effects.grants.push(grant);
      effects.grantIds.push(grant.grantId);
      effects.events.push(grantEnded(grant, ending));
    }
  }

  function endOne(session: SessionRow, ending: Ending, effects: Effects): void {
    endSession.run(ending.at, ending.reason, session.sid);
    effects.sids.push(unpackKey(session.sid));
    const grants = boundToSession(session.sid);
    for (const [grantId] of grants) {
      endGrant.run(ending.at, ending.reason, grantId);
      effects.grantIds.push(unpackKey(grantId));
    }
    effects.events.push(
      sessionEnded(
        { sid: unpackKey(session.sid), userId: unpackKey(session.user_id), endsAt: session.ends_at },
        grants.map(toEndedGrant),
        ending,
      ),
    );
  }

  return {
    endSessions({ where, offline, ending }: ChangeOf<'end-sessions'>, effects: Effects): boolean {
      if ('sid' in where) {
        const sid = packKey(where.sid);
        const sessions = sessionBySid.all(sid, where.version ?? null) as SessionRow[];
        for (const session of sessions) endOne(session, ending, effects);
        // A version that is no longer the session's names nothing, so nothing under it ends either.
        const isNamed = where.version === undefined || sessions.length > 0;
        if (offline && isNamed) endEach(grantsBySession(sid), ending, effects);
        return true;
      }
      const userId = packKey(where.userId);
      const except = where.exceptSid === undefined ? null : packKey(where.exceptSid);
      for (const session of sessionsByUser.all(userId, except) as SessionRow[]) endOne(session, ending, effects);
      if (offline) endEach(grantsByUser(userId, except), ending, effects);
      return true;
    },

    endGrants({ where, ending }: ChangeOf<'end-grants'>, effects: Effects): boolean {
      endEach(select(), ending, effects);
      return true;

      function select(): EndedGrantColumns[] {
        if ('grantId' in where) {
          const { grantId, proof } = where;
          const client = proof === undefined ? null : packKey(proof.clientId);
          return grantById(packKey(grantId), client, proof?.secretDigest ?? null);
        }
        if ('sid' in where) return grantsBySession(packKey(where.sid));
        return grantsByUserAndClient(packKey(where.userId), packKey(where.clientId));
      }
    },
  };
}

/** A search for grants that are to end. Their rows come as arrays: objects take twice as long to make. */
function prepareFind(db: DatabaseSync, sql: string): (...values: SQLInputValue[]) => EndedGrantColumns[] {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return (...values) => statement.all(...values) as unknown as EndedGrantColumns[];
}
