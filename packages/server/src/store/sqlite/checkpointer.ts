import { parentPort, workerData } from 'node:worker_threads';
import { openConnection } from './connection.ts';

/** What the checkpointer thread is started with. `checkpointBytes`: how large the log grows before it is copied into the database file. */
export type CheckpointerOptions = { file: string; checkpointBytes: number; everyMs: number };

type Progress = { busy: number; log: number; checkpointed: number };

// How many times `checkpointBytes` the log may grow until writers are made to wait for its restart.
const restartFactor = 4;
// Writers wait while a restart copies what is left: so first all but this much is copied beside them, pass by pass, each shorter than the one before.
const littleLeftBytes = 128 << 10;
const mostPasses = 8;
// How many looks without news until the log is emptied, and until the thread ends.
const idleLooks = 20;
const lastLooks = 300;

if (parentPort !== null) serve(parentPort, workerData as CheckpointerOptions);

/**
 * The checkpointer thread. A passive checkpoint copies what it can and blocks nobody; but while writers never pause, it never gets all, and the
 * log grows. So beyond a bound it asks for a restart: SQLite then holds writers for the few frames that are left, and the next writer begins
 * the log anew. When nothing was written for a while the thread ends: it is a tenth of an idle server's memory. Source: https://sqlite.org/c3ref/wal_checkpoint_v2.html.
 */
function serve(port: NonNullable<typeof parentPort>, options: CheckpointerOptions): void {
  const db = openConnection({
    ...options,
    readOnly: false,
    busyTimeoutMs: 500,
    cacheBytes: 1 << 20,
    synchronous: 'FULL',
  });
  const { page_size: pageBytes } = db.prepare('PRAGMA page_size').get() as { page_size: number };
  const look = db.prepare('PRAGMA wal_checkpoint(NOOP)');
  const passive = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  const restart = db.prepare('PRAGMA wal_checkpoint(RESTART)');
  const truncate = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
  let seen = 0;
  let unchanged = 0;

  function step(): void {
    const bytes = logBytes(look.get() as Progress);
    unchanged = bytes === seen ? unchanged + 1 : 0;
    seen = bytes;
    // Nobody is in a hurry: give the space back, and leave the next process little to recover.
    if (unchanged === idleLooks && bytes > 0) truncate.get();
    if (unchanged === lastLooks) end();
    if (unchanged > 0 || bytes < options.checkpointBytes) return;
    const left = passive.get() as Progress;
    if (logBytes(left) < restartFactor * options.checkpointBytes) return;
    for (let pass = 0; pass < mostPasses && leftBytes() > littleLeftBytes; pass += 1) passive.get();
    restart.get();
  }

  function leftBytes(): number {
    const { log, checkpointed } = look.get() as Progress;
    return (log - checkpointed) * pageBytes;
  }

  function logBytes(progress: Progress): number {
    return progress.log * pageBytes;
  }

  function end(): void {
    clearInterval(timer);
    db.close();
    port.close();
  }

  const timer = setInterval(() => {
    try {
      step();
    } catch {
      // A full disk or a lock that is held: the log keeps what it has, the next round tries again.
    }
  }, options.everyMs);
  port.on('message', end);
}
