import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { run } from './run.ts';
import type { Terminal } from './terminal.ts';

/** What a command line came to. */
export type Ran = { code: number; out: string; err: string; json: <T>() => T };

/** A folder of its own with a configuration, in which command lines are run within this process. */
export type TestShell = {
  folder: string;
  /** Runs a command line. `input`: what is piped in. `onOutput`: called with each line, and how to stop the command. */
  run(line: string, options?: { input?: string; onOutput?: (line: string, stop: () => void) => void }): Promise<Ran>;
  env: Record<string, string>;
  close(): Promise<void>;
};

/** Makes one. `config`: the configuration file, as JSON; none without it. */
export async function createTestShell(config?: Record<string, unknown>): Promise<TestShell> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-cli-'));
  if (config) await writeFile(join(folder, 'tessera.config.json'), JSON.stringify(config));
  const env: Record<string, string> = {};
  return {
    folder,
    env,
    run: (line, options = {}) => runLine(line, folder, env, options),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function runLine(
  line: string,
  cwd: string,
  env: Record<string, string>,
  { input = '', onOutput }: { input?: string; onOutput?: (line: string, stop: () => void) => void },
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const listeners = new Set<() => void>();
  const stop = () => {
    for (const listener of listeners) listener();
  };
  const terminal: Terminal = {
    out: (text) => {
      out.push(text);
      onOutput?.(text, stop);
    },
    err: (text) => err.push(text),
    prompt: (text) => err.push(text),
    input: Readable.from(input === '' ? [] : [input]),
    env,
    cwd,
    nowMs: Date.now,
    onStop: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  // Words are parted by blanks; quotes keep some together.
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');
  const code = await run(words, terminal);
  return { code, out: out.join('\n'), err: err.join('\n'), json: () => JSON.parse(out.join('\n')) };
}
