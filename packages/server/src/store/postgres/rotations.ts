import type { SharedTask } from './batch.ts';
import type { ChangeOf } from './changes.ts';
import { inStatement, type Pool } from './connection.ts';
import { originDigest } from './grant-rows.ts';
import { packKey, packText, unpackKey } from './key.ts';
import { run } from './statements.ts';
import { usedFromOf } from './throttle-rows.ts';

/** A rotation that is all of its commit, with the key of the proof that came with it, if one did. */
export type Rotation = { rotate: ChangeOf<'rotate-grant'>; remember: ChangeOf<'remember'> | undefined };

// Locked in one order, grants before keys and each by id, so that batches of several nodes wait and do not deadlock. A locked row stays where it is, so it is updated by its place. Each condition stands
// twice: the update's own snapshot may be older than the lock, and is looked at again.
const rotate = `
  UPDATE grant_state s SET generation = s.generation + 1, seal_key_id = locked.seal_key_id, rotated_at = locked.at, idle_at = locked.idle_at,
    last_used_at = locked.at, uses = s.uses + 1`;
const isAsExpected = 's.generation = a.expect AND s.ended_at IS NULL AND s.origin = a.origin';
const isStillAsExpected = `s.ctid = locked.place AND s.grant_id = locked.grant_id AND ${isAsExpected.replaceAll('a.', 'locked.')}`;

function lockedWith(columns: string, values: string): string {
  return `
  WITH locked AS MATERIALIZED (
    SELECT s.ctid AS place, a.* FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[]${values})
      AS a(grant_id, expect, seal_key_id, at, idle_at, origin${columns})
    JOIN grant_state s ON s.grant_id = a.grant_id
    WHERE ${isAsExpected} ORDER BY s.grant_id FOR NO KEY UPDATE OF s
  )`;
}

const rotateGrants = `${lockedWith('', '')}
  ${rotate} FROM locked WHERE ${isStillAsExpected} RETURNING s.grant_id`;

// With the keys of the proofs they came with. "locked" is read by what follows, else it would not be executed. A key that is remembered already keeps its rotation out. A row that somebody changed while its
// lock was waited for lies where the update does not see it yet: its key must not be remembered either, or the next try would take its own proof for a replay.
const rotateProvedGrants = `${lockedWith(', key, until, used_from', ', $7::bytea[], $8::bigint[], $9::text[]')}, stored AS (
    INSERT INTO remembered AS r (key, until, used_from)
    SELECT key, until, used_from FROM locked JOIN grant_state s ON ${isStillAsExpected} WHERE key IS NOT NULL ORDER BY key
    ON CONFLICT (key) DO UPDATE SET until = excluded.until, used_from = excluded.used_from WHERE r.until <= $10::bigint
    RETURNING r.key
  )
  ${rotate} FROM locked LEFT JOIN stored USING (key)
  WHERE ${isStillAsExpected} AND (locked.key IS NULL OR stored.key IS NOT NULL) RETURNING s.grant_id`;

/** A rotation that is all of a commit, but for the key of its proof: what a busy server writes most. */
export function rotationOf({ changes, events }: SharedTask): Rotation | undefined {
  const remember = changes[0]?.change === 'remember' ? changes[0] : undefined;
  const rotate = changes[remember === undefined ? 0 : 1];
  if (rotate?.change !== 'rotate-grant' || rotate.generation !== undefined || events.length > 0) return undefined;
  return changes.length === (remember === undefined ? 1 : 2) ? { rotate, remember } : undefined;
}

/**
 * Rotates grants, each another one and with another key, in one statement, durable when it returns, instead of the four of a transaction. Returns the ids of those that were as expected, last used from the same
 * place, and came with a key that was not remembered; about the others nothing is decided.
 */
export async function rotateInOneStatement(pool: Pool, rotations: readonly Rotation[]): Promise<Set<string>> {
  const values = [
    rotations.map(({ rotate }) => packKey(rotate.grantId)),
    rotations.map(({ rotate }) => rotate.expect),
    rotations.map(({ rotate }) => rotate.sealKeyId),
    rotations.map(({ rotate }) => rotate.at),
    rotations.map(({ rotate }) => rotate.idleAt),
    rotations.map(({ rotate }) => Buffer.from(originDigest(rotate.origin), 'hex')),
  ];
  const keys = rotations.flatMap(({ remember }) => remember ?? []);
  const keyValues = [
    rotations.map(({ remember }) => (remember === undefined ? null : packText(remember.key))),
    rotations.map(({ remember }) => remember?.until ?? null),
    rotations.map(({ remember }) => (remember === undefined ? null : usedFromOf(remember))),
    // A key that lapsed between the first and the last of them is decided on by itself.
    Math.min(...keys.map(({ now }) => now)),
  ];
  const rows = await inStatement(pool, (connection) =>
    keys.length === 0
      ? run<{ grant_id: Buffer }>(connection, rotateGrants, values)
      : run<{ grant_id: Buffer }>(connection, rotateProvedGrants, [...values, ...keyValues]),
  );
  return new Set(rows.map((row) => unpackKey(row.grant_id)));
}
