import { grantsEndedAt } from '../ending-events.ts';
import type { Reply, SharedTask } from './batch.ts';
import type { EndOneGrant, SharedChange } from './changes.ts';
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

/** Whether a commit ends one grant that is named and does nothing else: what a revocation is. */
function isEnding(task: SharedTask): task is SharedTask & { changes: [EndOneGrant] } {
  return task.changes.length === 1 && task.events.length === 0 && task.changes[0]?.change === 'end-grants';
}

/**
 * Takes endings and other commits that wait together apart, so that each kind goes by the fewest statements. An ending stays with the others if one of them is about the same grant: those
 * are decided in their order.
 */
export function takeApart<T extends { task: SharedTask }>(batch: readonly T[]): { endings: T[]; others: T[] } {
  const endings = new Map<string, T>();
  const others: T[] = [];
  const named = new Set<string>();
  for (const waiting of batch) {
    const { task } = waiting;
    const grantId = isEnding(task) ? task.changes[0].where.grantId : undefined;
    if (grantId !== undefined && !endings.has(grantId)) endings.set(grantId, waiting);
    else {
      others.push(waiting);
      for (const change of task.changes) named.add(grantOf(change) ?? '');
    }
  }
  if (![...named].some((grantId) => endings.has(grantId))) return { endings: [...endings.values()], others };
  const apart = new Set([...endings].flatMap(([grantId, waiting]) => (named.has(grantId) ? [] : [waiting])));
  return { endings: [...apart], others: batch.filter((waiting) => !apart.has(waiting)) };
}

function grantOf(change: SharedChange): string | undefined {
  if (change.change === 'create-grant') return change.grant.grantId;
  if (change.change === 'end-grants') return change.where.grantId;
  return 'grantId' in change ? change.grantId : undefined;
}

/** The endings of a batch in which there is nothing else, each of another grant. Undefined for any other batch. */
export function onlyEndings(tasks: readonly SharedTask[]): EndOneGrant[] | undefined {
  const endings = tasks.flatMap((task) => (isEnding(task) ? task.changes : []));
  const grantIds = new Set(endings.map(({ where }) => where.grantId));
  return grantIds.size === tasks.length ? endings : undefined;
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
