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

/** The endings of a batch in which there is nothing else, each of another grant that is named: what revocations are. Undefined for any other batch. */
export function onlyEndings(tasks: readonly SharedTask[]): EndOneGrant[] | undefined {
  const endings: EndOneGrant[] = [];
  const grantIds = new Set<string>();
  for (const { changes, events } of tasks) {
    const [ending] = changes;
    if (ending?.change !== 'end-grants' || changes.length > 1 || events.length > 0) return undefined;
    if (grantIds.has(ending.where.grantId)) return undefined;
    grantIds.add(ending.where.grantId);
    endings.push(ending);
  }
  return endings;
}

/**
 * Ends grants in one statement (`schema-endings.ts`), durable when it returns, instead of the six of a transaction and those that give positions to their events. Replies to each: those
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
