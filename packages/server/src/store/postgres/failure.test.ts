import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { asStoreFailure, isLost, isRefused, isRetried, StartOver } from './failure.ts';

/** An error as the server reports it. */
function reported(code: string): Error {
  return Object.assign(new pg.DatabaseError('reported', 0, 'error'), { code, severity: 'ERROR' });
}

test('what each failure means: the connection is lost, the batch runs again, the values are refused, or the store is away', () => {
  const cases: [error: Error, meaning: string, type: string][] = [
    [reported('40001'), 'retried', 'StoreUnavailable'],
    [reported('40P01'), 'retried', 'StoreUnavailable'],
    [new StartOver(), 'retried', 'StoreUnavailable'],
    [reported('22P02'), 'refused', 'TypeError'],
    [reported('22021'), 'refused', 'TypeError'],
    [reported('23502'), 'refused', 'TypeError'],
    [reported('54000'), 'refused', 'TypeError'],
    // disk full, out of memory, too many connections, lock not available, statement timeout, insufficient privilege
    [reported('53100'), 'away', 'StoreUnavailable'],
    [reported('53200'), 'away', 'StoreUnavailable'],
    [reported('53300'), 'away', 'StoreUnavailable'],
    [reported('55P03'), 'away', 'StoreUnavailable'],
    [reported('57014'), 'away', 'StoreUnavailable'],
    [reported('42501'), 'away', 'StoreUnavailable'],
    [reported('57P01'), 'lost', 'StoreUnavailable'],
    [reported('57P03'), 'lost', 'StoreUnavailable'],
    [reported('25006'), 'lost', 'StoreUnavailable'],
    [reported('08006'), 'lost', 'StoreUnavailable'],
    [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'lost', 'StoreUnavailable'],
    [Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }), 'lost', 'StoreUnavailable'],
    [new Error('Connection terminated unexpectedly'), 'lost', 'StoreUnavailable'],
    [new Error('Query read timeout'), 'lost', 'StoreUnavailable'],
  ];
  for (const [error, meaning, type] of cases) {
    const code = (error as { code?: string }).code ?? error.message;
    const found = isLost(error) ? 'lost' : isRetried(error) ? 'retried' : isRefused(error) ? 'refused' : 'away';
    assert.equal(found, meaning, code);
    assert.equal(asStoreFailure(error).name, type, code);
  }
});

test('what an operator can do is said with the failure, and nothing of the URL', () => {
  const cases: [error: Error, says: RegExp][] = [
    [reported('28P01'), /^Postgres: reported; look at the user and password/],
    [reported('3D000'), /^Postgres: reported; make that database first \(createdb\)/],
    [reported('42501'), /^Postgres: reported; let that user own the database/],
    [reported('57P03'), /^Postgres: reported$/],
    [reported('25006'), /; the server is a standby, or default_transaction_read_only is on/],
    [reported('3F000'), /; make the schema that the user's search_path names/],
    [new Error('SASL: client password must be a string'), /; the server asks for a password .* PGPASSWORD$/],
    [new Error('The server does not support SSL connections'), /; let the server speak TLS/],
    [
      Object.assign(new Error('unable to verify the first certificate'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }),
      /; name the authority .*sslrootcert=FILE$/,
    ],
    [
      Object.assign(new Error("ENOENT: no such file or directory, open '/ca.crt'"), {
        code: 'ENOENT',
        syscall: 'open',
      }),
      /; let this user read the files that the store's URL names/,
    ],
    [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), /REFUSED; look whether Postgres runs/],
    // Of a name with several addresses, none of which answers.
    [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), /^Postgres: ECONNREFUSED; look whether/],
  ];
  for (const [error, says] of cases) assert.match(asStoreFailure(error).message, says);
});
