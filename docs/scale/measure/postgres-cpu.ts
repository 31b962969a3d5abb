import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSecondsOf } from '../../../bench/measure/cpu-time.ts';

/** The processor seconds that a server of `startTestPostgres` and all its processes have taken so far. */
export function postgresCpuSeconds(connectionString: string): number {
  const folder = new URLSearchParams(connectionString.split('?')[1]).get('host') ?? '';
  const [main] = readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n');
  return cpuSecondsOf([Number(main)]) ?? 0;
}
