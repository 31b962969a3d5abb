import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventsOf, refresh, signInTokens, startTestServer, type TestServer } from '../test-server.ts';

const hour = 3_600_000;
/** Longer than the pause between two looks of the maintenance. */
const looksMs = 4500;

describe("a machine's clock that jumps, with the embedded store", () => {
  let test: TestServer;
  const hand = { wallMs: Date.now(), monotonicMs: 0 };
  const pass = (ms: number) => {
    hand.wallMs += ms;
    hand.monotonicMs += ms;
  };
  before(async () => {
    test = await startTestServer({
      time: { wallMs: () => hand.wallMs, monotonicMs: () => hand.monotonicMs },
    });
  });
  after(() => test.close());
  const ended = () => eventsOf(test, 'session.ended', 'grant.ended');

  it('A6 D1 set ahead by mistake and back again: nothing was ended, and nobody is signed out', async () => {
    const tokens = await signInTokens(test);
    hand.wallMs += 1000 * hour;
    await sleep(looksMs);
    assert.deepEqual(await ended(), []);
    hand.wallMs -= 1000 * hour;
    await sleep(looksMs);
    assert.deepEqual(await ended(), []);
    assert.equal((await refresh(test, tokens.refresh_token)).status, 200);
  });

  it('A6 ahead for good, as after a sleep: what lapsed is ended once the jump has stayed for two minutes', async () => {
    await signInTokens(test);
    hand.wallMs += 1000 * hour;
    await sleep(looksMs);
    assert.deepEqual(await ended(), []);
    pass(121_000);
    for (let waited = 0; (await ended()).length === 0; waited += 50) {
      assert.ok(waited < 20_000, 'nothing was ended');
      await sleep(50);
    }
  });

  it('hours that pass evenly need no waiting', async () => {
    await signInTokens(test, { username: 'bob' });
    const before_ = (await ended()).length;
    pass(1000 * hour);
    for (let waited = 0; (await ended()).length === before_; waited += 50) {
      assert.ok(waited < 20_000, 'nothing was ended');
      await sleep(50);
    }
  });
});
