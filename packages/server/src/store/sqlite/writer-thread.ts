import { Worker } from 'node:worker_threads';
import { StoreUnavailable } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import type { Reply } from './batch.ts';
import { threadUrl } from './thread.ts';
import type { FromWriter, ToWriter } from './writer.ts';
import type { WriterOptions } from './writing-connection.ts';

/** Who hears of a thread: of the replies to what it was sent, in order, and of its end unless it was asked for. */
export type WriterThreadListener = {
  answered(replies: Reply[]): void;
  lost(cause?: Error): void;
};

/** The writer thread, from the calling thread's side. */
export class WriterThread {
  readonly #worker: Worker;
  #isClosing = false;

  private constructor(worker: Worker, listener: WriterThreadListener) {
    this.#worker = worker;
    worker.on('message', (message: FromWriter) => {
      if (!('replies' in message)) return;
      worker.unref();
      listener.answered(JSON.parse(message.replies) as Reply[]);
    });
    const lost = (cause?: Error) => {
      if (!this.#isClosing) listener.lost(cause);
    };
    worker.on('error', lost);
    worker.on('exit', () => lost());
    worker.unref();
  }

  /** Starts the thread and waits until it has opened the file. Rejects with `StoreNotUsable` or `StoreUnavailable`. */
  static async start(options: WriterOptions, listener: WriterThreadListener): Promise<WriterThread> {
    const worker = new Worker(threadUrl('writer'), { workerData: options, name: 'tessera-store-writer' });
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => reject(new StoreUnavailable('the writer thread stopped as it started')));
      worker.once('message', (message: FromWriter) => {
        if ('ready' in message) return resolve();
        const text = 'failed' in message ? message.failed : 'the writer answered before it was asked';
        const described = `store ${options.file}: ${text}`;
        reject(
          'usable' in message && !message.usable ? new StoreNotUsable(described) : new StoreUnavailable(described),
        );
      });
    });
    worker.removeAllListeners('error').removeAllListeners('exit');
    return new WriterThread(worker, listener);
  }

  /** Hands it a batch of tasks as JSON, one at a time. */
  send(tasks: string[]): void {
    // Only while somebody waits does the thread keep the process alive.
    this.#worker.ref();
    this.#worker.postMessage({ tasks } satisfies ToWriter);
  }

  /** Ends the thread, which must have nothing to do. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.ref();
    this.#worker.postMessage({ close: true } satisfies ToWriter);
    await exited;
  }
}
