import type { Seconds } from '@tessera/protocol';
import { type Connection, inTransaction, type Pool, quoteName, withConnection } from './connection.ts';
import { asStoreFailure, failureCode, isRetried } from './failure.ts';
import { count, run } from './statements.ts';

// How long a step may keep readers of the log waiting, which queue behind its lock. When the table is in use for longer (a dump), it is tried again with the next sweep.
const lockMs = 100;
// A proof reads the whole log beside everybody; the server needs seconds for ten million events.
const proofMs = 3_600_000;
// Partitions hold about a day. Where one takes much longer to fill, its old rows go one by one.
const lingering: Seconds = 2 * 86_400;

const isOrdinary = "SELECT 1 FROM pg_class WHERE oid = 'events'::regclass AND relkind = 'r'";
const proveBound = 'ALTER TABLE events VALIDATE CONSTRAINT events_end';

/**
 * Makes the event log of an older database a partitioned table, without copying it: the old table becomes the first partition. Does nothing, and says false, when it could
 * not have the table to itself for a moment: call again later. Any number of nodes may try at once.
 */
export async function partitionEvents(pool: Pool): Promise<boolean> {
  if ((await withConnection(pool, (connection) => run(connection, isOrdinary))).length === 0) return true;
  return (
    (await briefly(pool, (connection) => run(connection, 'SELECT bound_events()'))) &&
    (await briefly(pool, async (connection) => {
      await connection.query('SET LOCAL statement_timeout = 0');
      await connection.query({ text: proveBound, query_timeout: proofMs } as { text: string });
    })) &&
    (await briefly(pool, (connection) => run(connection, 'SELECT partition_events()')))
  );
}

const lockLog = 'SELECT kept_from FROM event_log FOR UPDATE SKIP LOCKED';
const pass = `
  WITH oldest AS MATERIALIZED (SELECT position, at, until FROM events WHERE position >= $1 ORDER BY position LIMIT $4),
    kept AS (SELECT min(position) AS position FROM oldest WHERE at >= $2 OR until > $3)
  SELECT count(*)::int AS passed, max(oldest.position) + 1 AS kept_from
  FROM oldest, kept WHERE kept.position IS NULL OR oldest.position < kept.position`;
const moveOn = 'UPDATE event_log SET kept_from = $1';

/** Which events a sweep may pass over, at most `limit`. */
export type EventBounds = { now: Seconds; eventsBefore: Seconds; limit: number };

/** Moves the beginning of the log past events that are older than the retention and that no edge must remember; says past how many. They are no longer shown from then on. */
export async function passOldEvents(
  connection: Connection,
  { now, eventsBefore, limit }: EventBounds,
): Promise<number> {
  const [log] = await run<{ kept_from: number }>(connection, lockLog);
  // Another node is at it.
  if (log === undefined) return 0;
  const [found] = await run<{ passed: number; kept_from: number }>(connection, pass, [
    log.kept_from,
    eventsBefore,
    now,
    limit,
  ]);
  if (found === undefined || found.passed === 0) return 0;
  await count(connection, moveOn, [found.kept_from]);
  return found.passed;
}

const passedPartition = `
  SELECT end_position, name FROM event_partitions
  WHERE end_position <= (SELECT kept_from FROM event_log) AND end_position < (SELECT partitioned_to FROM event_log)
  ORDER BY end_position LIMIT 1 FOR UPDATE SKIP LOCKED`;
const forget = 'DELETE FROM event_partitions WHERE end_position = $1';
const removeLingering = `
  WITH oldest AS MATERIALIZED (
    SELECT position, at FROM events WHERE position < (SELECT kept_from FROM event_log) ORDER BY position LIMIT $2
  ), kept AS (SELECT min(position) AS position FROM oldest WHERE at >= $1)
  DELETE FROM events USING kept
  WHERE events.position <= (SELECT max(position) FROM oldest) AND (kept.position IS NULL OR events.position < kept.position)`;

/** Frees what events took that were passed: drops the partitions that hold no others, and of those that fill slowly removes the oldest rows, at most `limit`. */
export async function dropPassedEvents(pool: Pool, { eventsBefore, limit }: EventBounds): Promise<void> {
  let isMore = true;
  while (isMore) {
    isMore = false;
    const isFree = await briefly(pool, async (connection) => {
      const [partition] = await run<{ end_position: number; name: string }>(connection, passedPartition);
      if (partition === undefined) return;
      await connection.query(`DROP TABLE ${quoteName(partition.name)}`);
      await count(connection, forget, [partition.end_position]);
      isMore = true;
    });
    if (!isFree) return;
  }
  await briefly(pool, (connection) => count(connection, removeLingering, [eventsBefore - lingering, limit]));
}

/** Runs a transaction that waits for no lock for long; false: it would have had to, and nothing was done. */
async function briefly(pool: Pool, work: (connection: Connection) => Promise<unknown>): Promise<boolean> {
  try {
    await inTransaction(pool, async (connection) => {
      await connection.query(`SET LOCAL lock_timeout = ${lockMs}`);
      await work(connection);
    });
    return true;
  } catch (error) {
    // lock_not_available; or another node did the same meanwhile.
    if (failureCode(error) === '55P03' || isRetried(error)) return false;
    throw asStoreFailure(error);
  }
}
