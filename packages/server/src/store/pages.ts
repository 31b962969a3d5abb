import type { Page } from './store.ts';

/** The page that rows make, of which one more was read than it holds if there are as many. `cursor`: the row's place, after which the next page begins. */
export function pageOf<Row, T>(
  rows: readonly Row[],
  limit: number,
  cursor: (row: Row) => string,
  convert: (row: Row) => T,
): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items: items.map(convert) };
  return { items: items.map(convert), next: cursor(last) };
}

/** The number of the row that a cursor names, where rows are numbered and the newest come first; without one, a number above all of them. */
export function numberOfCursor(cursor: string | undefined): number {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
  // A cursor we did not make finds nothing: it comes from the wire, and is no reason to fail.
  return /^[0-9]{1,15}$/.test(cursor) ? Number(cursor) : 0;
}
