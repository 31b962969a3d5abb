import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { SubjectOptions, SubjectReady } from './subject-program.ts';

/** A subject's process. */
export type RunningSubject = SubjectReady & {
  pid: number;
  /** Starts the profiler of its main thread, or stops it and returns what it recorded. */
  profile(what: 'start' | 'stop'): Promise<unknown>;
  stop(): Promise<void>;
};

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
// The launcher is gone: nobody reads what is measured.
process.once('disconnect', () => process.exit(1));

// Read once: a process that is pinned sees fewer.
const processors = availableParallelism();

/** True where processes can be given a processor of their own. */
export const canPin = processors > 1 && spawnSync('taskset', ['--version']).status === 0;

/** Keeps this process, which makes the load, off the first processor: that one belongs to the server under load. */
export function pinGenerator(): void {
  if (canPin) spawnSync('taskset', ['-a', '-c', '-p', `1-${processors - 1}`, String(process.pid)]);
}

/** The command that starts another on the first processor, the one under load; empty where nothing can be pinned. */
export function onFirstProcessor(): string[] {
  return canPin ? ['taskset', '-c', '0'] : [];
}

/** The command line that runs one of these programs on the first processor, on the others, or on all. */
export function programCommand(
  program: string,
  argument: string,
  where: 'first' | 'others' | 'all',
  flags: string[] = [],
) {
  const node = [
    process.execPath,
    '--conditions=tessera-source',
    '--disable-warning=ExperimentalWarning',
    ...flags,
    join(import.meta.dirname, program),
    argument,
  ];
  if (where === 'first') return [...onFirstProcessor(), ...node];
  return canPin ? ['taskset', '-c', `${where === 'all' ? 0 : 1}-${processors - 1}`, ...node] : node;
}

/** Runs one of these programs to its end and returns the result it sends. `who`: how a failure calls it. */
export async function runProgram<Result>(command: readonly string[], who: string): Promise<Result> {
  let stop: () => Promise<void> = async () => undefined;
  try {
    return await new Promise<Result>((resolve, reject) => {
      const child = startProgram(command, (message) => {
        const { result, failed } = message as { result?: Result; failed?: string };
        if (result) resolve(result);
        else reject(new Error(`${who} failed: ${failed}`));
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${who} stopped with ${code}`)));
      stop = () => stopProgram(child);
    });
  } finally {
    await stop();
  }
}

/** Starts one of these programs. Its messages go to `onMessage`; it dies with this process, and stops itself when the channel closes. */
export function startProgram(command: readonly string[], onMessage: (message: unknown) => void): ChildProcess {
  const [file, ...rest] = command as [string, ...string[]];
  const child = spawn(file, rest, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...ownEnvironment(), NODE_ENV: 'production' },
  });
  running.add(child);
  // The peer warns at each start of what it thinks unsuited for production; it is heard only when it fails.
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-8192);
  });
  child.once('exit', (code) => {
    running.delete(child);
    if (code !== 0 && code !== null) console.error(complaints);
  });
  child.on('message', onMessage);
  return child;
}

/** This process's environment without what configures a server: the files of the bench say it all. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TESSERA_')));
}

/** Stops a program and waits until it is gone. */
export async function stopProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const impatience = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await exited;
  clearTimeout(impatience);
}

/** Starts a subject and waits until it is ready. `flags`: for its Node. */
export async function startSubject(
  program: string,
  options: SubjectOptions,
  flags: string[] = [],
): Promise<RunningSubject> {
  const command = programCommand(program, JSON.stringify(options), 'first', flags);
  let child: ChildProcess | undefined;
  const ready = await new Promise<SubjectReady>((resolve, reject) => {
    child = startProgram(command, (message) => {
      const { ready, failed } = message as { ready?: SubjectReady; failed?: string };
      if (ready) resolve(ready);
      else reject(new Error(`${program} could not start: ${failed}`));
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program} stopped with ${code} before it was ready`)));
  });
  const process = child as ChildProcess;
  return {
    ...ready,
    pid: process.pid as number,
    profile: (what) =>
      new Promise((resolve) => {
        process.on('message', function take(message: { profiled?: unknown }) {
          if (message.profiled === undefined) return;
          process.off('message', take);
          resolve(message.profiled);
        });
        process.send({ profile: what });
      }),
    stop: () => stopProgram(process),
  };
}
