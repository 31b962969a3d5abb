import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvenTime } from './even-time.ts';

const second = 1000;
const hour = 3600 * second;

function inHand() {
  const hand = { nowMs: 1_700_000_000_000, monotonicMs: 0, pass: (_ms: number) => {} };
  hand.pass = (ms) => {
    hand.nowMs += ms;
    hand.monotonicMs += ms;
  };
  const time = new EvenTime(
    () => hand.nowMs,
    () => hand.monotonicMs,
  );
  return { hand, time };
}

describe('whether the time can be trusted with what is for good', () => {
  it('an evenly running clock can, after a long pause too', () => {
    const { hand, time } = inHand();
    for (const pause of [0, 2 * second, hour, 100 * hour]) {
      hand.pass(pause);
      assert.equal(time.look(), true);
    }
  });

  it('one that jumped ahead cannot, until it has stayed there for two minutes', () => {
    const { hand, time } = inHand();
    hand.nowMs += hour;
    assert.equal(time.look(), false);
    hand.pass(119 * second);
    assert.equal(time.look(), false);
    hand.pass(2 * second);
    assert.equal(time.look(), true);
  });

  it('each further jump ahead begins the waiting anew', () => {
    const { hand, time } = inHand();
    hand.nowMs += hour;
    time.look();
    hand.pass(100 * second);
    hand.nowMs += 10 * second;
    assert.equal(time.look(), false);
    hand.pass(60 * second);
    assert.equal(time.look(), false);
  });

  it('a jump back, and the slow drift of a clock that is being corrected, need no waiting', () => {
    const { hand, time } = inHand();
    hand.nowMs -= hour;
    assert.equal(time.look(), true);
    for (let step = 0; step < 100; step++) {
      hand.pass(2 * second);
      hand.nowMs += 10;
      assert.equal(time.look(), true);
    }
  });
});
