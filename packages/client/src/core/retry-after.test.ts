import assert from 'node:assert/strict';
import test from 'node:test';
import { parseRetryAfter } from './retry-after.ts';

const now = Date.parse('2026-11-01T10:00:00Z') / 1000;
const cases: [value: string | null, expected: number | undefined][] = [
  [null, undefined],
  ['', undefined],
  ['0', 0],
  ['120', 120],
  [' 7 ', 7],
  ['Sun, 01 Nov 2026 10:00:30 GMT', 30],
  ['Sun, 01 Nov 2026 09:00:00 GMT', 0],
  ['soon', undefined],
  ['-5x', undefined],
];

for (const [value, expected] of cases) {
  test(`Retry-After ${JSON.stringify(value)} is ${expected ?? 'nothing'}`, () =>
    assert.equal(parseRetryAfter(value, now), expected));
}
