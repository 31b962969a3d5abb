import type { Seconds } from '@tessera/protocol';
import type { SweepResult } from '../store.ts';
import { type Connection, inTransaction, type Pool } from './connection.ts';
import { dropPassedEvents, partitionEvents, passOldEvents } from './event-partitions.ts';
import { asStoreFailure, isRetried } from './failure.ts';
import { count, run } from './statements.ts';

/** What a sweep may remove, at most `limit` rows of each kind. */
export type SweepBounds = { now: Seconds; endedBefore: Seconds; eventsBefore: Seconds; limit: number };

// A transaction removes this many rows of each kind, so that none is long.
const slice = 500;

// Rows that somebody has locked, another node's sweep for example, are left for the next time.
const removeStates = `
  DELETE FROM grant_state WHERE grant_id IN (
    SELECT grant_id FROM grant_state WHERE ended_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
  RETURNING grant_id`;
const removeGrants = 'DELETE FROM grants WHERE grant_id = ANY($1::bytea[])';
const removeSessions = `
  DELETE FROM sessions WHERE sid IN (
    SELECT sid FROM sessions s WHERE ended_at < $1 AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.sid = s.sid)
    LIMIT $2 FOR UPDATE SKIP LOCKED)`;
const removeRemembered = `
  DELETE FROM remembered WHERE key IN (SELECT key FROM remembered WHERE until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`;
const removeBuckets = `
  DELETE FROM buckets WHERE key IN (SELECT key FROM buckets WHERE empty_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`;

/**
 * Sweeps in slices, a transaction each. A session stays while a row of its grants does, so that every grant's session can be shown; an event stays
 * while edges must hear of it. Events go in the order of their positions, so that what is left has no holes: first from sight, then their partitions.
 */
export async function sweep(pool: Pool, bounds: SweepBounds): Promise<SweepResult> {
  const total: SweepResult = { sessions: 0, grants: 0, remembered: 0, buckets: 0, events: 0 };
  for (let left = bounds.limit; left > 0; left -= slice) {
    const swept = await sweepSlice(pool, { ...bounds, limit: Math.min(left, slice) });
    const kinds = Object.keys(total) as (keyof SweepResult)[];
    for (const kind of kinds) total[kind] += swept[kind];
    if (kinds.every((kind) => swept[kind] === 0)) break;
  }
  if (await partitionEvents(pool)) await dropPassedEvents(pool, bounds);
  return total;
}

async function sweepSlice(pool: Pool, bounds: SweepBounds): Promise<SweepResult> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(pool, (connection) => removeSlice(connection, bounds));
    } catch (error) {
      if (!isRetried(error) || attempt === 3) throw asStoreFailure(error);
    }
  }
}

async function removeSlice(
  connection: Connection,
  { now, endedBefore, eventsBefore, limit }: SweepBounds,
): Promise<SweepResult> {
  const states = await run<{ grant_id: Buffer }>(connection, removeStates, [endedBefore, limit]);
  if (states.length > 0) await count(connection, removeGrants, [states.map((row) => row.grant_id)]);
  return {
    grants: states.length,
    sessions: await count(connection, removeSessions, [endedBefore, limit]),
    remembered: await count(connection, removeRemembered, [now, limit]),
    buckets: await count(connection, removeBuckets, [now, limit]),
    events: await passOldEvents(connection, { now, eventsBefore, limit }),
  };
}
