import type { SharedTask } from './batch.ts';
import type { ChangeOf } from './changes.ts';
import { inStatement, type Pool } from './connection.ts';
import { originDigest } from './grant-rows.ts';
import { packKey, unpackKey } from './key.ts';
import { run } from './statements.ts';

/** A rotation that is all of its commit. */
type Rotation = ChangeOf<'rotate-grant'>;

// Locked in one order, so that batches of several nodes wait and do not deadlock; "locked" is read by the update, else it would not be executed. Each condition stands twice:
// the update's own snapshot may be older than the lock, and is looked at again.
const rotateGrants = `
  WITH asked AS (
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[])
      AS a(grant_id, expect, seal_key_id, at, idle_at, origin)
  ), locked AS MATERIALIZED (
    SELECT s.grant_id FROM grant_state s JOIN asked USING (grant_id)
    WHERE s.generation = asked.expect AND s.ended_at IS NULL AND s.origin = asked.origin
    ORDER BY s.grant_id FOR NO KEY UPDATE OF s
  )
  UPDATE grant_state s SET generation = s.generation + 1, seal_key_id = asked.seal_key_id, rotated_at = asked.at, idle_at = asked.idle_at,
    last_used_at = asked.at, uses = s.uses + 1
  FROM locked JOIN asked USING (grant_id)
  WHERE s.grant_id = locked.grant_id AND s.generation = asked.expect AND s.ended_at IS NULL AND s.origin = asked.origin
  RETURNING s.grant_id`;

/** The rotations of a batch in which there is nothing else, each of another grant: what a busy server writes most. Undefined for any other batch. */
export function onlyRotations(tasks: readonly SharedTask[]): Rotation[] | undefined {
  const rotations: Rotation[] = [];
  const grantIds = new Set<string>();
  for (const { changes, events } of tasks) {
    const [change, more] = changes;
    if (change?.change !== 'rotate-grant' || more !== undefined || events.length > 0) return undefined;
    if (change.generation !== undefined || grantIds.has(change.grantId)) return undefined;
    grantIds.add(change.grantId);
    rotations.push(change);
  }
  return rotations;
}

/**
 * Rotates grants in one statement, durable when it returns, instead of the four of a transaction. Returns the ids of those that were as expected and last used from the same
 * place; about the others nothing is decided.
 */
export async function rotateInOneStatement(pool: Pool, rotations: readonly Rotation[]): Promise<Set<string>> {
  const rows = await inStatement(pool, (connection) =>
    run<{ grant_id: Buffer }>(connection, rotateGrants, [
      rotations.map(({ grantId }) => packKey(grantId)),
      rotations.map(({ expect }) => expect),
      rotations.map(({ sealKeyId }) => sealKeyId),
      rotations.map(({ at }) => at),
      rotations.map(({ idleAt }) => idleAt),
      rotations.map(({ origin }) => Buffer.from(originDigest(origin), 'hex')),
    ]),
  );
  return new Set(rows.map((row) => unpackKey(row.grant_id)));
}
