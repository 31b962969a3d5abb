import assert from 'node:assert/strict';
import test from 'node:test';
import { LatestValue } from './latest-value.ts';

/** A lock manager that knows held locks by name, as one browser does for all its tabs. */
function makeLocks(): LockManager & { names: string[] } {
  const names: string[] = [];
  const request = (name: string, _: LockOptions, work: () => Promise<unknown>) => {
    names.push(name);
    void work();
    return new Promise(() => undefined);
  };
  return {
    names,
    request,
    query: async () => ({ held: names.toSorted().map((name) => ({ name })) }),
  } as unknown as LockManager & { names: string[] };
}

test('a reader waits until its view shows what was announced last', async () => {
  const locks = makeLocks();
  await new LatestValue('key', locks).announce('old');
  await new Promise((resolve) => setTimeout(resolve, 2));
  await new LatestValue('key', locks).announce('new');
  const view = ['old', 'old', 'old', 'new'];
  assert.equal(await new LatestValue('key', locks).read(() => view.shift() ?? null), 'new');
  assert.equal(view.length, 0);
});

test('of what is written in the same millisecond the last counts, in whatever order a browser tells of locks', async (t) => {
  const nowMs = Date.now();
  t.mock.method(Date, 'now', () => nowMs);
  for (const [first, second] of [
    ['one', 'other'],
    ['other', 'one'],
  ] as const) {
    const locks = makeLocks();
    await new LatestValue('key', locks).announce(first);
    await new LatestValue('key', locks).announce(second);
    const view = [first, second];
    assert.equal(await new LatestValue('key', locks).read(() => view.shift() ?? null), second);
  }
});

test('a removal is waited for too', async () => {
  const locks = makeLocks();
  await new LatestValue('key', locks).announce(undefined);
  const view = ['gone soon', null];
  assert.equal(await new LatestValue('key', locks).read(() => view.shift() ?? null), null);
});

test('what nobody announced, or another key did, or long ago, is not waited for', async () => {
  const locks = makeLocks();
  await new LatestValue('other', locks).announce('x');
  locks.names.push(`key:written:${Date.now() - 60_000}:stale`);
  const view = ['mine', 'of a second look'];
  assert.equal(await new LatestValue('key', locks).read(() => view.shift() ?? null), 'mine');
});

test('a view that never catches up is used after a second; the server’s retry window covers it', async () => {
  const locks = makeLocks();
  await new LatestValue('key', locks).announce('never seen');
  assert.equal(await new LatestValue('key', locks).read(() => 'old'), 'old');
});

test('the name of an announcement does not tell the value', async () => {
  const locks = makeLocks();
  await new LatestValue('key', locks).announce('secret');
  assert.ok(locks.names.every((name) => !name.includes('secret')));
});
