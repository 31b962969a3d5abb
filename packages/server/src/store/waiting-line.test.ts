import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { AskedTogether } from './asked-together.ts';
import { WaitingLine } from './waiting-line.ts';

/** One who waits, and what it heard. */
function someone(refused: string[] = []) {
  return { reject: (error: Error) => void refused.push(error.message) };
}

test('those in front come first, as many as asked for, or as fit', () => {
  const line = new WaitingLine<ReturnType<typeof someone> & { weight: number }>('commits');
  for (const weight of [1, 2, 3, 4, 5]) line.join({ ...someone(), weight });
  let carried = 0;
  const fits = ({ weight }: { weight: number }) => {
    carried += weight;
    return carried <= 3;
  };
  assert.deepEqual(
    line.take(4, fits).map(({ weight }) => weight),
    [1, 2],
  );
  assert.deepEqual(
    line.take(2).map(({ weight }) => weight),
    [3, 4],
  );
  assert.equal(line.length, 1);
});

test('who waited too long is sent away although nobody comes for the others, and those who came later stay', (t) => {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pass = (ms: number) => {
    nowMs += ms;
    t.mock.timers.tick(ms);
  };
  const line = new WaitingLine<ReturnType<typeof someone>>('commits', 300);
  const refused: string[] = [];
  line.join(someone(refused));
  pass(200);
  line.join(someone(refused));
  pass(99);
  assert.deepEqual([refused.length, line.length], [0, 2]);
  pass(2);
  assert.deepEqual(refused, ['commits waited too long for the database']);
  assert.equal(line.length, 1);
  pass(198);
  assert.equal(line.length, 1);
  pass(2);
  assert.deepEqual([refused.length, line.length], [2, 0]);
});

test('readers of a database that does not answer: no more than so many wait, the others hear at once that it is away', async () => {
  const together = new AskedTogether<number, number>(() => new Promise(() => undefined));
  let refused = 0;
  const asked = Array.from({ length: 30_000 }, (_, index) =>
    together.ask(index).catch((error: { code?: string }) => {
      assert.equal(error.code, 'store_unavailable');
      refused += 1;
    }),
  );
  await delay(50);
  assert.equal(asked.length, 30_000);
  assert.equal(refused, 10_000);
});

test('each of a batch gets its own answer, and a reading that fails fails those alone who were in it', async () => {
  const batches: number[][] = [];
  const together = new AskedTogether<number, number>(async (batch) => {
    batches.push([...batch]);
    await delay(5);
    if (batches.length === 2) throw new Error('lost');
    return batch.map((asked) => asked * 10);
  });
  const answers = await Promise.allSettled(Array.from({ length: 600 }, (_, index) => together.ask(index)));
  assert.deepEqual(
    batches.map((batch) => batch.length),
    [256, 256, 88],
  );
  for (const [index, answer] of answers.entries())
    if (index >= 256 && index < 512) assert.equal(answer.status, 'rejected');
    else assert.deepEqual(answer, { status: 'fulfilled', value: index * 10 });
});
