import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytesOf } from '../measure/cpu-time.ts';
import { type Row, rounded, rowOfTimes, withRatios } from '../report.ts';
import { freePort, startSubject } from '../subjects/start-subject.ts';
import type { SubjectName } from './scenario.ts';

/** A server that can be started again on the folder it had. `readyPath`: what it answers once it can serve. */
export type Startable = { name: SubjectName; program: string; folder: string; readyPath: string };

const mebibyte = 1024 * 1024;

/** `cold_start`: from starting the process to the first answer that it is ready, in turns. `idle_memory`: what the last process of each holds after that many idle seconds. */
export async function runStarts(
  startables: readonly Startable[],
  extent: { repeats: number; idleSeconds: number },
): Promise<Row[]> {
  const times = new Map<SubjectName, number[]>(startables.map(({ name }) => [name, []]));
  const memory: Row[] = [];
  for (let repeat = 0; repeat < extent.repeats; repeat++)
    for (const { name, program, folder, readyPath } of startables) {
      const port = await freePort();
      const startedMs = performance.now();
      const starting = startSubject(program, { port, folder, sessions: 0 });
      // Nobody may miss that it failed while the other is awaited.
      starting.catch(() => undefined);
      const answering = firstAnswer(`http://127.0.0.1:${port}${readyPath}`, startedMs);
      const subject = await starting;
      try {
        times.get(name)?.push(await answering);
        if (repeat === extent.repeats - 1) memory.push(await idleMemory(name, subject.pid, extent.idleSeconds));
      } finally {
        await subject.stop();
      }
    }
  const starts = startables.map(({ name }) => rowOfTimes('cold_start', name, times.get(name) ?? [], 0));
  return [...withRatios(starts), ...withRatios(memory)];
}

async function firstAnswer(url: string, startedMs: number): Promise<number> {
  while (performance.now() - startedMs < 30_000) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return performance.now() - startedMs;
    await sleep(4);
  }
  throw new Error(`${url} did not answer within 30 s`);
}

async function idleMemory(subject: SubjectName, pid: number, idleSeconds: number): Promise<Row> {
  await sleep(idleSeconds * 1000);
  const value = rounded((residentBytesOf(pid) ?? Number.NaN) / mebibyte);
  const none = { p50_ms: null, p99_ms: null, errors: 0, ratio_to_peer: null, ratio_to_limit: null };
  return { scenario: 'idle_memory', store: 'sqlite', subject, value, unit: 'MiB', median: value, ...none };
}
