#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// A reader that went away, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// Compiled once, not at each start. Beside the bundle and not in the folder for temporary files, where others could leave code for us.
if (import.meta.url.endsWith('.mjs')) enableCompileCache(join(import.meta.dirname, 'compiled'));
const [{ run }, { processTerminal }] = await Promise.all([import('./run.ts'), import('./terminal.ts')]);
process.exitCode = await run(process.argv.slice(2), processTerminal());
