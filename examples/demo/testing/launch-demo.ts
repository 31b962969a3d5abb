import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../../../tests/free-port.ts';
import { type DemoSettings, type Part, parts, readSettings } from '../settings.ts';

const root = resolve(import.meta.dirname, '..', '..', '..');

/** A demo that runs, as `npm start` starts it. `output` is what it has said so far. */
export type LaunchedDemo = {
  settings: DemoSettings;
  launcher: ChildProcess;
  output(): string;
  /** Asks it to end, waits until it has, removes its data. */
  close(): Promise<void>;
};

/** The environment of a demo on free ports, its data in a folder of its own. */
export async function demoEnvironment(): Promise<NodeJS.ProcessEnv> {
  const variables: [string, string][] = [];
  for (const part of Object.keys(parts) as Part[]) variables.push([parts[part].variable, String(await freePort())]);
  const data = await mkdtemp(join(tmpdir(), 'tessera-demo-'));
  return { ...process.env, ...Object.fromEntries(variables), DEMO_DATA: data };
}

/** Starts the demo through the project's launcher and waits until it is ready. Throws with its output if it ends before. */
export async function launchDemo(env?: NodeJS.ProcessEnv): Promise<LaunchedDemo> {
  const environment = env ?? (await demoEnvironment());
  const settings = readSettings(environment);
  const launcher = spawn(process.execPath, [join(root, 'scripts/run.mjs'), 'examples/demo/start.ts'], {
    cwd: root,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const heard = new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      output += chunk;
      if (/^Ready: /m.test(output)) resolve();
    };
    launcher.stdout?.on('data', hear);
    launcher.stderr?.on('data', hear);
    launcher.once('close', (code) => reject(new Error(`the demo ended with ${code}:\n${output}`)));
  });
  await heard;
  return {
    settings,
    launcher,
    output: () => output,
    close: async () => {
      await endProcess(launcher);
      await rm(settings.data, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Asks a process to end and waits until it has; answers its exit code. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill(signal);
  return gone;
}
