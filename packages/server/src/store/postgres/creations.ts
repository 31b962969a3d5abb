import { birthOf } from '../grant-birth.ts';
import type { GrantRecord } from '../records.ts';
import type { NewEvent } from '../store.ts';
import type { SharedTask } from './batch.ts';
import { inStatement, type Pool } from './connection.ts';
import { eventArrays } from './event-log.ts';
import { originDigest } from './grant-rows.ts';
import { packKey, unpackKey } from './key.ts';
import { run } from './statements.ts';

/** A grant whose creation is all of its commit, and the events that tell of it. */
export type Creation = { grant: GrantRecord; events: readonly NewEvent[] };

// Locked in one order, sessions before grants and each by id, so that batches of several nodes wait and do not deadlock. An ending of a session that got there first is seen when its lock is
// gone, one that comes later waits for this statement, and finds the grants with its next one. The number of the events is drawn when all of that was waited for: see event-log.ts.
const createGrants = `
  WITH asked AS (
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::boolean[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[],
      $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bytea[], $17::bigint[], $18::bigint[], $19::text[]) WITH ORDINALITY
      AS a(grant_id, sid, user_id, client_id, offline, birth, last_ip, last_user_agent, generation, seal_key_id,
        rotated_at, idle_at, last_used_at, uses, replays, origin, ends_at, ended_at, end_reason, ordinal)
  ), unended AS MATERIALIZED (
    SELECT sid FROM sessions WHERE sid = ANY($2::bytea[]) AND ended_at IS NULL ORDER BY sid FOR SHARE
  ), born AS (
    INSERT INTO grant_state (grant_id, generation, seal_key_id, rotated_at, idle_at, last_used_at, uses, replays, origin, ends_at, ended_at, end_reason)
    SELECT grant_id, generation, seal_key_id, rotated_at, idle_at, last_used_at, uses, replays, origin, ends_at, ended_at, end_reason
    FROM asked JOIN unended USING (sid) ORDER BY grant_id
    ON CONFLICT DO NOTHING
    RETURNING grant_id
  ), described AS (
    INSERT INTO grants (grant_id, sid, user_id, client_id, offline, birth, last_ip, last_user_agent)
    SELECT grant_id, sid, user_id, client_id, offline, birth, last_ip, last_user_agent FROM asked JOIN born USING (grant_id) ORDER BY ordinal
  ), drawn AS MATERIALIZED (
    SELECT nextval('event_batch') AS batch FROM (SELECT count(*) FROM born) AS waited
  ), told AS (
    INSERT INTO event_inbox (batch, ordinal, type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until)
    SELECT drawn.batch, a.ordinal, a.type, a.at, a.actor, a.user_id, a.sid, a.grant_id, a.client_id, a.data, a.audiences, a.until
    FROM drawn, unnest($20::bytea[], $21::text[], $22::bigint[], $23::text[], $24::bytea[], $25::bytea[], $26::bytea[], $27::bytea[], $28::text[],
      $29::text[], $30::bigint[]) WITH ORDINALITY AS a(born_id, type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until, ordinal)
    JOIN born ON born.grant_id = a.born_id
  )
  SELECT grant_id FROM born`;

/** The creation of a grant that is all of a commit but for its events: what a sign-in to an app writes. */
export function creationOf({ changes, events }: SharedTask): Creation | undefined {
  const [change] = changes;
  return changes.length === 1 && change?.change === 'create-grant' ? { grant: change.grant, events } : undefined;
}

/**
 * Creates grants, each another one, with their events, in one statement, durable when it returns, instead of the seven of a transaction. Returns the ids of those whose session had not ended and whose id was free; about the
 * others nothing is decided.
 */
export async function createInOneStatement(pool: Pool, creations: readonly Creation[]): Promise<Set<string>> {
  const grants = creations.map(({ grant }) => grant);
  const values = [
    grants.map(({ grantId }) => packKey(grantId)),
    grants.map(({ sid }) => packKey(sid)),
    grants.map(({ userId }) => packKey(userId)),
    grants.map(({ clientId }) => packKey(clientId)),
    grants.map(({ kind }) => kind === 'offline'),
    grants.map(birthOf),
    grants.map(({ lastOrigin }) => lastOrigin.ip),
    grants.map(({ lastOrigin }) => lastOrigin.userAgent),
    grants.map(({ generation }) => generation),
    grants.map(({ sealKeyId }) => sealKeyId),
    grants.map(({ rotatedAt }) => rotatedAt),
    grants.map(({ idleAt }) => idleAt),
    grants.map(({ lastUsedAt }) => lastUsedAt),
    grants.map(({ uses }) => uses),
    grants.map(({ replays }) => replays),
    grants.map(({ lastOrigin }) => Buffer.from(originDigest(lastOrigin), 'hex')),
    grants.map(({ endsAt }) => endsAt),
    grants.map(({ endedAt }) => endedAt),
    grants.map(({ endReason }) => endReason),
    creations.flatMap(({ grant, events }) => events.map(() => packKey(grant.grantId))),
    ...eventArrays(creations.flatMap(({ events }) => events)),
  ];
  const rows = await inStatement(pool, (connection) => run<{ grant_id: Buffer }>(connection, createGrants, values));
  return new Set(rows.map((row) => unpackKey(row.grant_id)));
}
