import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const main = resolve(import.meta.dirname, '../../packages/server/src/cli/main.ts');

/** A real server in a process of its own, which a test may kill. */
export type ServerProcess = {
  /** Ends it as a power cut would: no handler runs, nothing is flushed. */
  kill(): Promise<void>;
};

/** Starts `tessera serve` in that folder, where its configuration file is, and waits until it says that it is ready. */
export async function startServerProcess(folder: string): Promise<ServerProcess> {
  const flags = ['--conditions=tessera-source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, main, 'serve'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {},
  });
  await ready(child);
  return {
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function ready(child: ChildProcess): Promise<void> {
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
}
