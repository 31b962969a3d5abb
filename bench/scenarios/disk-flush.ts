import { closeSync, fdatasyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Row, rowOfTimes } from '../report.ts';
import type { StoreName } from './scenario.ts';

/** What the disk takes to make 4 KiB durable: the least that a commit waits. */
export function runDiskFlush(folder: string, repeats: number, store: StoreName): Row {
  const file = join(folder, 'flush-probe');
  const descriptor = openSync(file, 'w', 0o600);
  const page = Buffer.alloc(4096, 0x5a);
  const milliseconds: number[] = [];
  try {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const beganMs = performance.now();
      writeSync(descriptor, page, 0, page.length, (repeat % 256) * page.length);
      fdatasyncSync(descriptor);
      milliseconds.push(performance.now() - beganMs);
    }
  } finally {
    closeSync(descriptor);
    unlinkSync(file);
  }
  return rowOfTimes({ scenario: 'disk_flush', store, subject: 'limit' }, milliseconds, 0);
}
