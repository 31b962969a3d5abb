import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onFirstUse } from './on-first-use.ts';

test('what is loaded on first use is loaded once, whoever asks at the same time', async () => {
  let loads = 0;
  const get = onFirstUse(async () => ++loads);
  assert.deepEqual(await Promise.all([get(), get()]), [1, 1]);
  assert.equal(await get(), 1);
});

test('a failure to load is told, and the next use tries again', async () => {
  let loads = 0;
  const get = onFirstUse(async () => {
    if (++loads === 1) throw new Error('EMFILE');
    return loads;
  });
  await assert.rejects(get(), /EMFILE/);
  assert.equal(await get(), 2);
});
