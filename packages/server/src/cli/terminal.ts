import type { Readable } from 'node:stream';

/** What a command has of the world: where it writes and reads, and when it is asked to stop. */
export type Terminal = {
  out(text: string): void;
  err(text: string): void;
  /** Writes to where a person looks, without ending the line. */
  prompt(text: string): void;
  /** Standard input; `setRawMode` is there when a person types. */
  input: Readable & { isTTY?: boolean; setRawMode?(isRaw: boolean): unknown };
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  nowMs(): number;
  /** Calls back once when the process is asked to stop: by a signal, or because its launcher is gone. Returns the end of it. */
  onStop(listener: () => void): () => void;
};

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
    prompt: (text) => process.stderr.write(text),
    // Most commands, and the server, read nothing: Node opens it when it is asked for.
    get input() {
      return process.stdin;
    },
    env: process.env,
    cwd: process.cwd(),
    nowMs: Date.now,
    onStop,
  };
}

function onStop(listener: () => void): () => void {
  const stop = () => {
    end();
    // Whoever asks a second time does not want to wait.
    for (const signal of stopSignals) process.once(signal, () => process.exit(1));
    listener();
  };
  // Started by the project's launcher: without it nobody would ever stop this process.
  const isLaunched = process.env.TESSERA_LAUNCHED === '1' && process.connected === true;
  const end = () => {
    for (const signal of stopSignals) process.off(signal, stop);
    if (isLaunched) process.off('disconnect', stop);
  };
  for (const signal of stopSignals) process.on(signal, stop);
  if (isLaunched) process.on('disconnect', stop);
  return end;
}
