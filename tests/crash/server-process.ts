import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const main = resolve(import.meta.dirname, '../../packages/server/src/cli/main.ts');
const sourceFlags = ['--conditions=tessera-source', '--disable-warning=ExperimentalWarning'];

/** What a test that fails leaves behind goes with it. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A real server in a process of its own, which a test may kill, freeze and wake. */
export type ServerProcess = {
  pid: number;
  /** Where it listens. */
  url: string;
  /** The pids of its workers; empty without `--workers`. */
  workers(): number[];
  output(): string;
  /** Ends it as a power cut would: no handler runs, nothing is flushed. */
  kill(): Promise<void>;
  /** Asks it to stop; its exit code. */
  stop(): Promise<number | null>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
};

/** How one is started. `program`: another version's command line than this one's. `preload`: a module that is loaded first. */
export type ServerProcessOptions = { args?: readonly string[]; program?: string; preload?: string };

/** Starts `tessera serve` in that folder, where its configuration file is, and waits until it says that it is ready. */
export async function startServerProcess(folder: string, options: ServerProcessOptions = {}): Promise<ServerProcess> {
  const { args = [], program = main, preload } = options;
  const flags = [...sourceFlags];
  if (preload !== undefined) flags.push(`--import=${preload}`);
  const child = spawn(process.execPath, [...flags, program, 'serve', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: ownEnvironment(),
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const endBy = async (signal: NodeJS.Signals) => {
    if (hasEnded()) return child.exitCode;
    const exited = once(child, 'exit');
    child.kill(signal);
    // A frozen process hears nothing but SIGKILL until it is woken.
    child.kill('SIGCONT');
    await exited;
    return child.exitCode;
  };
  running.add(child);
  child.once('exit', () => running.delete(child));
  const output = await ready(child);
  return {
    pid: child.pid as number,
    url: /listens on +(\S+)/.exec(output())?.[1] ?? '',
    workers: () => workersIn(output()),
    output,
    kill: async () => void (await endBy('SIGKILL')),
    stop: () => endBy('SIGTERM'),
    signal: (signal) => void child.kill(signal),
  };
}

/** Runs a command (`tessera …`) in that folder until it is done; what it said. Fails when it does. */
export async function runCommand(
  folder: string,
  args: readonly string[],
  settings: Record<string, string> = {},
): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...sourceFlags, main, ...args], {
    cwd: folder,
    env: { ...ownEnvironment(), ...settings },
  });
  return stdout + stderr;
}

/** Nothing of this process's settings, which a server would take for its own. */
function ownEnvironment(): Record<string, string> {
  const { NODE_COMPILE_CACHE } = process.env;
  return NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE } : {};
}

async function ready(child: ChildProcess): Promise<() => string> {
  let output = '';
  await new Promise<void>((settle, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk.toString();
      if (/^Ready: /m.test(output)) settle();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
  return () => output;
}

/** Those of the start lines, and those that came in the place of others since. */
function workersIn(output: string): number[] {
  const pids = (/workers +pid ([\d, ]+)/.exec(output)?.[1] ?? '').split(', ').filter(Boolean).map(Number);
  for (const [, number, pid] of output.matchAll(/✓ worker (\d+) is back \(pid (\d+)\)/g))
    pids[Number(number) - 1] = Number(pid);
  return pids;
}
