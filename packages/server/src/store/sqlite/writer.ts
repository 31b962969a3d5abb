import { closeSync, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { StoreNotUsable } from '../store-not-usable.ts';
import { prepareBatches } from './batch.ts';
import { openConnection } from './connection.ts';
import { describeEngineFailure, isDamage } from './failure.ts';
import { migrate } from './schema.ts';

/** What the writer thread is started with. `maxBytes`: the most the database file may grow to. `checkpoints`: whether it checkpoints itself. */
export type WriterOptions = {
  file: string;
  cacheBytes: number;
  busyTimeoutMs: number;
  synchronous: 'FULL' | 'OFF';
  maxBytes: number | undefined;
  checkpoints: boolean;
};

/** What the writer is sent: a batch of tasks as JSON, or the order to close. */
export type ToWriter = { tasks: string[] } | { close: true };

/** What the writer answers: that it is ready, why it cannot be, or one reply for each task of a batch, as JSON. */
export type FromWriter = { ready: true } | { failed: string; usable: boolean } | { replies: string };

// The writer thread: the only connection of this process that writes. It knows nothing of promises or callers; batches come in, replies go out.
if (parentPort !== null) serve(parentPort, workerData as WriterOptions);

function serve(port: NonNullable<typeof parentPort>, options: WriterOptions): void {
  const send = (message: FromWriter): void => port.postMessage(message);
  try {
    const db = open(options);
    const run = prepareBatches(db, options.busyTimeoutMs);
    port.on('message', (message: ToWriter) => {
      if ('tasks' in message) return send({ replies: run(message.tasks) });
      db.close();
      port.close();
    });
    send({ ready: true });
  } catch (error) {
    send({
      failed: describeEngineFailure(error),
      usable: !(error instanceof StoreNotUsable || isDamage(error)),
    });
    port.close();
  }
}

function open(options: WriterOptions) {
  // Created for the owner alone: it holds digests of passwords. SQLite gives the log the same mode.
  closeSync(openSync(options.file, 'a', 0o600));
  const db = openConnection({ ...options, readOnly: false });
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
}
