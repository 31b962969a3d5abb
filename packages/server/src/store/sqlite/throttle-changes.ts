import type { DatabaseSync } from 'node:sqlite';
import type { ChangeOf } from './changes.ts';

/** The changes of what is remembered for a while: keys that may be used once, and buckets that count failures. */
export function prepareThrottleChanges(db: DatabaseSync) {
  const remember = db.prepare(`
    INSERT INTO remembered (key, until, used_from) VALUES (?1, ?2, ?4)
    ON CONFLICT (key) DO UPDATE SET until = excluded.until, used_from = excluded.used_from WHERE until <= ?3`);
  const readBucket = db.prepare('SELECT level, at, leak_per_second FROM buckets WHERE key = ?');
  const writeBucket = db.prepare(`
    INSERT OR REPLACE INTO buckets (key, level, at, leak_per_second, empty_at) VALUES (?, ?, ?, ?, ?)`);
  const emptyBucket = db.prepare('DELETE FROM buckets WHERE key = ?');

  return {
    remember({ key, now, until, from }: ChangeOf<'remember'>): boolean {
      return remember.run(key, until, now, from === undefined ? null : JSON.stringify(from)).changes === 1;
    },

    fillBucket({ key, add, leakPerSecond, at }: ChangeOf<'fill-bucket'>): boolean {
      const stored = readBucket.get(key) as { level: number; at: number; leak_per_second: number } | undefined;
      const last = stored ?? { level: 0, at, leak_per_second: leakPerSecond };
      // A node whose clock is behind sees no time pass, and takes none back.
      const leaked = last.leak_per_second * Math.max(0, at - last.at);
      const level = Math.max(0, Math.max(0, last.level - leaked) + add);
      const asOf = Math.max(at, last.at);
      // Number.MAX_VALUE: SQLite has no infinity that survives a dump.
      const emptyAt = leakPerSecond > 0 ? asOf + level / leakPerSecond : Number.MAX_VALUE;
      writeBucket.run(key, level, asOf, leakPerSecond, emptyAt);
      return true;
    },

    emptyBucket({ key }: ChangeOf<'empty-bucket'>): boolean {
      emptyBucket.run(key);
      return true;
    },
  };
}
