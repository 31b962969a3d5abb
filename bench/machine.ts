import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { canPin } from './subjects/start-subject.ts';

/** The machine in one line: figures mean nothing without it. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const gibibytes = Math.round(totalmem() / 1024 ** 3);
  const busy = (loadavg()[0] ?? 0).toFixed(1);
  const pinned = canPin ? 'server on the first core, load on the others' : 'nothing pinned to a core';
  return `${availableParallelism()} cores, ${model}, ${gibibytes} GiB, Node ${process.version}, ${process.platform}; load ${busy} before the run; ${pinned}`;
}
