import type { DatabaseSync } from 'node:sqlite';
import { emptyAt, filled, type Level } from '../leaking-bucket.ts';
import type { ChangeOf } from './changes.ts';

/** The changes of what is remembered for a while: keys that may be used once, and buckets that count failures. */
export function prepareThrottleChanges(db: DatabaseSync) {
  const remember = db.prepare(`
    INSERT INTO remembered (key, until, used_from) VALUES (?1, ?2, ?4)
    ON CONFLICT (key) DO UPDATE SET until = excluded.until, used_from = excluded.used_from WHERE until <= ?3`);
  const readBucket = db.prepare('SELECT level, at, leak_per_second AS leakPerSecond FROM buckets WHERE key = ?');
  const writeBucket = db.prepare(`
    INSERT OR REPLACE INTO buckets (key, level, at, leak_per_second, empty_at) VALUES (?, ?, ?, ?, ?)`);
  const emptyBucket = db.prepare('DELETE FROM buckets WHERE key = ?');

  return {
    remember({ key, now, until, from }: ChangeOf<'remember'>): boolean {
      return remember.run(key, until, now, from === undefined ? null : JSON.stringify(from)).changes === 1;
    },

    fillBucket(change: ChangeOf<'fill-bucket'>): boolean {
      const now = filled(readBucket.get(change.key) as Level | undefined, change);
      writeBucket.run(change.key, now.level, now.at, now.leakPerSecond, emptyAt(now));
      return true;
    },

    emptyBucket({ key }: ChangeOf<'empty-bucket'>): boolean {
      emptyBucket.run(key);
      return true;
    },
  };
}
