import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { it } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

function run(program: string, ...programArguments: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [resolve(root, 'node_modules', program), ...programArguments],
    { cwd: root, encoding: 'utf8' },
  );
  return { status, output: `${stdout}${stderr}`.slice(-8000) };
}

it('the types of the whole tree hold', { timeout: 300_000 }, () => {
  const { status, output } = run('typescript/bin/tsc', '-p', 'tsconfig.json');
  assert.equal(status, 0, output);
});

it('the linter and the formatter find nothing', { timeout: 300_000 }, () => {
  const { status, output } = run('@biomejs/biome/bin/biome', 'ci', '--colors=off', '--max-diagnostics=20', '.');
  assert.equal(status, 0, output);
});
