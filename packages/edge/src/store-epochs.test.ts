import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreEpochs } from './store-epochs.ts';

test('a restored store is one new epoch; an epoch that comes back is a second store', () => {
  const epochs = new StoreEpochs();
  assert.equal(epochs.note('1', false, 0), undefined);
  assert.equal(epochs.note('1', false, 1), undefined);
  assert.equal(epochs.note('2', true, 2), undefined, 'restored');
  assert.equal(epochs.note('3', true, 3), undefined, 'restored again');
  assert.equal(epochs.dividedForMs(4), undefined);
  assert.match(String(epochs.note('2', true, 5)), /different stores answer in turns \(store epochs 3 and 2\)/);
  assert.equal(epochs.dividedForMs(5), 0);
  assert.equal(epochs.dividedForMs(105), 100);
});

test('a store that lost its end may set a receiver back once; twice in five minutes there are two', () => {
  const epochs = new StoreEpochs();
  epochs.note('1', false, 0);
  assert.equal(epochs.note('1', true, 1000), undefined);
  assert.equal(epochs.note('1', true, 301_000), undefined);
  assert.ok(epochs.note('1', true, 302_000));
});

test('trust comes back five minutes after the last sign, and the time counts from the first', () => {
  const epochs = new StoreEpochs();
  for (const [epoch, nowMs] of [
    ['1', 0],
    ['2', 0],
    ['1', 1000],
    ['2', 200_000],
  ] as const)
    epochs.note(epoch, true, nowMs);
  assert.equal(epochs.dividedForMs(499_999), 498_999);
  assert.equal(epochs.dividedForMs(500_000), undefined);
  assert.ok(epochs.note('1', true, 600_000));
  assert.equal(epochs.dividedForMs(600_000), 0);
});

test('what is remembered of epochs is bounded', () => {
  const epochs = new StoreEpochs();
  for (let number = 0; number < 150; number++) epochs.note(`${number}`, true, 0);
  assert.equal(epochs.note('0', true, 0), undefined);
  assert.ok(epochs.note('149', true, 0));
});
