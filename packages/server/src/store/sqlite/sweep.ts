import type { DatabaseSync } from 'node:sqlite';
import type { Seconds } from '@tessera/protocol';
import type { SweepResult } from '../store.ts';

/** What a sweep may remove, at most `limit` rows of each kind. */
export type SweepBounds = { now: Seconds; endedBefore: Seconds; eventsBefore: Seconds; limit: number };

/**
 * Prepares the sweep. A session stays while a row of its grants does, so that every grant's session can be shown; an event stays while edges
 * must hear of it. Events go in the order of their positions, so that what is left has no holes.
 */
export function prepareSweep(db: DatabaseSync): (bounds: SweepBounds) => SweepResult {
  const lapsedGrants = db.prepare('SELECT grant_id, grant_no FROM grant_state WHERE ended_at < ? LIMIT ?');
  const removeState = db.prepare('DELETE FROM grant_state WHERE grant_id = ?');
  const removeGrant = db.prepare('DELETE FROM grants WHERE grant_no = ?');
  const removeSessions = db.prepare(`
    DELETE FROM sessions WHERE session_no IN (
      SELECT session_no FROM sessions WHERE ended_at < ? AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.sid = sessions.sid) LIMIT ?)`);
  const removeRemembered = db.prepare(
    'DELETE FROM remembered WHERE key IN (SELECT key FROM remembered WHERE until <= ? LIMIT ?)',
  );
  const removeBuckets = db.prepare(
    'DELETE FROM buckets WHERE key IN (SELECT key FROM buckets WHERE empty_at <= ? LIMIT ?)',
  );
  const firstToKeep = db.prepare(`
    SELECT min(position) AS position
    FROM (SELECT position, at, until FROM events ORDER BY position LIMIT ?)
    WHERE at >= ? OR until > ?`);
  const lastOfSlice = db.prepare('SELECT position FROM events ORDER BY position LIMIT 1 OFFSET ?');
  const lastOfAll = db.prepare('SELECT max(position) AS position FROM events');
  const removeEvents = db.prepare('DELETE FROM events WHERE position < ?');

  function sweepGrants({ endedBefore, limit }: SweepBounds): number {
    const rows = lapsedGrants.all(endedBefore, limit) as { grant_id: Uint8Array | string; grant_no: number }[];
    for (const row of rows) {
      removeState.run(row.grant_id);
      removeGrant.run(row.grant_no);
    }
    return rows.length;
  }

  function sweepEvents({ now, eventsBefore, limit }: SweepBounds): number {
    const kept = (firstToKeep.get(limit, eventsBefore, now) as { position: number | null }).position;
    if (kept !== null) return Number(removeEvents.run(kept).changes);
    const last = (lastOfSlice.get(limit - 1) ?? lastOfAll.get()) as { position: number | null };
    return last.position === null ? 0 : Number(removeEvents.run(last.position + 1).changes);
  }

  return (bounds) => ({
    grants: sweepGrants(bounds),
    sessions: Number(removeSessions.run(bounds.endedBefore, bounds.limit).changes),
    remembered: Number(removeRemembered.run(bounds.now, bounds.limit).changes),
    buckets: Number(removeBuckets.run(bounds.now, bounds.limit).changes),
    events: sweepEvents(bounds),
  });
}
