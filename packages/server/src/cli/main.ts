#!/usr/bin/env node
import { run } from './run.ts';
import { processTerminal } from './terminal.ts';

// A reader that went away, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// Without a top-level await, which the bundle's format does not have.
void run(process.argv.slice(2), processTerminal()).then((code) => {
  process.exitCode = code;
});
