import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSecondsOf } from '../../../bench/measure/cpu-time.ts';

/** The processor seconds that a server of `startTestPostgres` and its present processes have taken so far. Those of connections that ended meanwhile are not in it. */
export function postgresCpuSeconds(connectionString: string): number {
  const folder = new URLSearchParams(connectionString.split('?')[1]).get('host') ?? '';
  const [main] = readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n');
  const processes = [Number(main), ...childrenOf(Number(main))];
  return processes.reduce((sum, pid) => sum + (cpuSecondsOf(pid) ?? 0), 0);
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
}

/** The fourth field of `stat`; the second is the program's name in parentheses and may hold anything. Source: proc(5). */
function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
