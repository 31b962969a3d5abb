import { readdirSync, readFileSync } from 'node:fs';

// Linux counts in hundredths of a second in /proc, whatever the kernel's own clock (USER_HZ).
const ticksPerSecond = 100;

/**
 * The processor time in seconds that these processes have taken so far, all threads, with what their children took and what children that are gone had taken: a database
 * server starts a process for each connection. Undefined without any, and where the system does not tell.
 */
export function cpuSecondsOf(pids: readonly number[]): number | undefined {
  if (pids.length === 0) return undefined;
  const children = childrenByParent();
  let seconds = 0;
  for (const pid of pids) {
    const taken = ofTree(pid, children);
    if (taken === undefined) return undefined;
    seconds += taken;
  }
  return seconds;
}

function ofTree(pid: number, children: ReadonlyMap<number, number[]>): number | undefined {
  const stat = readStat(pid);
  const own = fromSchedstat(pid) ?? stat?.ownSeconds;
  if (stat === undefined || own === undefined) return undefined;
  let seconds = own + stat.goneChildrenSeconds;
  // A child that ends while this looks is counted by its parent at the next look.
  for (const child of children.get(pid) ?? []) seconds += ofTree(child, children) ?? 0;
  return seconds;
}

/** From `schedstat` of each thread, which counts nanoseconds; where the kernel lacks it, `/proc/PID/stat` reads the same clock in hundredths of a second. */
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

/** `goneChildrenSeconds`: what children took that have ended and were waited for. Source: proc_pid_stat(5). */
function readStat(pid: number): { parent: number; ownSeconds: number; goneChildrenSeconds: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses and may hold spaces. ppid is the 4th, utime, stime, cutime and cstime are the 14th to 17th.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15);
    return {
      parent: fields[1] ?? 0,
      ownSeconds: (utime + stime) / ticksPerSecond,
      goneChildrenSeconds: (cutime + cstime) / ticksPerSecond,
    };
  } catch {
    return undefined;
  }
}

function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  let names: string[] = [];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    // No /proc: nothing is known of any process.
  }
  for (const pid of names.map(Number)) {
    const parent = readStat(pid)?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  return children;
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
