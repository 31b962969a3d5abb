import { StoreUnavailable } from '../store.ts';

// https://sqlite.org/rescode.html: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
const engineFailures = new Set([5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26]);

/** Whether an error tells of the database (disk, locks, files) rather than of what it was asked to do. */
export function isEngineFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as Error & { code?: string; errcode?: number };
  // A connection that was closed under our hands answers ERR_INVALID_STATE.
  if (code === 'ERR_INVALID_STATE') return true;
  return code === 'ERR_SQLITE_ERROR' && errcode !== undefined && engineFailures.has(errcode & 0xff);
}

/** Whether another process held the lock for too long: trying again at once would wait as long. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && ((error as Error & { errcode?: number }).errcode ?? 0) % 256 === 5;
}

/** The same failure in the words of the Store interface; anything else comes back as it is. */
export function asStoreFailure(error: unknown): unknown {
  if (!isEngineFailure(error)) return error;
  return new StoreUnavailable(`SQLite: ${(error as Error).message}`, { cause: error });
}
