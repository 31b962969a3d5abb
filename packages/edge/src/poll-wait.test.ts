import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PollWait } from './poll-wait.ts';

test('after a cut polls are shorter than what was cut, and in time long again', () => {
  const wait = new PollWait(20);
  assert.equal(wait.at(0), 20);
  wait.noteCut(10_002, 0);
  assert.equal(wait.at(599_999), 9);
  assert.equal(wait.at(600_000), 18);
  assert.equal(wait.at(1_200_000), 20);
  wait.noteCut(30_000, 0);
  assert.equal(wait.at(0), 20, 'a longer line is no reason to ask for more');
  wait.noteCut(300, 0);
  assert.equal(wait.at(0), 1, 'never so short that it would spin');
});
