const startedMs = performance.now();

/** Says on stderr what is being done, and how long it has been going on: the report itself goes to stdout. */
export function tellProgress(what: string): void {
  const seconds = Math.floor((performance.now() - startedMs) / 1000);
  const clock = `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}`;
  process.stderr.write(`[${clock}] ${what}\n`);
}
