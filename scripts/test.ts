// Runs the tests: all of them, or those of the folders and files named. Says loudly what it skips.
import { spawn } from 'node:child_process';
import { existsSync, globSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const named = process.argv.slice(2);
const chromium = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

const files = named.length === 0 ? findTests('.') : named.flatMap(findTests);
if (files.length === 0) {
  console.error(`expected test files below ${named.join(', ')}; found none`);
  process.exit(2);
}
// A package's own tests are for every save; what needs a browser runs with the whole.
const chosen = named.length === 0 ? files : files.filter((file) => !isSlow(file) || named.includes(file));

if (chosen.some((file) => file.includes('.browser.')) && !existsSync(chromium)) {
  const skipped = chosen.filter((file) => file.includes('.browser.'));
  const message = `No Chromium at ${chromium}: ${skipped.length} files of browser tests are SKIPPED. Debian: apt-get install chromium; elsewhere set CHROMIUM_PATH.`;
  console.error(`\n${'!'.repeat(78)}\n${message}\n  ${skipped.join('\n  ')}\n${'!'.repeat(78)}\n`);
  if (process.env.TESSERA_SKIP_NOTHING === '1') process.exit(1);
}

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
  return file.includes('.browser.') || file.includes('crash');
}
