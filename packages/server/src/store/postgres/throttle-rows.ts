import { emptyAt, filled, type Level } from '../leaking-bucket.ts';
import type { ChangeOf, SharedChange } from './changes.ts';
import type { Connection } from './connection.ts';
import { StartOver } from './failure.ts';
import { packText, unpackText } from './key.ts';
import { count, run } from './statements.ts';
import type { UndoLog } from './undo-log.ts';

/** A remembered key as it is or will be. */
type Remembered = { until: number; usedFrom: string | null; isStored: boolean; isChanged: boolean };

/** A bucket as it is or will be; without a level it is to be empty. */
type Bucket = { now: Level | undefined; isStored: boolean; isChanged: boolean };

const lockRemembered = 'SELECT key, until FROM remembered WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE';
const insertRemembered = `
  INSERT INTO remembered SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[]) AS a(key, until, used_from) ORDER BY a.key
  ON CONFLICT DO NOTHING`;
const updateRemembered = `
  UPDATE remembered r SET until = a.until, used_from = a.used_from
  FROM unnest($1::bytea[], $2::bigint[], $3::text[]) AS a(key, until, used_from) WHERE r.key = a.key`;
const lockBuckets =
  'SELECT key, level, at, leak_per_second FROM buckets WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE';
const bucketColumns = `unnest($1::bytea[], $2::float8[], $3::bigint[], $4::float8[], $5::float8[]) AS a(key, level, at, leak_per_second, empty_at)`;
const insertBuckets = `INSERT INTO buckets SELECT * FROM ${bucketColumns} ORDER BY a.key ON CONFLICT DO NOTHING`;
const updateBuckets = `
  UPDATE buckets b SET level = a.level, at = a.at, leak_per_second = a.leak_per_second, empty_at = a.empty_at
  FROM ${bucketColumns} WHERE b.key = a.key`;
const deleteBuckets = 'DELETE FROM buckets WHERE key = ANY($1::bytea[])';

/**
 * The remembered keys and the buckets that a batch of commits is about. Those that are there are locked; those that are not cannot be: when one
 * turns out to have been inserted by another node, the batch starts over and sees it.
 */
export class ThrottleRows {
  readonly #undo: UndoLog;
  readonly #remembered = new Map<string, Remembered>();
  readonly #buckets = new Map<string, Bucket>();

  constructor(undo: UndoLog) {
    this.#undo = undo;
  }

  /** Locks what the changes are about: remembered keys before buckets, each by key. */
  async load(connection: Connection, changes: readonly SharedChange[]): Promise<void> {
    const remembered = keysOf(changes, ['remember']);
    if (remembered.length > 0) {
      for (const row of await run<{ key: Buffer; until: number }>(connection, lockRemembered, [remembered])) {
        const known = { until: row.until, usedFrom: null, isStored: true, isChanged: false };
        this.#remembered.set(unpackText(row.key), known);
      }
    }
    const buckets = keysOf(changes, ['fill-bucket', 'empty-bucket']);
    if (buckets.length > 0) {
      type Row = { key: Buffer; level: number; at: number; leak_per_second: number };
      for (const row of await run<Row>(connection, lockBuckets, [buckets])) {
        const now = { level: row.level, at: row.at, leakPerSecond: row.leak_per_second };
        this.#buckets.set(unpackText(row.key), { now, isStored: true, isChanged: false });
      }
    }
  }

  remember(change: ChangeOf<'remember'>): boolean {
    const { key, now, until } = change;
    const known = this.#remembered.get(key);
    if (known !== undefined && known.until > now) return false;
    const usedFrom = usedFromOf(change);
    this.#undo.set(this.#remembered, key, { until, usedFrom, isStored: known?.isStored ?? false, isChanged: true });
    return true;
  }

  fillBucket(change: ChangeOf<'fill-bucket'>): boolean {
    const now = filled(this.#buckets.get(change.key)?.now, change);
    if (!Number.isFinite(now.level)) throw new TypeError(`fill-bucket: expected a finite level, got ${now.level}`);
    this.#setBucket(change.key, now);
    return true;
  }

  emptyBucket({ key }: ChangeOf<'empty-bucket'>): boolean {
    this.#setBucket(key, undefined);
    return true;
  }

  /** Writes what was changed. Throws `StartOver` if another node inserted one of the keys meanwhile. */
  async write(connection: Connection): Promise<void> {
    await this.#writeRemembered(connection);
    await this.#writeBuckets(connection);
  }

  async #writeRemembered(connection: Connection): Promise<void> {
    const changed = [...this.#remembered].filter(([, { isChanged }]) => isChanged);
    const fresh = changed.filter(([, { isStored }]) => !isStored);
    const lapsed = changed.filter(([, { isStored }]) => isStored);
    const columns = (rows: typeof changed) => [
      rows.map(([key]) => packText(key)),
      rows.map(([, { until }]) => until),
      rows.map(([, { usedFrom }]) => usedFrom),
    ];
    if (lapsed.length > 0) await count(connection, updateRemembered, columns(lapsed));
    if (fresh.length > 0 && (await count(connection, insertRemembered, columns(fresh))) !== fresh.length)
      throw new StartOver();
  }

  async #writeBuckets(connection: Connection): Promise<void> {
    const updated: [string, Level][] = [];
    const inserted: [string, Level][] = [];
    const emptied: Buffer[] = [];
    for (const [key, { now, isStored, isChanged }] of this.#buckets) {
      if (!isChanged) continue;
      if (now !== undefined) (isStored ? updated : inserted).push([key, now]);
      else if (isStored) emptied.push(packText(key));
    }
    if (updated.length > 0) await count(connection, updateBuckets, levelColumns(updated));
    if (emptied.length > 0) await count(connection, deleteBuckets, [emptied]);
    if (inserted.length > 0 && (await count(connection, insertBuckets, levelColumns(inserted))) !== inserted.length)
      throw new StartOver();
  }

  #setBucket(key: string, now: Level | undefined): void {
    const isStored = this.#buckets.get(key)?.isStored ?? false;
    this.#undo.set(this.#buckets, key, { now, isStored, isChanged: true });
  }
}

/** Where a key was used, as the row holds it. */
export function usedFromOf({ from }: ChangeOf<'remember'>): string | null {
  return from === undefined ? null : JSON.stringify(from);
}

function keysOf(changes: readonly SharedChange[], kinds: readonly SharedChange['change'][]): Buffer[] {
  const keys = new Set<string>();
  for (const change of changes) if ('key' in change && kinds.includes(change.change)) keys.add(change.key);
  return [...keys].map(packText);
}

function levelColumns(levels: [string, Level][]): unknown[] {
  return [
    levels.map(([key]) => packText(key)),
    levels.map(([, { level }]) => level),
    levels.map(([, { at }]) => at),
    levels.map(([, { leakPerSecond }]) => leakPerSecond),
    levels.map(([, level]) => emptyAt(level)),
  ];
}
