import { DatabaseSync } from 'node:sqlite';
import { StoreNotUsable } from '../store-not-usable.ts';
import { isBusy } from './failure.ts';

/**
 * Opens the file so that nobody else has it open, nor can open it until it is closed: every connection in WAL mode holds a lock that ends with its process, however that ended. Its log is
 * written into it and removed. Throws `StoreNotUsable` when another process has it open.
 */
export function openAlone(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 500 });
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    // Leaving WAL needs every other connection gone; with it goes the log, which is named after the file and not bound to it.
    db.exec('PRAGMA journal_mode = DELETE');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if (!isBusy(error)) throw error;
    throw new StoreNotUsable(`another process has ${file} open; stop the server, and every command that uses it`, {
      cause: error,
    });
  }
}
