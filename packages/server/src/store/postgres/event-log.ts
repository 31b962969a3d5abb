import type { NewEvent } from '../store.ts';
import type { Connection } from './connection.ts';
import { packKey } from './key.ts';
import { count } from './statements.ts';

// One number for the batch: drawn after the transaction has taken its locks, so that who waited for another's commit has the greater one.
const insertEvents = `
  WITH drawn AS MATERIALIZED (SELECT nextval('event_batch') AS batch)
  INSERT INTO event_inbox (batch, ordinal, type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until)
  SELECT drawn.batch, a.ordinal, a.type, a.at, a.actor, a.user_id, a.sid, a.grant_id, a.client_id, a.data, a.audiences, a.until
  FROM drawn, unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::text[], $9::text[], $10::bigint[])
    WITH ORDINALITY AS a(type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until, ordinal)`;

/**
 * The writer's end of the event log: leaves events in the inbox, without positions, which readers give to what they see (`readPosition`). Call last in a
 * transaction, and once.
 */
export async function appendEvents(connection: Connection, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await count(connection, insertEvents, eventArrays(events));
}

/** The columns of events in the order in which `event_inbox` has them, each as an array. */
export function eventArrays(events: readonly NewEvent[]): unknown[][] {
  return [
    events.map((event) => event.type),
    events.map((event) => event.at),
    events.map((event) => JSON.stringify(event.actor)),
    events.map((event) => optionalKey(event.userId)),
    events.map((event) => optionalKey(event.sid)),
    events.map((event) => optionalKey(event.grantId)),
    events.map((event) => optionalKey(event.clientId)),
    events.map((event) => optionalJson(event.data)),
    events.map((event) => optionalJson(event.audiences)),
    events.map((event) => event.until ?? null),
  ];
}

function optionalKey(id: string | undefined) {
  return id === undefined ? null : packKey(id);
}

// Absent is NULL, null is the JSON word: for audiences they mean different things.
function optionalJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
