import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FairQueue } from './fair-queue.ts';

describe('the fair queue', () => {
  it('lets sources take turns, however many one of them sends', async () => {
    const queue = new FairQueue({ concurrency: 1, longest: 100, longestOfOne: 50 });
    await queue.enter('flood');
    const order: string[] = [];
    for (const source of ['flood', 'flood', 'flood', 'ada', 'bob', 'ada'])
      queue.enter(source)?.then(() => order.push(source));
    for (let i = 0; i < 6; i++) {
      queue.leave();
      await nextTurn();
    }
    assert.deepEqual(order, ['flood', 'ada', 'bob', 'flood', 'ada', 'flood']);
  });

  it('is full for one source before it is full for all', async () => {
    const queue = new FairQueue({ concurrency: 1, longest: 4, longestOfOne: 2 });
    await queue.enter('flood');
    assert.ok(queue.enter('flood') && queue.enter('flood'));
    assert.equal(queue.enter('flood'), undefined);
    assert.ok(queue.enter('ada') && queue.enter('bob'));
    assert.equal(queue.enter('carol'), undefined);
  });

  it('runs no more at once than it may, also when turns are handed on', async () => {
    const queue = new FairQueue({ concurrency: 2, longest: 1000, longestOfOne: 1000 });
    let running = 0;
    let most = 0;
    const work = async (source: string) => {
      await queue.enter(source);
      most = Math.max(most, ++running);
      await nextTurn();
      running--;
      queue.leave();
    };
    await Promise.all(Array.from({ length: 100 }, (_, i) => work(`source ${i % 7}`)));
    assert.equal(most, 2);
    assert.equal(running, 0);
  });
});
