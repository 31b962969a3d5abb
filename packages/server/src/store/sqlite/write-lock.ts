import type { DatabaseSync } from 'node:sqlite';
import { isBusy } from './failure.ts';

// Writers leave the lock for a fraction of a millisecond between batches: looking often is what gives each its turn.
const lookEveryMs = 0.25;
// Whoever holds it longer than this is no writer between batches.
const hurryMs = 100;
const lookSeldomEveryMs = 5;

/**
 * Prepares the beginning of write transactions. The returned function waits for the lock up to `boundMs`, then throws SQLite's error. It waits
 * by itself, because SQLite's busy handler sleeps up to 100 ms between looks: with two busy writers some batches waited 700 ms.
 */
export function prepareWriteLock(db: DatabaseSync, boundMs: number): () => void {
  const begin = db.prepare('BEGIN IMMEDIATE');
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  db.exec('PRAGMA busy_timeout = 0');

  function tryToBegin(): unknown {
    try {
      begin.run();
      return undefined;
    } catch (error) {
      return error;
    }
  }

  return () => {
    const started = performance.now();
    for (;;) {
      const error = tryToBegin();
      if (error === undefined) return;
      const waited = performance.now() - started;
      if (!isBusy(error) || waited >= boundMs) throw error;
      Atomics.wait(sleeper, 0, 0, waited < hurryMs ? lookEveryMs : lookSeldomEveryMs);
    }
  };
}
