import assert from 'node:assert/strict';
import test from 'node:test';
import { webLock } from './web-lock.ts';

test('without Web Locks the work runs all the same', async () => {
  assert.equal(await webLock('name', undefined)(async () => 7), 7);
});

test('with Web Locks the work runs under the lock, and its error is its own', async () => {
  const names: string[] = [];
  const locks = {
    request: async (name: string, _: LockOptions, work: () => Promise<unknown>) => {
      names.push(name);
      return work();
    },
  } as unknown as LockManager;
  let runs = 0;
  const failing = webLock(
    'name',
    locks,
  )(async () => {
    runs++;
    throw new Error('of the work');
  });
  await assert.rejects(failing, { message: 'of the work' });
  assert.equal(runs, 1, 'it is not run again without the lock');
  assert.deepEqual(names, ['name']);
});

test('a lock that cannot be had in time does not stop the work: a stuck tab signs nobody out', async () => {
  const locks = {
    request: async () => Promise.reject(new DOMException('waited too long', 'TimeoutError')),
  } as unknown as LockManager;
  assert.equal(await webLock('name', locks)(async () => 7), 7);
});
