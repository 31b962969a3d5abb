import { setImmediate as nextTurn } from 'node:timers/promises';
import { addEventFilter, isNarrow, positionRanges } from '../filters.ts';
import type { EventFilter, EventRecord, StorePosition } from '../store.ts';
import { packKey } from './key.ts';
import { type EventRow, toEvent } from './rows.ts';
import { Conditions, type Statements } from './statements.ts';

/** Where the event log stands. */
export function readPosition(statements: Statements): StorePosition {
  return statements.one<StorePosition>('SELECT epoch, position FROM store_state')!;
}

/** The events a filter asks for. */
export async function readEvents(statements: Statements, filter: EventFilter): Promise<EventRecord[]> {
  const where = new Conditions();
  if (filter.types !== undefined) where.add('type IN (SELECT value FROM json_each(?))', JSON.stringify(filter.types));
  addEventFilter(where, filter, packKey);
  const order = filter.newestFirst === true ? 'DESC' : 'ASC';
  const rows: EventRow[] = [];
  for (const [from, to] of positionRanges(filter, { first: 1, last: readPosition(statements).position })) {
    // The plus keeps an index that narrows from being passed over for one that orders.
    const sql = `SELECT * FROM events WHERE ${where.sql} AND position BETWEEN ? AND ? ORDER BY ${isNarrow(filter) ? '+' : ''}position ${order} LIMIT ?`;
    rows.push(...statements.all<EventRow>(sql, ...where.values, from, to, filter.limit - rows.length));
    if (rows.length >= filter.limit) break;
    await nextTurn();
  }
  return rows.map(toEvent);
}
