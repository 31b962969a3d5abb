// What to run before a push: types, lint and borders first, because they are quick, then all tests.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const test = resolve(import.meta.dirname, 'test.ts');
for (const places of [['tests/static'], []]) {
  const { status } = spawnSync(process.execPath, [...process.execArgv, test, ...places], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
