import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../tests/free-port.ts';
import { residentBytesOf } from '../measure/cpu-time.ts';
import { type Row, rowOfFigure, rowOfTimes, withRatios } from '../report.ts';
import { startProgram, stopProgram } from '../subjects/start-subject.ts';
import type { StoreName, SubjectName } from './scenario.ts';

/** A server that can be started again on the folder, and the database, it had. `command`: starts it on that port; `readyPath`: what it answers once it can serve. */
export type Startable<Name = SubjectName> = {
  name: Name;
  command(port: number): string[] | Promise<string[]>;
  readyPath: string;
};

/** How long its starts took, and what the last process held after some idle seconds. */
export type Starts = { startsMs: number[]; idleBytes: number };

/** Bytes of a MiB. */
export const mebibyte = 1024 * 1024;

/** `cold_start`: from starting the process to the first answer that it is ready, in turns. `idle_memory`: what the last process of each holds after that many idle seconds. */
export async function runStarts(
  store: StoreName,
  startables: readonly Startable[],
  extent: { repeats: number; idleSeconds: number },
): Promise<Row[]> {
  const measured = [...(await measureStarts(startables, extent))];
  const starts = measured.map(([subject, { startsMs }]) =>
    rowOfTimes({ scenario: 'cold_start', store, subject }, startsMs, 0),
  );
  const memory = measured.map(([subject, { idleBytes }]) =>
    rowOfFigure({ scenario: 'idle_memory', store, subject }, 'MiB', idleBytes / mebibyte),
  );
  return [...withRatios(starts), ...withRatios(memory)];
}

/** Starts them in turns, again and again. */
export async function measureStarts<Name>(
  startables: readonly Startable<Name>[],
  extent: { repeats: number; idleSeconds: number },
): Promise<Map<Name, Starts>> {
  const measured = new Map<Name, Starts>(startables.map(({ name }) => [name, { startsMs: [], idleBytes: Number.NaN }]));
  for (let repeat = 0; repeat < extent.repeats; repeat++)
    for (const { name, command, readyPath } of startables) {
      const port = await freePort();
      const line = await command(port);
      const startedMs = performance.now();
      const child = startProgram(line, () => undefined);
      const starts = measured.get(name) as Starts;
      try {
        starts.startsMs.push(await firstAnswer(`http://127.0.0.1:${port}${readyPath}`, startedMs));
        if (repeat < extent.repeats - 1) continue;
        await sleep(extent.idleSeconds * 1000);
        starts.idleBytes = residentBytesOf(child.pid as number) ?? Number.NaN;
      } finally {
        await stopProgram(child);
      }
    }
  return measured;
}

async function firstAnswer(url: string, startedMs: number): Promise<number> {
  while (performance.now() - startedMs < 30_000) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return performance.now() - startedMs;
    await sleep(4);
  }
  throw new Error(`${url} did not answer within 30 s`);
}
