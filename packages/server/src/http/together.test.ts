import assert from 'node:assert/strict';
import { it } from 'node:test';
import { together } from './together.ts';

it('who comes in one turn of the loop goes together, in its order, step by step; who comes later does not wait for it', async () => {
  const steps: string[] = [];
  const go = async (name: string) => {
    await together();
    steps.push(`${name} one`);
    await undefined;
    steps.push(`${name} two`);
  };
  const first = [go('a'), go('b')];
  assert.deepEqual(steps, []);
  const later = new Promise<void>((resolve) => setImmediate(() => resolve(go('c'))));
  await Promise.all(first);
  assert.deepEqual(steps, ['a one', 'b one', 'a two', 'b two']);
  await later;
  assert.deepEqual(steps.slice(4), ['c one', 'c two']);
});
