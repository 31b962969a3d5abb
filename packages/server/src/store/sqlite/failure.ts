import { StoreUnavailable } from '../store.ts';

// https://sqlite.org/rescode.html: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
const engineFailures = new Set([5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26]);

const notWritable = 'let the user that runs the server write to the file and its folder';
const damaged = 'stop the server and put the last backup back: tessera restore FILE, see docs/operations.md';
const advice: ReadonlyMap<number, string> = new Map([
  [8, notWritable],
  [11, damaged],
  [13, 'make room on the disk'],
  [14, notWritable],
  [26, `if it was a store it is damaged: ${damaged}`],
]);

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
  return resultCode(error) === 5;
}

/** The same failure in the words of the Store interface; anything else comes back as it is. */
export function asStoreFailure(error: unknown): unknown {
  if (!isEngineFailure(error)) return error;
  return new StoreUnavailable(`SQLite: ${describeEngineFailure(error)}`, { cause: error });
}

/** Whether the file is damaged or no database at all (SQLITE_CORRUPT, SQLITE_NOTADB): waiting does not help. */
export function isDamage(error: unknown): boolean {
  return [11, 26].includes(resultCode(error));
}

/** What the engine says, and what an operator can do about it. */
export function describeEngineFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const todo = advice.get(resultCode(error));
  return todo === undefined ? message : `${message}; ${todo}`;
}

/** SQLite's primary result code, the lowest byte; 0 for other errors. */
function resultCode(error: unknown): number {
  return error instanceof Error ? ((error as Error & { errcode?: number }).errcode ?? 0) & 0xff : 0;
}
