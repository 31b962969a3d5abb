import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytesOf } from '../measure/cpu-time.ts';
import { type About, type Row, rowOfFigure, rowOfTimes, withRatios } from '../report.ts';
import { freePort, startSubject } from '../subjects/start-subject.ts';
import type { StoreName, SubjectName } from './scenario.ts';

/** A server that can be started again on the folder, and the database, it had. `readyPath`: what it answers once it can serve. */
export type Startable = { name: SubjectName; program: string; folder: string; readyPath: string; store?: string };

const mebibyte = 1024 * 1024;

/** `cold_start`: from starting the process to the first answer that it is ready, in turns. `idle_memory`: what the last process of each holds after that many idle seconds. */
export async function runStarts(
  store: StoreName,
  startables: readonly Startable[],
  extent: { repeats: number; idleSeconds: number },
): Promise<Row[]> {
  const times = new Map<SubjectName, number[]>(startables.map(({ name }) => [name, []]));
  const memory: Row[] = [];
  for (let repeat = 0; repeat < extent.repeats; repeat++)
    for (const { name, readyPath, program, ...where } of startables) {
      const port = await freePort();
      const startedMs = performance.now();
      const starting = startSubject(program, {
        port,
        sessions: 0,
        folder: where.folder,
        ...(where.store && { store: where.store }),
      });
      // Nobody may miss that it failed while the other is awaited.
      starting.catch(() => undefined);
      const answering = firstAnswer(`http://127.0.0.1:${port}${readyPath}`, startedMs);
      const subject = await starting;
      try {
        times.get(name)?.push(await answering);
        if (repeat === extent.repeats - 1)
          memory.push(
            await idleMemory({ scenario: 'idle_memory', store, subject: name }, subject.pid, extent.idleSeconds),
          );
      } finally {
        await subject.stop();
      }
    }
  const starts = startables.map(({ name }) =>
    rowOfTimes({ scenario: 'cold_start', store, subject: name }, times.get(name) ?? [], 0),
  );
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

async function idleMemory(about: About, pid: number, idleSeconds: number): Promise<Row> {
  await sleep(idleSeconds * 1000);
  return rowOfFigure(about, 'MiB', (residentBytesOf(pid) ?? Number.NaN) / mebibyte);
}
