import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * What a process did to some files, in order. `written` and `resized` are on their way to the disk; `flushed` says that all that was on its way for that file when the flush
 * `began` (an index into the list) is on it; `named` the same of the names in a folder.
 */
export type DiskStep =
  | { step: 'written'; path: string; offset: number; bytes: Buffer }
  | { step: 'resized'; path: string; length: number }
  | { step: 'flushed'; path: string; began: number }
  | { step: 'said'; text: string };

/** Whether there is strace. */
export function hasTracer(): boolean {
  return spawnSync('strace', ['--version']).status === 0;
}

/** Whether system calls can be traced here. */
export function canTrace(): boolean {
  return spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
}

/** Runs a command for that long, and on until it has flushed the first of these files, then kills it, and returns what it did to them, and when it said what on its standard output, which is the file `said`. */
export async function traceDisk(
  command: readonly string[],
  files: { paths: readonly string[]; said: string; trace: string; forMs: number },
): Promise<DiskStep[]> {
  const calls = 'trace=pwrite64,write,ftruncate,fdatasync,fsync';
  const watched = [...files.paths, files.said].flatMap((path) => ['-P', path]);
  const options = ['-f', '-qq', '-y', '-xx', '-s', '1000000', '-e', calls, '-e', 'signal=none', ...watched];
  const child = spawn('sh', ['-c', 'exec strace "$@" > "$SAID"', 'sh', ...options, '-o', files.trace, ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SAID: files.said },
    detached: true,
  });
  const closed = once(child, 'close');
  while (!existsSync(files.said) || readFileSync(files.said).length === 0) {
    if (child.exitCode !== null) throw new Error('the traced process ended before it said anything');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await new Promise((resolve) => setTimeout(resolve, files.forMs));
  while (!hasFlushed(files.trace, files.paths[0] as string)) await new Promise((resolve) => setTimeout(resolve, 100));
  process.kill(-(child.pid as number), 'SIGKILL');
  await closed;
  return readTrace(files.trace, files.said);
}

/** Whether a flush of that file is over: another one began, by the one thread that flushes it. */
function hasFlushed(trace: string, path: string): boolean {
  const shown = [...Buffer.from(path)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return (
    readFileSync(trace, 'latin1')
      .split('\n')
      .filter((text) => text.includes('sync(') && text.includes(`<${shown}>`)).length > 1
  );
}

// A call is one line, or two when another thread's came between: "1234 write(3</path>, "\x00…", 4096 <unfinished ...>" and "1234 <... write resumed>) = 4096".
const line = /^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\(\d+<([^>]*)>)(.*)$/s;

async function readTrace(trace: string, said: string): Promise<DiskStep[]> {
  const steps: DiskStep[] = [];
  const underWay = new Map<string, { path: string; began: number }>();
  for await (const text of createInterface({ input: createReadStream(trace, 'latin1') })) {
    const match = line.exec(text);
    if (!match) continue;
    const [, thread = '', resumed, call, shownPath = '', rest = ''] = match;
    const isFlush = (name: string | undefined) => name === 'fdatasync' || name === 'fsync';
    if (resumed !== undefined) {
      const flush = underWay.get(thread);
      if (isFlush(resumed) && flush && rest.includes('= 0')) steps.push({ step: 'flushed', ...flush });
      continue;
    }
    const path = decode(shownPath).toString();
    if (isFlush(call)) {
      const flush = { path, began: steps.length };
      if (rest.includes('unfinished')) underWay.set(thread, flush);
      else if (rest.includes('= 0')) steps.push({ step: 'flushed', ...flush });
    } else if (call === 'ftruncate') steps.push({ step: 'resized', path, length: Number(/^, (\d+)/.exec(rest)?.[1]) });
    else {
      const [, data = '', more = ''] = /^, "([^"]*)"(.*)$/s.exec(rest) ?? [];
      const bytes = decode(data);
      if (path === said) steps.push({ step: 'said', text: bytes.toString() });
      else steps.push({ step: 'written', path, bytes, offset: Number(/^, \d+, (\d+)/.exec(more)?.[1]) });
    }
  }
  return steps;
}

/** Text as strace shows it with -xx. */
function decode(text: string): Buffer {
  return text.includes('\\x') ? Buffer.from(text.replaceAll('\\x', ''), 'hex') : Buffer.from(text, 'latin1');
}
