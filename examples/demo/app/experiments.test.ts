import assert from 'node:assert/strict';
import { test } from 'node:test';
import { experiments } from './experiments.ts';
import { readExcerpt } from './read-excerpt.ts';

for (const { id, code } of experiments)
  test(`the code shown for "${id}" stands in its files and is short enough to read`, () => {
    for (const excerpt of code) {
      const lines = readExcerpt(excerpt).split('\n');
      assert.ok(lines.length > 3 && lines.length < 60, `${excerpt.file}: ${lines.length} lines`);
    }
  });

test('code that has moved is missed at once', () => {
  const gone = { file: 'examples/demo/start.ts', from: 'export function thatWasRenamed', to: '}' };
  assert.throws(() => readExcerpt(gone), RangeError);
});
