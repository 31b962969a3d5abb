import { readdirSync, readFileSync } from 'node:fs';

// Linux counts in hundredths of a second in /proc, whatever the kernel's own clock (USER_HZ).
const ticksPerSecond = 100;

/**
 * The processor time in seconds that all threads of a process have taken so far; undefined where the system does not tell. From `schedstat` of each thread, which
 * counts nanoseconds; where the kernel lacks it, from `/proc/PID/stat` (utime + stime), which counts hundredths of a second. Both read the same clock.
 */
export function cpuSecondsOf(pid: number): number | undefined {
  return fromSchedstat(pid) ?? fromStat(pid);
}

function fromSchedstat(pid: number): number | undefined {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    return nanoseconds > 0 ? nanoseconds / 1e9 : undefined;
  } catch {
    return undefined;
  }
}

function fromStat(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses and may hold spaces; utime and stime are the 14th and 15th.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

/** The memory in bytes that a process holds (resident set); undefined where the system does not tell. */
export function residentBytesOf(pid: number): number | undefined {
  try {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return match ? Number(match[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}
