import type { Refused } from '../admin/operation.ts';
import { asStoreFailure } from '../store/sqlite/failure.ts';

/** Ends a command with a message for the person at the terminal. `exitCode`: 1 when it could not be done, 2 when it was called wrongly. */
export class CommandFailure extends Error {
  readonly code = 'command_failed';
  readonly exitCode: 1 | 2;
  /** What `--json` prints beside the message. */
  readonly details: Record<string, unknown>;

  constructor(message: string, exitCode: 1 | 2 = 1, details: Record<string, unknown> = {}) {
    super(message);
    this.name = 'CommandFailure';
    this.exitCode = exitCode;
    this.details = details;
  }
}

/** The failure of an operation that was refused. */
export function failureOf({ reason, detail, field }: Refused): CommandFailure {
  const wrongInput = reason === 'parameter_invalid' || reason === 'parameter_missing' || reason === 'malformed_request';
  return new CommandFailure(detail, wrongInput ? 2 : 1, { reason, ...(field === undefined ? {} : { field }) });
}

/** Codes of errors whose message is written for people, by the folder that throws them. */
const knownCodes = new Set([
  'config_invalid',
  'root_keys_invalid',
  'store_unavailable',
  'store_not_usable',
  'password_queue_full',
]);

/** What is printed of an error, and the exit code. An error nobody expected shows where it came from. */
export function describeFailure(error: unknown): {
  message: string;
  exitCode: number;
  details: Record<string, unknown>;
} {
  if (error instanceof CommandFailure)
    return { message: error.message, exitCode: error.exitCode, details: error.details };
  // Some commands work on the file itself, past the store.
  const { code, message, stack } = asStoreFailure(error) as { code?: unknown; message?: unknown; stack?: unknown };
  if (typeof code === 'string' && knownCodes.has(code))
    return { message: String(message), exitCode: code === 'config_invalid' ? 2 : 1, details: { code } };
  return { message: String(stack ?? error), exitCode: 1, details: {} };
}
