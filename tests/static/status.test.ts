import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { it } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

it('each row that the status page calls working has a test that carries its id', () => {
  const status = readFileSync(resolve(root, 'docs/status.md'), 'utf8');
  const working = [...status.matchAll(/^\| ([A-D]\d+) \|.*\| works[^|]*\|$/gm)].map(([, id = '']) => id);
  assert.ok(working.length > 40, `only ${working.length} rows were read`);
  const files = [
    'packages/*/src/**/*.test.ts',
    'packages/*/src/**/*contract.ts',
    'tests/**/*.test.ts',
    'examples/**/*.test.ts',
  ];
  const tests = globSync(files, { cwd: root, exclude: (name) => name === 'node_modules' || name === 'static' })
    .map((file) => readFileSync(resolve(root, file), 'utf8'))
    .join('\n');
  assert.deepEqual(
    working.filter((id) => !new RegExp(`\\b${id}\\b`).test(tests)),
    [],
  );
});
