import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsedLately } from './used-lately.ts';

describe('what was used lately', () => {
  it('stays while it is used, however much comes and goes beside it', () => {
    const lately = new UsedLately<number>(10);
    lately.set('kept', 1);
    for (let other = 0; other < 1000; other += 1) {
      lately.set(`other ${other}`, other);
      assert.equal(lately.get('kept'), 1, `after ${other}`);
    }
  });

  it('keeps at least as many as it promises, and at most twice as many', () => {
    const lately = new UsedLately<number>(10);
    for (let key = 0; key < 1000; key += 1) {
      lately.set(String(key), key);
      for (let last = Math.max(0, key - 9); last <= key; last += 1) assert.equal(lately.get(String(last)), last);
    }
    const held = Array.from({ length: 1000 }, (_, key) => lately.get(String(key))).filter((one) => one !== undefined);
    assert.ok(held.length <= 20, `${held.length}`);
  });

  it('has the latest value, and none after it was deleted, young or old', () => {
    const lately = new UsedLately<number>(2);
    for (const key of ['a', 'b', 'c']) lately.set(key, 1);
    lately.set('a', 2);
    assert.equal(lately.get('a'), 2);
    for (const key of ['a', 'b', 'c']) lately.delete(key);
    for (const key of ['a', 'b', 'c']) assert.equal(lately.get(key), undefined);
  });
});
