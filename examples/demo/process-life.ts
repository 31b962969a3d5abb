import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

/** Where Node keeps what it made of the sources. */
export const compileCache = resolve(import.meta.dirname, '..', '..', '.cache', 'compiled');

/**
 * Calls `stop` once, and then ends this process, when somebody asks for it or when whoever started it is gone: the channel to the launcher closes even if that was
 * killed with -9. `hasLauncher`: whether there is such a channel to watch.
 */
export function endWhenTold(
  stop: () => Promise<void>,
  options: { hasLauncher: boolean; signals: readonly NodeJS.Signals[] },
): void {
  let isStopping = false;
  const end = () => {
    if (isStopping) return;
    isStopping = true;
    // What hangs must not keep a process alive that nobody watches any more.
    setTimeout(() => process.exit(1), 8000).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  for (const signal of options.signals) process.on(signal, end);
  if (!options.hasLauncher) return;
  process.on('disconnect', end);
  // It may have gone while this process was still loading.
  if (!process.connected) end();
}

/** As `endWhenTold`, for a part that `startPart` started. Ctrl-C reaches all processes of a terminal; a part leaves it to the launcher. */
export function endWithLauncher(stop: () => Promise<void>): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  endWhenTold(stop, { hasLauncher: true, signals: ['SIGTERM'] });
}

/** Starts a part of the demo as a process of its own, with a channel that tells it when this process is gone. */
export function startPart(program: string): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, resolve(import.meta.dirname, program)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  });
}

/** Ends a part: asks, and after five seconds insists. */
export async function stopPart(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const insist = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(insist);
}
