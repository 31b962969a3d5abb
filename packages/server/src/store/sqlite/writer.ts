import { parentPort, workerData } from 'node:worker_threads';
import { StoreNotUsable } from '../store-not-usable.ts';
import { prepareBatches } from './batch.ts';
import { describeEngineFailure, isDamage } from './failure.ts';
import { openWritingConnection, type WriterOptions } from './writing-connection.ts';

/** What the writer is sent: a batch of tasks as JSON, or the order to close. */
export type ToWriter = { tasks: string[] } | { close: true };

/** What the writer answers: that it is ready, why it cannot be, or one reply for each task of a batch, as JSON: a copy of them as objects takes longer. */
export type FromWriter = { ready: true } | { failed: string; usable: boolean } | { replies: string };

// The writer thread, for as long as there is much to write. It knows nothing of promises or callers; batches come in, replies go out.
if (parentPort !== null) serve(parentPort, workerData as WriterOptions);

function serve(port: NonNullable<typeof parentPort>, options: WriterOptions): void {
  const send = (message: FromWriter): void => port.postMessage(message);
  try {
    const db = openWritingConnection(options);
    const run = prepareBatches(db, options.busyTimeoutMs);
    port.on('message', (message: ToWriter) => {
      if ('tasks' in message) return send({ replies: JSON.stringify(run(message.tasks)) });
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
