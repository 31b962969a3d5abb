import { closeSync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { openConnection } from './connection.ts';
import { migrate } from './schema.ts';

/** What a connection that writes is opened with. `maxBytes`: the most the database file may grow to. `checkpoints`: whether it checkpoints itself. */
export type WriterOptions = {
  file: string;
  cacheBytes: number;
  busyTimeoutMs: number;
  synchronous: 'FULL' | 'OFF';
  maxBytes: number | undefined;
  checkpoints: boolean;
};

/** Opens a connection that writes; makes the file, or brings it to this version's schema. Throws `StoreNotUsable` for a file of a newer version or another program, else SQLite's error. */
export function openWritingConnection(options: WriterOptions): DatabaseSync {
  // Created for the owner alone: it holds digests of passwords. SQLite gives the log the same mode.
  closeSync(openSync(options.file, 'a', 0o600));
  const db = openConnection({ ...options, readOnly: false });
  try {
    migrate(db);
    // After a kill the log may end in commits that were written and never flushed nor answered. Readers see them from now on, so they are
    // flushed before anybody reads: a checkpoint begins with that.
    if (options.synchronous === 'FULL') db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    if (options.checkpoints) db.exec('PRAGMA wal_autocheckpoint = 1000');
    if (options.maxBytes !== undefined) {
      const { page_size: pageBytes } = db.prepare('PRAGMA page_size').get() as { page_size: number };
      db.exec(`PRAGMA max_page_count = ${Math.floor(options.maxBytes / pageBytes)}`);
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
