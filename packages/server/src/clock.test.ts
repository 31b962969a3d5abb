import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Clock } from './clock.ts';

const hour = 3_600_000;

/** A machine and a database, both clocks in the test's hand; asking the database takes `roundTripMs`. */
class Hand {
  wallMs = 1_700_000_000_000;
  monotonicMs = 5000;
  databaseMs = 1_700_000_000_000;
  roundTripMs = 4;
  asked = 0;
  isAway = false;
  told: string[] = [];
  readonly clock = new Clock(
    { wallMs: () => this.wallMs, monotonicMs: () => this.monotonicMs },
    {
      clockMs: async () => {
        this.asked++;
        if (this.isAway) throw new Error('away');
        this.pass(this.roundTripMs / 2);
        const read = this.databaseMs;
        this.pass(this.roundTripMs / 2);
        return read;
      },
    },
    { warn: (_facts, message) => this.told.push(message), info: (_facts, message) => this.told.push(message) },
  );

  pass(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
    this.databaseMs += ms;
  }
}

describe("a node's time", () => {
  it("is the database's, half a round trip taken off, however far this machine is off", async () => {
    for (const ahead of [0, hour, -hour]) {
      const hand = new Hand();
      hand.wallMs += ahead;
      await hand.clock.measure();
      assert.equal(hand.clock.nowMs(), hand.databaseMs);
      hand.pass(20_000);
      assert.equal(hand.clock.nowMs(), hand.databaseMs);
      assert.equal(Math.round(hand.clock.aheadMs), ahead);
    }
  });

  it('does not move when this machine is set an hour ahead or back while running', async () => {
    for (const jump of [hour, -hour]) {
      const hand = new Hand();
      await hand.clock.measure();
      hand.wallMs += jump;
      assert.equal(hand.clock.nowMs(), hand.databaseMs);
      assert.equal(hand.clock.isOff, false, 'nothing shows before the next measurement');
      assert.equal(hand.clock.isSteady, false);
      await hand.clock.measure();
      assert.equal(hand.clock.nowMs(), hand.databaseMs);
      assert.equal(hand.clock.isSteady, true);
      assert.equal(hand.clock.isOff, true);
    }
  });

  it('a machine that slept knows it, and is right again after asking', async () => {
    const hand = new Hand();
    await hand.clock.measure();
    hand.wallMs += hour;
    hand.databaseMs += hour;
    assert.equal(hand.clock.isSteady, false);
    await hand.clock.measure();
    assert.equal(hand.clock.nowMs(), hand.databaseMs);
    assert.equal(hand.clock.isOff, false);
  });

  it('more than two seconds off is off, said once, and taken back when it is right again', async () => {
    const hand = new Hand();
    hand.wallMs += 1900;
    await hand.clock.measure();
    assert.equal(hand.clock.isOff, false);
    hand.wallMs += 200;
    await hand.clock.measure();
    await hand.clock.measure();
    assert.equal(hand.clock.isOff, true);
    assert.equal(hand.told.length, 1);
    assert.match(hand.told[0] ?? '', /2\.1 s ahead of the database's.*not ready/);
    hand.wallMs -= 2100;
    await hand.clock.measure();
    assert.equal(hand.clock.isOff, false);
    assert.match(hand.told[1] ?? '', /right again/);
  });

  it('an answer that was long under way changes nothing, and does not call a machine off that may be right', async () => {
    const hand = new Hand();
    await hand.clock.measure();
    hand.roundTripMs = 6000;
    hand.wallMs += 1000;
    await hand.clock.measure();
    assert.equal(hand.clock.aheadMs, 0);
    const slow = new Hand();
    slow.roundTripMs = 6000;
    slow.wallMs += 2500;
    await slow.clock.measure();
    assert.equal(slow.clock.isOff, false);
  });

  it('runs on while the database cannot be asked', async () => {
    const hand = new Hand();
    await hand.clock.measure();
    hand.isAway = true;
    hand.wallMs -= hour;
    hand.pass(60_000);
    await assert.rejects(hand.clock.measure());
    assert.equal(hand.clock.nowMs(), hand.databaseMs);
  });

  it('callers who wait together share one question', async () => {
    const hand = new Hand();
    await hand.clock.measure();
    hand.asked = 0;
    await Promise.all([hand.clock.measure(), hand.clock.measure(), hand.clock.measure()]);
    assert.equal(hand.asked, 1);
  });

  it("is this machine's where the store is embedded", async () => {
    let wallMs = 1000;
    const clock = new Clock(
      { wallMs: () => wallMs, monotonicMs: () => 0 },
      {},
      { warn: assert.fail, info: assert.fail },
    );
    await clock.start();
    wallMs += hour;
    assert.equal(clock.nowMs(), wallMs);
    assert.equal(clock.isSteady, true);
    assert.equal(clock.isOff, false);
  });
});
