import { addEventFilter, isNarrow, positionRanges } from '../filters.ts';
import type { EventFilter, EventRecord, StorePosition } from '../store.ts';
import { packKey } from './key.ts';
import { type EventRow, eventColumns, toEvent } from './rows.ts';
import { Conditions, type Statements } from './statements.ts';

// How many events get their positions in one transaction.
const mostPlaced = 10_000;

/** Where the log stands, from which position on it is kept, and whether committed events wait for their positions. `newest`: the latest batch among those; `signals`: how often
 * nodes have signalled commits. */
export type LogState = StorePosition & { kept_from: number; newest: number; signals: number };

const selectState = `
  SELECT epoch, position, (SELECT kept_from FROM event_log) AS kept_from, (SELECT last_value FROM commit_signals) AS signals,
    coalesce((
      SELECT max(batch) FROM event_inbox
      WHERE xid >= CASE WHEN settled > pg_snapshot_xmin(pg_current_snapshot()) THEN '0'::xid8 ELSE settled END
    ), 0) AS newest
  FROM store_state`;

/** Looks where the log stands, without giving positions. */
export async function readLogState(statements: Statements): Promise<LogState> {
  return (await statements.one<LogState>(selectState))!;
}

/**
 * Where the event log stands. First gives positions to everything that is committed and has none, so that who reads after a commit reads its events. Positions
 * are given when events are first read and not when they are written: so they are dense, they follow the order in which readers of all nodes
 * get the events, and a transaction that is open for long holds nothing back; its events come later.
 */
export async function readPosition(statements: Statements): Promise<StorePosition> {
  const { epoch, position } = await readSettledLog(statements);
  return { epoch, position };
}

async function readSettledLog(statements: Statements): Promise<LogState> {
  for (;;) {
    const state = await readLogState(statements);
    if (state.newest === 0) return state;
    await statements.all('SELECT place_events($1)', mostPlaced);
  }
}

/** The events a filter asks for. */
export async function readEvents(statements: Statements, filter: EventFilter): Promise<EventRecord[]> {
  const where = new Conditions();
  if (filter.types !== undefined) where.add('type = ANY(?::text[])', filter.types);
  addEventFilter(where, filter, packKey);
  const { position, kept_from: keptFrom } = await readSettledLog(statements);
  const direction = filter.newestFirst === true ? 'DESC' : 'ASC';
  // The plus keeps an index that narrows from being passed over for one that orders.
  const order = isNarrow(filter) ? '(position + 0)' : 'position';
  const [fromAt, toAt, limitAt] = [1, 2, 3].map((offset) => `$${where.values.length + offset}`);
  const sql = `SELECT ${eventColumns} FROM events WHERE ${where.sql} AND position BETWEEN ${fromAt} AND ${toAt} ORDER BY ${order} ${direction} LIMIT ${limitAt}`;
  const rows: EventRow[] = [];
  for (const [from, to] of positionRanges(filter, { first: keptFrom, last: position })) {
    rows.push(...(await statements.all<EventRow>(sql, ...where.values, from, to, filter.limit - rows.length)));
    if (rows.length >= filter.limit) break;
  }
  return rows.map(toEvent);
}
