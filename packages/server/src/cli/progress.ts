import type { Terminal } from './terminal.ts';

const everyMs = 1000;

/** Says how far long work has come: at once, then at most once a second, so that a log stays readable. Goes to standard error, beside the result. */
export function progressOf(terminal: Terminal): (line: string) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  let last = '';
  return (line) => {
    if (line === last || terminal.nowMs() - lastMs < everyMs) return;
    last = line;
    lastMs = terminal.nowMs();
    terminal.err(`… ${line}`);
  };
}
