// Runs the tests: all of them, or those of the folders and files named; of a package the quick ones. Says loudly what it skips.
import { spawn } from 'node:child_process';
import { existsSync, globSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { findPooler } from '../packages/server/src/store/postgres/test-pooler.ts';
import { findPostgres } from '../packages/server/src/store/postgres/test-postgres.ts';
import { canTrace, hasTracer } from '../packages/server/src/store/sqlite/crash-trace.ts';
import { chromiumPath } from '../tests/chromium.ts';
import { whyNoOldVersion } from '../tests/nodes/old-version.ts';

const root = resolve(import.meta.dirname, '..');
const named = process.argv.slice(2);

const files = named.length === 0 ? findTests('.') : named.flatMap(findTests);
if (files.length === 0) {
  console.error(`expected test files below ${named.join(', ')}; found none`);
  process.exit(2);
}
// A package's own tests are for every save; what takes long runs with the whole, or when its file or folder is named.
const packages = named
  .map((place) => relative(root, resolve(root, place)))
  .filter((place) => /^packages(\/\w+)?$/.test(place));
const chosen = packages.length < named.length || named.length === 0 ? files : files.filter((file) => !isSlow(file));
if (chosen.length < files.length)
  console.error(`${files.length - chosen.length} files take long and run with the whole, or when they are named`);

const missing: { what: string; files: string[] }[] = [];
if (chromiumPath === undefined)
  missing.push({
    what: 'No Chromium. Debian: apt-get install chromium; elsewhere set CHROMIUM_PATH.',
    files: chosen.filter((file) => file.includes('.browser.')),
  });
if (findPostgres() === undefined)
  missing.push({
    what: 'No Postgres server. Debian: apt-get install postgresql; elsewhere set POSTGRES_BIN to the folder of its programs.',
    files: chosen.filter((file) => /postgres|open-store|storage-bounded|tests\/nodes\/(?!workers|history)/.test(file)),
  });
if (findPooler() === undefined)
  missing.push({
    what: 'No pgbouncer. Debian: apt-get install pgbouncer.',
    files: chosen.filter((file) => file.includes('/postgres/pooler')),
  });
const tracing = {
  what: 'No strace, or it may not trace here. Debian: apt-get install strace.',
  files: chosen.filter((file) => file.includes('lost-power')),
};
if (!hasTracer()) missing.push(tracing);
// What nobody can install: the right to trace, and the history of a copy without one.
const absent: typeof missing = [];
if (hasTracer() && !canTrace()) absent.push(tracing);
const noOldVersion = whyNoOldVersion();
if (noOldVersion) absent.push({ what: noOldVersion, files: chosen.filter((file) => file.includes('nodes/upgrade')) });
for (const { what, files } of [...missing, ...absent]) {
  if (files.length === 0) continue;
  const line = '!'.repeat(78);
  console.error(`\n${line}\n${what}\nThese tests are SKIPPED:\n  ${files.join('\n  ')}\n${line}\n`);
}
if (process.env.TESSERA_SKIP_NOTHING === '1' && missing.some(({ files }) => files.length > 0)) process.exit(1);

const child = spawn(
  process.execPath,
  [
    '--conditions=tessera-source',
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=300000',
    '--test-reporter=spec',
    ...chosen,
  ],
  { cwd: root, stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
process.on('disconnect', () => child.kill('SIGTERM'));
child.on('exit', (code) => process.exit(code ?? 1));

function findTests(place: string): string[] {
  const path = resolve(root, place);
  if (existsSync(path) && statSync(path).isFile()) return [relative(root, path)];
  return globSync('**/*.test.ts', { cwd: path, exclude: (name) => name === 'node_modules' || name === 'dist' })
    .map((file) => relative(root, join(path, file)))
    .sort();
}

function isSlow(file: string): boolean {
  return /\.browser\.|crash|lost-power|store\/postgres\/|migrate-store/.test(file);
}
