import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventFilter, EventRecord, StorePosition } from '../store.ts';
import { packKey } from './key.ts';
import { type EventRow, toEvent } from './rows.ts';
import { Conditions, type Statements } from './statements.ts';

// How many positions a query looks at when no index narrows it.
const slice = 8192;

/** Where the event log stands. */
export function readPosition(statements: Statements): StorePosition {
  return statements.one<StorePosition>('SELECT epoch, position FROM store_state')!;
}

/** The events a filter asks for. */
export async function readEvents(statements: Statements, filter: EventFilter): Promise<EventRecord[]> {
  const where = conditionsOf(filter);
  const first = (filter.afterPosition ?? 0) + 1;
  const last = Math.min((filter.beforePosition ?? Number.MAX_SAFE_INTEGER) - 1, readPosition(statements).position);
  const order = filter.newestFirst === true ? 'DESC' : 'ASC';
  const rows: EventRow[] = [];
  for (const [from, to] of ranges(first, last, order === 'DESC', isNarrow(filter))) {
    // The plus keeps an index that narrows from being passed over for one that orders.
    const sql = `SELECT * FROM events WHERE ${where.sql} AND position BETWEEN ? AND ? ORDER BY ${isNarrow(filter) ? '+' : ''}position ${order} LIMIT ?`;
    rows.push(...statements.all<EventRow>(sql, ...where.values, from, to, filter.limit - rows.length));
    if (rows.length >= filter.limit) break;
    await nextTurn();
  }
  return rows.map(toEvent);
}

function conditionsOf(filter: EventFilter): Conditions {
  const where = new Conditions();
  if (filter.types !== undefined) where.add(`type IN (SELECT value FROM json_each(?))`, JSON.stringify(filter.types));
  if (filter.userId !== undefined) where.add('user_id = ?', packKey(filter.userId));
  if (filter.sid !== undefined) where.add('sid = ?', packKey(filter.sid));
  if (filter.grantId !== undefined) where.add('grant_id = ?', packKey(filter.grantId));
  if (filter.clientId !== undefined) where.add('client_id = ?', packKey(filter.clientId));
  if (filter.from !== undefined) where.add('at >= ?', filter.from);
  if (filter.to !== undefined) where.add('at <= ?', filter.to);
  if (filter.mattersAt !== undefined) where.add('until > ?', filter.mattersAt);
  return where;
}

function isNarrow(filter: EventFilter): boolean {
  return filter.userId !== undefined || filter.sid !== undefined || filter.grantId !== undefined;
}

/** The positions from `first` to `last` in slices, in the order asked for; one slice when an index narrows. */
function* ranges(first: number, last: number, descending: boolean, inOne: boolean): Generator<[number, number]> {
  if (inOne || last - first < slice) {
    if (first <= last) yield [first, last];
  } else if (descending) {
    for (let to = last; to >= first; to -= slice) yield [Math.max(first, to - slice + 1), to];
  } else {
    for (let from = first; from <= last; from += slice) yield [from, Math.min(last, from + slice - 1)];
  }
}
