import { cpuSecondsOf } from '../measure/cpu-time.ts';
import { quantile } from '../measure/distribution.ts';
import { Caller, type Target } from './target.ts';

/** One operation of one caller: true when everything was answered as it should be. */
export type Operation = (caller: Caller) => Promise<boolean>;

/** When a round ends: after some milliseconds, after some operations, or at whichever comes first. */
export type RoundLimit = { milliseconds: number; operations: number };

/** What one round came to. `perCpuSecond`: operations per second of the server's processor time; undefined where that is not known. */
export type Round = {
  callers: number;
  operations: number;
  errors: number;
  perSecond: number;
  perCpuSecond: number | undefined;
  p50Ms: number;
  p99Ms: number;
};

/** Lets callers repeat an operation, each on its own connection and each beginning the next when the last was answered. */
export async function runLoad(
  target: Target,
  callerCount: number,
  limit: RoundLimit,
  operation: Operation,
): Promise<Round> {
  const callers = Array.from({ length: callerCount }, (_, index) => new Caller(target, index));
  const latenciesMs: number[] = [];
  let begun = 0;
  let errors = 0;
  const cpuBefore = cpuSecondsOf(target.pids);
  const startedMs = performance.now();
  const endsMs = startedMs + limit.milliseconds;

  const work = async (caller: Caller) => {
    while (begun < limit.operations && performance.now() < endsMs) {
      begun++;
      const beganMs = performance.now();
      const isRight = await operation(caller).catch(() => false);
      latenciesMs.push(performance.now() - beganMs);
      if (!isRight && errors++ === 0) complain(target, caller);
    }
  };
  await Promise.all(callers.map(work));

  const elapsedMs = performance.now() - startedMs;
  const cpuAfter = cpuSecondsOf(target.pids);
  for (const caller of callers) caller.close();
  latenciesMs.sort((a, b) => a - b);
  const operations = latenciesMs.length;
  return {
    callers: callerCount,
    operations,
    errors,
    perSecond: (operations * 1000) / elapsedMs,
    perCpuSecond:
      cpuBefore === undefined || cpuAfter === undefined || cpuAfter <= cpuBefore
        ? undefined
        : operations / (cpuAfter - cpuBefore),
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
  };
}

/** Of a round's errors the first is told: the others are mostly the same. */
function complain({ issuer }: Target, { last }: Caller): void {
  console.error(`${issuer}: ${last ? `${last.status} ${last.body.slice(0, 300)}` : 'no answer'}`);
}
