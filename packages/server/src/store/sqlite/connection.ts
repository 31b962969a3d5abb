import { DatabaseSync } from 'node:sqlite';

/** `busyTimeoutMs`: how long a statement waits for another process's lock. `cacheBytes`: the most its page cache takes. */
export type ConnectionOptions = {
  file: string;
  readOnly: boolean;
  busyTimeoutMs: number;
  cacheBytes: number;
  /** `OFF` only for a file that nobody will read after this process. */
  synchronous: 'FULL' | 'OFF';
};

/**
 * Opens one connection. The busy timeout is set before anything else: switching to WAL and reading the schema take locks too.
 * `synchronous=FULL` in WAL mode flushes the log at every commit, before the log's index names the new frames: other connections see a
 * commit only once it is on disk. Source: https://sqlite.org/pragma.html#pragma_synchronous and `walFrames` in SQLite's wal.c, where
 * `sqlite3OsSync` precedes `walIndexAppend` and `walIndexWriteHdr`.
 */
export function openConnection(options: ConnectionOptions): DatabaseSync {
  const db = new DatabaseSync(options.file, { readOnly: options.readOnly, timeout: options.busyTimeoutMs });
  try {
    if (!options.readOnly) db.exec('PRAGMA journal_mode = WAL');
    db.exec(`PRAGMA synchronous = ${options.synchronous}`);
    db.exec('PRAGMA wal_autocheckpoint = 0');
    db.exec(`PRAGMA cache_size = -${Math.max(64, Math.floor(options.cacheBytes / 1024))}`);
    // Foreign keys are kept by the changes themselves; checking them again would cost every insert.
    db.exec('PRAGMA foreign_keys = OFF');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
