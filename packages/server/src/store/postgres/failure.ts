import { StoreUnavailable } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { adviceOn } from './failure-advice.ts';

/** Thrown inside a transaction when what was to be new turns out to be there since: roll back and begin again, it will be seen then. */
export class StartOver extends Error {
  readonly code = 'start_over';
  constructor() {
    super('another node wrote the same key meanwhile');
    this.name = 'StartOver';
  }
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
// serialization_failure, deadlock_detected, unique_violation (of a key that another node took between our look and our write).
const retried = new Set(['40001', '40P01', '23505', 'start_over']);
// admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout; read_only_sql_transaction: the server has become a standby, ask again who leads.
const ended = new Set(['57P01', '57P02', '57P03', '57P05', '25006', '25P03']);

const ours = new Set(['start_over', 'conflict', 'store_not_usable']);

/** What the server, or the driver, calls the failure. */
export function failureCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Whether the same batch may succeed when it is run again. */
export function isRetried(error: unknown): boolean {
  return retried.has(failureCode(error) ?? '');
}

/** Whether the values are at fault (data exceptions, broken constraints, limits of a row): this commit can never be written. */
export function isRefused(error: unknown): boolean {
  return isServerError(error) && /^(22|23|54)/.test(failureCode(error)!);
}

/**
 * Whether the connection is of no more use: lost, ended by the server, or not answering. All that is not the server's own report of an error
 * counts, because then nobody knows what state the connection is in.
 */
export function isLost(error: unknown): boolean {
  // Ours: thrown to undo a transaction on a connection that is well.
  if (error instanceof TypeError || ours.has(failureCode(error) ?? '')) return false;
  return !isServerError(error) || ended.has(failureCode(error)!) || failureCode(error)!.startsWith('08');
}

/** Whether the server gave a statement up because it took too long: one of the next would too. */
export function isTooSlow(error: unknown): boolean {
  // query_canceled
  return failureCode(error) === '57014';
}

/** The same failure in the words of the Store interface; errors that are so already come back as they are. */
export function asStoreFailure(error: unknown): Error {
  if (error instanceof StoreUnavailable || error instanceof StoreNotUsable || error instanceof TypeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (isRefused(error)) return new TypeError(`changes or events that cannot be stored: ${message}`, { cause: error });
  const code = failureCode(error);
  const advice = adviceOn(error, code);
  // Where a name has several addresses, and none answers, only the code says something.
  const what = message === '' ? code : message;
  return new StoreUnavailable(`Postgres: ${what}${advice === undefined ? '' : `; ${advice}`}`, { cause: error });
}

/** True for what the server reports: it has a five-letter SQLSTATE and a severity. */
function isServerError(error: unknown): boolean {
  return (
    /^[0-9A-Z]{5}$/.test(failureCode(error) ?? '') && typeof (error as { severity?: unknown }).severity === 'string'
  );
}
