import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { BucketRecord } from './store/records.ts';
import { openSqliteStore } from './store/sqlite/open.ts';
import { type Counted, Throttle, throttleWait } from './throttle.ts';

const now = 1_800_000_000;
/** Ten failures; one leaks out every 90 seconds. */
const limit = { failures: 10, window: 900 };

function bucket(level: number, at = now, key = 'account:ada'): BucketRecord {
  return { key, level, at, leakPerSecond: limit.failures / limit.window };
}

describe('how long one must wait', () => {
  const account: Counted = { key: 'account:ada', limit };
  const source: Counted = { key: 'source:192.0.2.1', limit: { failures: 60, window: 900 } };
  const cases: { name: string; buckets: BucketRecord[]; counted?: Counted[]; at?: number; expected: number }[] = [
    { name: 'nobody failed', buckets: [], expected: 0 },
    { name: 'somebody else failed', buckets: [bucket(10, now, 'account:bob')], expected: 0 },
    { name: 'one failure short of the limit', buckets: [bucket(9)], expected: 0 },
    { name: 'at the limit: until one failure has leaked out', buckets: [bucket(10)], expected: 90 },
    { name: 'in part leaked', buckets: [bucket(10)], at: now + 45, expected: 45 },
    { name: 'one second before it is leaked', buckets: [bucket(10)], at: now + 89, expected: 1 },
    { name: 'when it is leaked', buckets: [bucket(10)], at: now + 90, expected: 0 },
    { name: 'above the limit', buckets: [bucket(12)], expected: 270 },
    { name: 'half a failure above', buckets: [bucket(9.5)], expected: 45 },
    { name: 'long ago', buckets: [bucket(10)], at: now + 100_000, expected: 0 },
    {
      name: 'a clock that ran backwards leaks nothing and adds nothing',
      buckets: [bucket(10)],
      at: now - 100,
      expected: 90,
    },
    {
      name: 'the longest of several counts',
      buckets: [bucket(10), { key: 'source:192.0.2.1', level: 60, at: now, leakPerSecond: 60 / 900 }],
      counted: [account, source],
      expected: 90,
    },
    {
      name: 'one full count is enough',
      buckets: [bucket(1), { key: 'source:192.0.2.1', level: 60, at: now, leakPerSecond: 60 / 900 }],
      counted: [account, source],
      expected: 15,
    },
    {
      name: 'told to wait, having waited: fractions that do not add up exactly make no one wait again',
      buckets: [bucket(13)],
      counted: [{ key: 'account:ada', limit: { failures: 7, window: 299 } }],
      at: now + 299,
      expected: 0,
    },
    {
      name: 'a limit of one failure',
      buckets: [bucket(1)],
      counted: [{ key: 'account:ada', limit: { failures: 1, window: 60 } }],
      expected: 60,
    },
  ];
  for (const { name, buckets, counted = [account], at = now, expected } of cases)
    it(name, () => assert.equal(throttleWait(buckets, counted, at), expected));

  it('whoever waits that long may try, and one second less is not enough', () => {
    const facts = fc.record({
      failures: fc.integer({ min: 1, max: 200 }),
      window: fc.integer({ min: 1, max: 86_400 }),
      failed: fc.nat(300),
    });
    fc.assert(
      fc.property(facts, ({ failures, window, failed }) => {
        const counted = [{ key: 'account:ada', limit: { failures, window } }];
        const wait = throttleWait([bucket(failed)], counted, now);
        assert.equal(wait > 0, failed >= failures);
        assert.equal(throttleWait([bucket(failed)], counted, now + wait), 0);
        if (wait > 0) assert.ok(throttleWait([bucket(failed)], counted, now + wait - 1) > 0);
      }),
    );
  });
});

describe('the throttle', () => {
  it('counts failures for all nodes, forgives after a success, and lets strangers alone', async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    try {
      let clock = now;
      const [node, other] = [new Throttle(store, () => clock), new Throttle(store, () => clock)];
      const ada: Counted[] = [{ key: 'account:ada', limit }];
      const bob: Counted[] = [{ key: 'account:bob', limit }];
      for (let failure = 0; failure < 10; failure++) {
        assert.equal(await node.wait(ada), 0, `failure ${failure}`);
        await node.failed(ada);
      }
      assert.equal(await node.wait(ada), 90);
      assert.equal(await other.wait(ada), 90);
      assert.equal(await node.wait(bob), 0);
      clock += 90;
      assert.equal(await other.wait(ada), 0);
      await other.failed(ada);
      assert.equal(await node.wait(ada), 90);
      await node.forgive(['account:ada', 'account:bob']);
      assert.equal(await other.wait(ada), 0);
    } finally {
      await store.close();
    }
  });

  it('fifty guesses at once are all counted', async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    try {
      const throttle = new Throttle(store, () => now);
      const ada: Counted[] = [{ key: 'account:ada', limit }];
      await Promise.all(Array.from({ length: 50 }, () => throttle.failed(ada)));
      assert.equal((await store.getBuckets(['account:ada']))[0]?.level, 50);
    } finally {
      await store.close();
    }
  });

  it('on a hot path looks only for who failed at this node lately', async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    try {
      let clock = now;
      const throttle = new Throttle(store, () => clock);
      const guesser: Counted[] = [{ key: 'client:web:192.0.2.1', limit: { failures: 1, window: 60 } }];
      assert.equal(await throttle.waitIfFailedLately(() => guesser), 0);
      await throttle.failed(guesser);
      assert.equal(await throttle.waitIfFailedLately(() => guesser), 60);
      assert.equal(
        await throttle.waitIfFailedLately(() => [{ key: 'client:web:192.0.2.2', limit: { failures: 1, window: 60 } }]),
        0,
      );
      clock += 60;
      assert.equal(await throttle.waitIfFailedLately(() => guesser), 0);
    } finally {
      await store.close();
    }
  });
});
