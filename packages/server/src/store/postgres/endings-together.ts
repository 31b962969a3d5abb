import { grantsEndedAt } from '../ending-events.ts';
import type { Reply, SharedTask } from './batch.ts';
import type { EndOneGrant } from './changes.ts';
import { inStatement, type Pool } from './connection.ts';
import { packKey, unpackKey } from './key.ts';
import { run } from './statements.ts';

type EndedRow = {
  at_position: number;
  of_epoch: number;
  grant_id: Buffer;
  sid: Buffer;
  user_id: Buffer;
  client_id: Buffer;
  audiences: string;
  ends_at: number;
};

const endGrants = `
  SELECT at_position, of_epoch, grant_id, sid, user_id, client_id, audiences, ends_at
  FROM end_grants($1::bytea[], $2::bytea[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[])`;

/** A commit that ends one grant that is named and does nothing else: what a revocation is. */
export function endingOf({ changes, events }: SharedTask): EndOneGrant | undefined {
  const [change] = changes;
  return changes.length === 1 && events.length === 0 && change?.change === 'end-grants' ? change : undefined;
}

/**
 * Ends grants, each another one, in one statement (`schema-endings.ts`), durable when it returns, instead of the six of a transaction and those that give positions to their events. Replies to each: those
 * that had ended, are unknown or are not as expected ended nothing.
 */
export async function endInOneStatement(pool: Pool, endings: readonly EndOneGrant[]): Promise<Reply[]> {
  const values = [
    endings.map(({ where }) => packKey(where.grantId)),
    endings.map(({ where }) => (where.proof === undefined ? null : packKey(where.proof.clientId))),
    endings.map(({ where }) => where.proof?.secretDigest ?? null),
    endings.map(({ ending }) => ending.at),
    endings.map(({ ending }) => ending.reason),
    endings.map(({ ending }) => JSON.stringify(ending.actor)),
    endings.map(({ ending }) => JSON.stringify({ ...ending.data, reason: ending.reason })),
    endings.map(({ ending }) => ending.until),
  ];
  const rows = await inStatement(pool, (connection) => run<EndedRow>(connection, endGrants, values));
  const ended = new Map(rows.map((row) => [unpackKey(row.grant_id), row]));
  return endings.map((change) => replyTo(change, ended.get(change.where.grantId)));
}

function replyTo({ where: { grantId }, ending }: EndOneGrant, row: EndedRow | undefined): Reply {
  if (row === undefined) return { ended: { sids: [], grantIds: [] } };
  const grant = {
    grantId,
    sid: unpackKey(row.sid),
    userId: unpackKey(row.user_id),
    clientId: unpackKey(row.client_id),
    resources: (JSON.parse(row.audiences) as string[] | null) ?? [],
    endsAt: row.ends_at,
  };
  return grantsEndedAt([grant], ending, { epoch: row.of_epoch, position: row.at_position });
}
