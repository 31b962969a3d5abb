import { openConnection } from './connection.ts';

/** Begins another epoch of the store in the file. For a restore: positions of the epoch before say nothing any more. */
export function setSqliteEpoch(file: string, epoch: number): void {
  const db = openConnection({ file, readOnly: false, busyTimeoutMs: 5000, cacheBytes: 1 << 20, synchronous: 'FULL' });
  try {
    db.prepare('UPDATE store_state SET epoch = ?').run(epoch);
  } finally {
    db.close();
  }
}
