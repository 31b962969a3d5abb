import { closeSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import type { StorePosition } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { assertUsable } from './schema.ts';

/** What a backup holds. */
export type BackedUp = StorePosition & { pages: number; sessions: number; grants: number };

// Between two pieces others get the thread pool; a piece of a megabyte takes some milliseconds.
const piecePages = 256;

/**
 * Writes a consistent copy of the store to `target`, beside a running server or not: the state of one moment, in one file, for its owner alone, checked page by page. Never overwrites;
 * a copy that was cut short does not stand under its name. While it runs, the server's log cannot be shortened and grows.
 */
export async function backupSqlite(
  file: string,
  target: string,
  onProgress: (done: number, total: number) => void,
): Promise<BackedUp> {
  const partial = `${target}.partial`;
  try {
    await copyDatabase(file, partial, onProgress);
    const held = inspect(partial);
    syncFile(partial);
    linkSync(partial, target);
    syncFile(dirname(target));
    return held;
  } finally {
    removeDatabase(partial);
  }
}

/** Copies the state that the store in `file` has at this moment into `target`, which is made anew, for its owner alone. */
export async function copyDatabase(
  file: string,
  target: string,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<void> {
  removeDatabase(target);
  // Made first, so that it is never readable by others.
  closeSync(openSync(target, 'wx', 0o600));
  const source = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    assertUsable(source);
    // One snapshot for the whole copy: else it begins anew with each commit of the server.
    source.exec('BEGIN');
    source.prepare('SELECT count(*) FROM sqlite_schema').get();
    await backup(source, target, {
      rate: piecePages,
      progress: ({ totalPages, remainingPages }) => onProgress(totalPages - remainingPages, totalPages),
    });
  } finally {
    source.close();
  }
}

/** Looks through a whole store file. Throws `StoreNotUsable` for one that is damaged, or none of Tessera. */
export function inspect(file: string): BackedUp {
  const db = new DatabaseSync(file, { timeout: 5000 });
  try {
    assertUsable(db);
    db.exec('PRAGMA journal_mode = DELETE');
    const problems = db.prepare('PRAGMA integrity_check(3)').all() as { integrity_check: string }[];
    if (problems[0]?.integrity_check !== 'ok')
      throw new StoreNotUsable(`${file} is damaged: ${problems.map((row) => row.integrity_check).join('; ')}`);
    const { page_count: pages } = db.prepare('PRAGMA page_count').get() as { page_count: number };
    const held = db.prepare(`
      SELECT epoch, position, (SELECT count(*) FROM sessions WHERE ended_at IS NULL) AS sessions,
        (SELECT count(*) FROM grant_state WHERE ended_at IS NULL) AS grants
      FROM store_state`);
    return { ...(held.get() as Omit<BackedUp, 'pages'>), pages };
  } finally {
    db.close();
  }
}

/** Removes a database file and what SQLite keeps beside it. */
export function removeDatabase(file: string): void {
  for (const ending of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${ending}`, { force: true });
}

/** Waits until a file, or the names in a folder, are on disk. */
export function syncFile(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
