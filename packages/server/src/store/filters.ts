import type { Seconds } from '@tessera/protocol';
import type { EventFilter, GrantFilter, SessionFilter } from './store.ts';

/** Where conditions are added, as SQL with a question mark for each value. */
export type ConditionList<Value> = { add(sql: string, ...values: Value[]): void };

/** An engine's way to look ids up. */
type PackKey<Key> = (id: string) => Key;

/** SQL: the grant in `s` lives; takes `now` twice. */
export const grantLives = 's.ended_at IS NULL AND s.ends_at > ? AND (s.idle_at IS NULL OR s.idle_at > ?)';

/** Adds what a filter asks of rows of `sessions`. `hasLivingGrant`: SQL that tells whether the session has a living grant; takes `now` twice. */
export function addSessionFilter<Key>(
  where: ConditionList<Key | Seconds>,
  filter: SessionFilter,
  packKey: PackKey<Key>,
  hasLivingGrant: string,
): void {
  if (filter.userId !== undefined) where.add('user_id = ?', packKey(filter.userId));
  if (filter.clientId !== undefined) {
    where.add(
      'EXISTS (SELECT 1 FROM grants WHERE grants.sid = sessions.sid AND client_id = ?)',
      packKey(filter.clientId),
    );
  }
  const lives = `ended_at IS NULL AND ends_at > ? AND (sso_until > ? OR ${hasLivingGrant})`;
  addState(where, filter.state, lives, [filter.now, filter.now, filter.now, filter.now]);
}

/** Adds what a filter asks of rows of `grants g` joined with `grant_state s`. */
export function addGrantFilter<Key>(
  where: ConditionList<Key | Seconds>,
  filter: GrantFilter,
  packKey: PackKey<Key>,
): void {
  if (filter.userId !== undefined) where.add('g.user_id = ?', packKey(filter.userId));
  if (filter.clientId !== undefined) where.add('g.client_id = ?', packKey(filter.clientId));
  if (filter.sid !== undefined) where.add('g.sid = ?', packKey(filter.sid));
  addState(where, filter.state, grantLives, [filter.now, filter.now]);
}

/** Adds what a filter asks of rows of `events`, but for their positions and types. */
export function addEventFilter<Key>(
  where: ConditionList<Key | Seconds>,
  filter: EventFilter,
  packKey: PackKey<Key>,
): void {
  if (filter.userId !== undefined) where.add('user_id = ?', packKey(filter.userId));
  if (filter.sid !== undefined) where.add('sid = ?', packKey(filter.sid));
  if (filter.grantId !== undefined) where.add('grant_id = ?', packKey(filter.grantId));
  if (filter.clientId !== undefined) where.add('client_id = ?', packKey(filter.clientId));
  if (filter.from !== undefined) where.add('at >= ?', filter.from);
  if (filter.to !== undefined) where.add('at <= ?', filter.to);
  if (filter.mattersAt !== undefined) where.add('until > ?', filter.mattersAt);
}

// How many positions a query looks at when no index narrows it.
const slice = 8192;

/** Whether an index leaves few of the events to look at. */
export function isNarrow(filter: EventFilter): boolean {
  return filter.userId !== undefined || filter.sid !== undefined || filter.grantId !== undefined;
}

/** The positions of a filter between the first and the last of the log, in slices and in the order it asks for; one slice when an index narrows. */
export function* positionRanges(
  filter: EventFilter,
  log: { first: number; last: number },
): Generator<[from: number, to: number]> {
  const first = Math.max((filter.afterPosition ?? 0) + 1, log.first);
  const last = Math.min((filter.beforePosition ?? Number.MAX_SAFE_INTEGER) - 1, log.last);
  if (isNarrow(filter) || last - first < slice) {
    if (first <= last) yield [first, last];
  } else if (filter.newestFirst === true) {
    for (let to = last; to >= first; to -= slice) yield [Math.max(first, to - slice + 1), to];
  } else {
    for (let from = first; from <= last; from += slice) yield [from, Math.min(last, from + slice - 1)];
  }
}

function addState(
  where: ConditionList<Seconds>,
  state: 'live' | 'ended' | undefined,
  lives: string,
  values: Seconds[],
): void {
  if (state === 'live') where.add(lives, ...values);
  if (state === 'ended') where.add(`NOT (${lives})`, ...values);
}
