import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventUris, type Revocation } from '@tessera/protocol';
import { eventually, withinASecond } from '../../../tests/eventually.ts';
import type { EdgeOptions } from './options.ts';
import { type EdgeUnderTest, edgeUnderTest } from './testing/edge-under-test.ts';

/** Runs with an edge that is started, unless told otherwise, and closes it. */
async function withEdge<T>(
  run: (at: EdgeUnderTest) => Promise<T>,
  { isStarted = true, nodes = 1, ...options }: Partial<EdgeOptions> & { isStarted?: boolean; nodes?: number } = {},
): Promise<T> {
  const at = await edgeUnderTest(options, { nodes });
  try {
    if (isStarted) await at.edge.start();
    return await run(at);
  } finally {
    await at.close();
  }
}

const feedOf = (at: EdgeUnderTest) => {
  const { feed } = at.edge.status();
  assert.ok(feed);
  return feed;
};

const whyNotCurrent = (at: EdgeUnderTest) => {
  const { knowledge } = at.edge.status();
  return knowledge?.isCurrent === false ? knowledge.because : undefined;
};

/** Answers waiting polls over and over until `condition` holds. */
const eventuallyPolling = (at: EdgeUnderTest, condition: () => boolean | Promise<boolean>) =>
  eventually(() => {
    at.issuer.wakePolls();
    return condition();
  });

/** Cuts the edge off and lets that much time pass. */
async function cutOff(at: EdgeUnderTest, forMs: number): Promise<void> {
  at.issuer.faults.feed = 'down';
  at.issuer.wakePolls();
  // The first is a line that was cut, and is asked again at once: that question must have failed before time passes.
  await eventually(() => feedOf(at).failuresInARow > 1);
  at.clock.monotonicMs += forMs;
}

describe('the revocation feed', () => {
  test('A5, A13: every kind of ending is known within a second, and ends nothing else', () =>
    withinASecond(() =>
      withEdge(async (at) => {
        const until = at.clock.seconds + 960;
        const { issuer } = at;
        const cases: [Revocation, Record<string, unknown>, string][] = [
          [{ kind: 'session', sid: 's-x', iss: issuer.url, sub: 'u', until }, { sid: 's-x' }, 'session_ended'],
          [{ kind: 'grant', grant_id: 'g-x', until }, { grant_id: 'g-x' }, 'grant_ended'],
          [{ kind: 'token', jti: 't-x', until }, { jti: 't-x' }, 'token_revoked'],
          [
            { kind: 'client-epoch', client_id: 'cli', epoch: 2, until },
            { client_id: 'cli', client_epoch: 1 },
            'client_cut_off',
          ],
          [{ kind: 'issuer-epoch', epoch: 4, until }, { issuer_epoch: 3 }, 'issuer_cut_off'],
        ];
        const sibling = await issuer.accessToken({ issuer_epoch: 4 });
        const tookMs: number[] = [];
        for (const [revocation, claims, reason] of cases) {
          const token = await issuer.accessToken({ issuer_epoch: 3, ...claims });
          assert.equal(await at.reasonOf(token), 'accepted', reason);
          issuer.revoke(revocation);
          tookMs.push(await eventually(async () => (await at.reasonOf(token)) === reason));
          assert.equal(await at.reasonOf(sibling), 'accepted', `after ${reason}`);
        }
        return Math.max(...tookMs);
      }),
    ));

  test('no request goes to the issuer while tokens are verified', () =>
    withEdge(async (at) => {
      const token = await at.issuer.accessToken();
      await at.reasonOf(token);
      const { introspection, jwks, metadata } = at.issuer.counts;
      for (let i = 0; i < 50; i++) await at.reasonOf(token);
      assert.deepEqual(
        [at.issuer.counts.introspection, at.issuer.counts.jwks, at.issuer.counts.metadata],
        [introspection, jwks, metadata],
      );
    }));

  test('D2: an edge started after the revocation refuses too', () =>
    withEdge(
      async (at) => {
        const token = await at.issuer.accessToken({ sid: 's-early' });
        at.issuer.endSession('s-early');
        const status = await at.edge.start();
        assert.deepEqual(status.knowledge, { isCurrent: true });
        assert.equal(status.revocations.size, 1);
        assert.equal(await at.reasonOf(token), 'session_ended');
      },
      { isStarted: false },
    ));

  test('RFC 8936 section 2.4: it authenticates, acknowledges what it processed and the mark, and asks how long to be held', () =>
    withEdge(async (at) => {
      await eventually(() => at.issuer.polls.length === 2);
      const [first, second] = at.issuer.polls;
      assert.equal(first?.ack, undefined);
      assert.equal(first?.returnImmediately, true);
      assert.equal(first?.prefer, undefined);
      assert.match(String(first?.authorization), /^Basic /);
      assert.deepEqual(second?.ack, ['e1.0']);
      assert.equal(second?.returnImmediately, false);
      assert.equal(second?.prefer, 'wait=3', 'a third of the bound of 10 s');
      at.issuer.endSession('s-1');
      at.issuer.endSession('s-2');
      await eventually(() => at.issuer.polls.some((poll) => poll.ack?.includes('e1.2')));
      assert.equal(feedOf(at).position, 'e1.2');
      assert.ok(at.issuer.polls.some((poll) => poll.ack?.includes('e1.1')));
    }));

  test('a replay in pages counts once it is whole, and what it holds counts at once', () =>
    withEdge(
      async (at) => {
        at.issuer.pageSize = 2;
        for (let i = 0; i < 7; i++) at.issuer.endSession(`s-${i}`);
        await at.edge.start();
        assert.equal(at.edge.status().revocations.size, 7);
        assert.equal(feedOf(at).resyncs, 1);
        assert.equal(feedOf(at).isReplaying, false);
        assert.deepEqual(
          at.issuer.polls.slice(1, 4).map((poll) => poll.ack?.at(-1)),
          ['e1.2', 'e1.4', 'e1.6'],
        );
        assert.ok(at.issuer.polls.slice(0, 4).every((poll) => poll.returnImmediately));
      },
      { isStarted: false },
    ));

  test('a changed store epoch brings a replacement: what it lacks lives again, what it has stays dead throughout', () =>
    withEdge(async (at) => {
      const back = await at.issuer.accessToken({ sid: 's-back' });
      const dead = await at.issuer.accessToken({ sid: 's-dead' });
      at.issuer.endSession('s-back');
      at.issuer.endSession('s-dead');
      await eventually(() => at.edge.status().revocations.size === 2);
      at.issuer.forgetEntries();
      at.issuer.storeEpoch = 'e2';
      at.issuer.endSession('s-dead');
      let wasAlive = false;
      await eventually(async () => {
        wasAlive ||= (await at.reasonOf(dead)) === 'accepted';
        return feedOf(at).position === 'e2.1';
      });
      assert.equal(wasAlive, false);
      assert.equal(feedOf(at).resyncs, 2);
      assert.equal(await at.reasonOf(back), 'accepted');
      assert.equal(await at.reasonOf(dead), 'session_ended');
    }));

  test('another node takes over when one dies, without a gap in what is known', () =>
    withinASecond(() =>
      withEdge(
        async (at) => {
          const urls = at.issuer.feedUrls;
          const other = at.another({ feedUrls: urls });
          await other.edge.start();
          assert.equal(other.edge.status().feed?.url, urls[0]);
          const token = await at.issuer.accessToken({ sid: 's-after' });
          assert.equal(await other.reasonOf(token), 'accepted');
          await at.issuer.stopNode(0);
          at.issuer.endSession('s-after');
          const tookMs = await eventually(async () => (await other.reasonOf(token)) === 'session_ended');
          assert.equal(other.edge.status().feed?.url, urls[1]);
          assert.equal(other.edge.status().feed?.resyncs, 1, 'the cursor is good at any node');
          return tookMs;
        },
        { isStarted: false, nodes: 2 },
      ),
    ));

  test('a lost feed is told once, tried again and again, and told when it is back', () =>
    withEdge(async (at) => {
      for (const fault of ['error', 'garbage', 'down'] as const) {
        at.notices.length = 0;
        at.issuer.faults.feed = fault;
        at.issuer.wakePolls();
        await eventually(() => feedOf(at).failuresInARow >= 2);
        delete at.issuer.faults.feed;
        await eventually(() => feedOf(at).failuresInARow === 0 && feedOf(at).lastFailure === undefined);
        assert.deepEqual(
          at.notices.map((notice) => notice.kind),
          ['feed-lost', 'feed-current'],
          fault,
        );
      }
      assert.equal(feedOf(at).resyncs, 1, 'the cursor was kept');
    }));

  test('a feed that is lost while it has a gap is told as lost, and a gap that stays is told once', () =>
    withEdge(async (at) => {
      at.notices.length = 0;
      at.issuer.distortSet = ({ claims }) => Object.assign(claims, { iss: 'https://evil.example.com' });
      at.issuer.endSession('s-1');
      await eventually(() => feedOf(at).failuresInARow >= 4);
      assert.deepEqual(
        at.notices.map((notice) => notice.kind),
        ['feed-gap'],
      );
      at.issuer.faults.feed = 'down';
      const failures = feedOf(at).failuresInARow;
      await eventually(() => feedOf(at).failuresInARow >= failures + 2);
      assert.deepEqual(
        at.notices.map((notice) => notice.kind),
        ['feed-gap', 'feed-lost'],
      );
    }));

  test('of many SETs that cannot be taken some are reported: no server reads them all', () =>
    withEdge(
      async (at) => {
        for (let number = 0; number < 301; number++) at.issuer.appendSet('rubbish');
        await at.edge.start();
        await eventually(() => at.issuer.polls.some((poll) => poll.setErrs));
        const { setErrs = {} } = at.issuer.polls.find((poll) => poll.setErrs) ?? {};
        assert.equal(Object.keys(setErrs).length, 20);
        assert.ok(feedOf(at).refusedSecurityEvents >= 301);
      },
      { isStarted: false },
    ));

  test('an id longer than a server reads is not reported, and is a gap all the same', () =>
    withEdge(
      async (at) => {
        at.issuer.storeEpoch = 'e'.repeat(100);
        at.issuer.appendSet('rubbish');
        await at.edge.start();
        await eventually(() => at.issuer.polls.length >= 2);
        assert.deepEqual(at.issuer.polls[1]?.setErrs, {});
        assert.equal(at.edge.status().knowledge?.isCurrent, false);
      },
      { isStarted: false },
    ));

  test('however old knowledge may get, a poll is held no longer than proxies let a silent line live', () =>
    withEdge(
      async (at) => {
        await eventually(() => at.issuer.polls.length === 2);
        assert.equal(at.issuer.polls[1]?.prefer, 'wait=20');
      },
      { staleness: { maxAge: 86_400 } },
    ));

  test('wrong credentials: never current, and start says so by returning', () =>
    withEdge(
      async (at) => {
        const status = await at.edge.start();
        assert.equal(status.knowledge?.isCurrent, false);
        assert.match(String(status.feed?.lastFailure), /401, expected 200; .*compare clientId and clientSecret/);
        assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'revocations_stale');
      },
      { isStarted: false, clientSecret: 'wrong', staleness: { policy: 'refuse' } },
    ));

  test('after close nothing is asked any more, and nothing is waited for', () =>
    withEdge(
      async (at) => {
        await eventually(() => at.issuer.polls.length === 2);
        const startedMs = performance.now();
        await at.edge.close();
        assert.ok(performance.now() - startedMs < 10_000, 'the poll is held for 20 s');
        const { polls } = at.issuer.counts;
        at.issuer.endSession('s-late');
        await new Promise((resolve) => setTimeout(resolve, 200));
        assert.equal(at.issuer.counts.polls, polls);
      },
      { staleness: { maxAge: 86_400 } },
    ));

  test('a node that does not hold polls does not make the edge spin', () =>
    withEdge(async (at) => {
      const restless = setInterval(() => at.issuer.wakePolls(), 1);
      try {
        const [before, startedMs] = [at.issuer.counts.polls, performance.now()];
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const [polls, passedMs] = [at.issuer.counts.polls - before, performance.now() - startedMs];
        assert.ok(polls <= (12 * passedMs) / 1000, `${polls} polls in ${passedMs} ms`);
      } finally {
        clearInterval(restless);
      }
    }));

  test('a line that is cut is asked again at once, at the same node, and the operator is not troubled', () =>
    withEdge(async (at) => {
      await eventually(() => at.issuer.polls.length === 2);
      at.notices.length = 0;
      const startedMs = performance.now();
      at.issuer.nodes[0]?.server.closeAllConnections();
      // Short, to be current at once, and then held again.
      await eventually(() => at.issuer.polls.length === 4);
      assert.ok(performance.now() - startedMs < 1000);
      assert.deepEqual(
        at.issuer.polls.slice(2).map((poll) => poll.returnImmediately),
        [true, false],
      );
      assert.deepEqual(at.notices, []);
      assert.equal(feedOf(at).resyncs, 1);
    }));

  test('behind a proxy that cuts silent lines, polls are held for less than it allows', () =>
    withEdge(
      async (at) => {
        await eventually(() => at.issuer.polls.length === 2);
        at.notices.length = 0;
        at.clock.monotonicMs += 10_000;
        at.issuer.nodes[0]?.server.closeAllConnections();
        await eventually(() => at.issuer.polls.at(-1)?.prefer === 'wait=9');
        assert.deepEqual(at.notices, []);
      },
      { staleness: { maxAge: 86_400 } },
    ));

  test('a node that promises more and never gives it neither makes the edge spin nor keeps the API from starting', () =>
    withEdge(
      async (at) => {
        await at.edge.start();
        assert.equal(at.edge.status().knowledge?.isCurrent, false);
        await new Promise((resolve) => setTimeout(resolve, 1000));
        assert.ok(at.issuer.counts.polls <= 12, `${at.issuer.counts.polls} polls in a second`);
      },
      {
        isStarted: false,
        fetch: async (url, init) => {
          const response = await fetch(url, init);
          return url.endsWith('/events/poll')
            ? Response.json({ ...((await response.json()) as object), moreAvailable: true })
            : response;
        },
      },
    ));
});

/** Another store of the same issuer, as a second installation or a copy has it; `swap` makes the other one answer. */
function twoStores(at: EdgeUnderTest): { swap: () => void } {
  const both = [
    { epoch: 'e1', sid: 's-1' },
    { epoch: 'e2', sid: 's-2' },
  ];
  let answering = 0;
  const become = () => {
    const { epoch, sid } = both[answering] as (typeof both)[number];
    at.issuer.forgetEntries();
    at.issuer.storeEpoch = epoch;
    at.issuer.endSession(sid);
  };
  become();
  return {
    swap: () => {
      answering = 1 - answering;
      become();
    },
  };
}

describe('nodes of two stores behind one address', () => {
  test('what each of them ended is never accepted once one has come back; the operator is told once, and once more when it is over', () =>
    withEdge(
      async (at) => {
        const stores = twoStores(at);
        await at.edge.start();
        const [first, second] = [
          await at.issuer.accessToken({ sid: 's-1' }),
          await at.issuer.accessToken({ sid: 's-2' }),
        ];
        const neither = await at.issuer.accessToken({ sid: 's-3' });
        assert.equal(await at.reasonOf(neither), 'accepted');
        at.notices.length = 0;
        stores.swap();
        await eventually(() => feedOf(at).position === 'e2.1');
        assert.equal(await at.reasonOf(neither), 'accepted', 'one new epoch is a store that was restored');
        for (const position of ['e1.1', 'e2.1', 'e1.1']) {
          stores.swap();
          await eventually(() => feedOf(at).position === position);
          for (const token of [first, second, neither]) assert.notEqual(await at.reasonOf(token), 'accepted');
          assert.match(String(whyNotCurrent(at)), /different stores/);
        }
        assert.deepEqual(
          at.notices.map(({ kind }) => kind),
          ['feed-gap'],
        );
        assert.match(String(feedOf(at).lastFailure), /store epochs e2 and e1/);
        at.clock.monotonicMs += 300_000;
        await eventuallyPolling(at, async () => (await at.reasonOf(neither)) === 'accepted');
        assert.equal(await at.reasonOf(first), 'session_ended');
        assert.deepEqual(
          at.notices.map(({ kind }) => kind),
          ['feed-gap', 'feed-current'],
        );
      },
      { isStarted: false, staleness: { policy: 'refuse' } },
    ));

  test('they are not asked for one replay after another without a pause, and start does not wait for ever', () =>
    withEdge(
      async (at) => {
        const stores = twoStores(at);
        const answer = at.issuer.signMark;
        at.issuer.signMark = function (this: typeof at.issuer, ...signed) {
          const mark = answer.apply(this, signed);
          stores.swap();
          return mark;
        };
        await at.edge.start();
        await new Promise((resolve) => setTimeout(resolve, 1500));
        assert.ok(at.issuer.counts.polls < 12, `${at.issuer.counts.polls} polls in a second and a half`);
      },
      { isStarted: false },
    ));

  test('a foreign issuer behind the same address is told once, and never believed', () =>
    withEdge(async (at) => {
      at.notices.length = 0;
      const token = await at.issuer.accessToken();
      for (let turn = 0; turn < 3; turn++) {
        const { resyncs } = feedOf(at);
        at.issuer.distortSet = (set) => {
          at.issuer.distortSet = undefined;
          Object.assign(set.claims, { iss: 'https://other.example.com' });
        };
        at.issuer.endSession(`s-${turn}`);
        await eventually(() => feedOf(at).resyncs > resyncs && feedOf(at).failuresInARow === 0);
      }
      assert.deepEqual(
        at.notices.map(({ kind }) => kind),
        ['feed-gap', 'feed-current', 'feed-gap'],
        'the last word is that it had a gap, until it has been quiet for a minute',
      );
      at.clock.monotonicMs += 60_000;
      await eventuallyPolling(at, () => at.notices.at(-1)?.kind === 'feed-current');
      assert.equal(await at.reasonOf(token), 'accepted');
    }));
});

describe('staleness', () => {
  test('D2: it is measured from the sending of the poll whose mark was processed', () =>
    withEdge(async (at) => {
      await eventually(() => at.issuer.polls.length === 2);
      assert.equal(feedOf(at).stalenessMs, 0);
      at.clock.monotonicMs += 4000;
      assert.equal(feedOf(at).stalenessMs, 4000);
      at.issuer.wakePolls();
      await eventually(() => at.issuer.polls.length === 3);
      assert.equal(feedOf(at).stalenessMs, 4000, 'the poll that was just answered was sent 4 s ago');
      at.issuer.wakePolls();
      await eventually(() => feedOf(at).stalenessMs === 0);
    }));

  test('an open connection that brings no mark does not keep it young', () =>
    withEdge(
      async (at) => {
        const token = await at.issuer.accessToken();
        assert.equal(await at.reasonOf(token), 'accepted');
        at.clock.monotonicMs += 10_000;
        assert.equal(await at.reasonOf(token), 'accepted');
        at.clock.monotonicMs += 1;
        assert.equal(await at.reasonOf(token), 'revocations_stale');
        assert.equal(feedOf(at).failuresInARow, 0);
        await eventuallyPolling(at, async () => (await at.reasonOf(token)) === 'accepted');
      },
      { staleness: { policy: 'refuse' } },
    ));

  test('a node that answers with an old mark is not believed to be current', () =>
    withEdge(
      async (at) => {
        at.issuer.asOfShiftMs = -60_000;
        await at.edge.start();
        assert.equal(
          feedOf(at).stalenessMs,
          54_000,
          'what lies behind our wall clock beyond the skew of 5 s and the second of rounding',
        );
        assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'revocations_stale');
        at.issuer.asOfShiftMs = -5000;
        await eventuallyPolling(at, () => feedOf(at).stalenessMs === 0);
      },
      { isStarted: false, staleness: { policy: 'refuse' } },
    ));

  test('a wall clock that steps changes nothing', () =>
    withEdge(async (at) => {
      const token = await at.issuer.accessToken({ exp: at.clock.seconds + 7200 });
      at.clock.seconds += 3600;
      assert.equal(feedOf(at).stalenessMs, 0);
      assert.equal(await at.reasonOf(token), 'accepted');
    }));
});

describe('the policy for stale revocations', () => {
  test('introspect, the default: each token is asked about, what is known to have ended is refused unasked', () =>
    withEdge(async (at) => {
      const live = await at.issuer.accessToken();
      const dead = await at.issuer.accessToken({ sid: 's-dead' });
      const known = await at.issuer.accessToken({ sid: 's-known' });
      at.issuer.endSession('s-known');
      await eventually(async () => (await at.reasonOf(known)) === 'session_ended');
      await cutOff(at, 10_001);
      at.issuer.endSession('s-dead');
      assert.equal(at.edge.status().policy.inForce, 'introspect');
      assert.equal(await at.reasonOf(live), 'accepted');
      assert.equal(await at.reasonOf(dead), 'token_inactive');
      const asked = at.issuer.counts.introspection;
      assert.equal(await at.reasonOf(known), 'session_ended');
      assert.equal(at.issuer.counts.introspection, asked);
      const forged = `${live.slice(0, live.lastIndexOf('.'))}.${'A'.repeat(86)}`;
      assert.equal(await at.reasonOf(forged), 'token_signature_wrong', 'a forgery is not worth a question');
      assert.equal(at.issuer.counts.introspection, asked);
      at.issuer.faults.introspection = 'error';
      const verification = await at.judge(live);
      assert.ok(!verification.ok);
      assert.deepEqual([verification.status, verification.reason], [503, 'introspection_failed']);
    }));

  test('introspect without an introspection endpoint refuses, and start says so', () =>
    withEdge(
      async (at) => {
        at.issuer.extraMetadata = { introspection_endpoint: undefined };
        const status = await at.edge.start();
        assert.deepEqual(status.policy, { asked: 'introspect', inForce: 'refuse' });
        const notice = at.notices.find(({ kind }) => kind === 'policy');
        assert.ok(notice?.kind === 'policy' && /refuses \(it should introspect/.test(notice.message));
        await cutOff(at, 10_001);
        assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'revocations_stale');
      },
      { isStarted: false },
    ));

  test('refuse: 503 with Retry-After, also for good tokens', () =>
    withEdge(
      async (at) => {
        const token = await at.issuer.accessToken();
        await cutOff(at, 10_000);
        assert.equal(await at.reasonOf(token), 'accepted');
        at.clock.monotonicMs += 1;
        const verification = await at.judge(token);
        assert.ok(!verification.ok);
        assert.deepEqual([verification.status, verification.error], [503, 'temporarily_unavailable']);
        assert.deepEqual(verification.headers.at(-1), ['Retry-After', '1']);
        assert.match(String(verification.detail), /10 s old, at most 10 s/);
        delete at.issuer.faults.feed;
        await eventually(async () => (await at.reasonOf(token)) === 'accepted');
      },
      { staleness: { policy: 'refuse' } },
    ));

  test('A4: serve goes on for the seconds named, then refuses', () =>
    withEdge(
      async (at) => {
        const token = await at.issuer.accessToken({ exp: at.clock.seconds + 3600 });
        const dead = await at.issuer.accessToken({ sid: 's-known' });
        at.issuer.endSession('s-known');
        await eventually(async () => (await at.reasonOf(dead)) === 'session_ended');
        await cutOff(at, 10_000 + 900_000);
        assert.equal(await at.reasonOf(token), 'accepted');
        assert.equal(await at.reasonOf(dead), 'session_ended', 'what is known stays known');
        at.clock.monotonicMs += 1;
        assert.equal(await at.reasonOf(token), 'revocations_stale');
        at.clock.seconds += 4000;
        assert.equal(await at.reasonOf(token), 'token_expired', 'no policy outlives exp');
      },
      { staleness: { policy: { serve: 900 } } },
    ));

  test('serve does not begin anew where the feed was lost long ago and the set is full as well', () =>
    withEdge(
      async (at) => {
        const token = await at.issuer.accessToken();
        for (const sid of ['s-1', 's-2']) at.issuer.endSession(sid);
        await eventually(() => at.issuer.polls.some(({ ack }) => ack?.includes('e1.2')));
        // Nobody calls this API, or looks at its status, until the feed has been lost for longer than it may serve.
        at.issuer.faults.feed = 'down';
        at.issuer.wakePolls();
        await eventually(() => at.notices.some(({ kind }) => kind === 'feed-lost'));
        at.clock.monotonicMs += 10_000 + 901_000;
        assert.equal(await at.reasonOf(token), 'revocations_stale');
        assert.equal(at.edge.status().revocations.isIncomplete, true);
      },
      { revocationCapacity: 1, staleness: { policy: { serve: 900 } } },
    ));

  test('the bound is adjustable', () =>
    withEdge(
      async (at) => {
        await eventually(() => at.issuer.polls.length === 2);
        assert.equal(at.issuer.polls[1]?.prefer, 'wait=1');
        at.clock.monotonicMs += 3001;
        assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'revocations_stale');
      },
      { staleness: { maxAge: 3, policy: 'refuse' } },
    ));

  test('before the first replay the policy holds as well: never silently open', async () => {
    for (const [policy, expected] of [
      ['introspect', 'accepted'],
      ['refuse', 'revocations_stale'],
      [{ serve: 30 }, 'accepted'],
      [{ serve: 0 }, 'revocations_stale'],
    ] as const)
      await withEdge(
        async (at) => {
          at.issuer.faults.feed = 'down';
          at.clock.monotonicMs += 1;
          const token = await at.issuer.accessToken();
          assert.equal(await at.reasonOf(token), expected, JSON.stringify(policy));
          assert.equal(at.issuer.counts.introspection, policy === 'introspect' ? 1 : 0);
          at.clock.monotonicMs += 30_000;
          if (typeof policy === 'object') assert.equal(await at.reasonOf(token), 'revocations_stale');
          assert.equal(feedOf(at).stalenessMs, undefined);
        },
        { isStarted: false, staleness: { policy } },
      );
  });

  test('a revocation set that is full makes the policy hold; a later replay that fits ends that', () =>
    withEdge(
      async (at) => {
        const token = await at.issuer.accessToken();
        for (const sid of ['a', 'b', 'c']) at.issuer.endSession(sid);
        await eventually(async () => (await at.reasonOf(token)) === 'revocations_stale');
        assert.equal(at.edge.status().revocations.isIncomplete, true);
        assert.equal(at.edge.status().knowledge?.isCurrent, false);
        for (const sid of ['a', 'b'])
          assert.equal(await at.reasonOf(await at.issuer.accessToken({ sid })), 'session_ended');
        at.issuer.forgetEntries();
        at.clock.monotonicMs += 30_000;
        await eventuallyPolling(at, async () => (await at.reasonOf(token)) === 'accepted');
        assert.equal(at.edge.status().revocations.isIncomplete, false);
      },
      { revocationCapacity: 2, staleness: { policy: 'refuse' } },
    ));

  test('a replay that takes long and finds no room is repeated so seldom that the API has the time', () =>
    withEdge(
      async (at) => {
        for (const sid of ['s-1', 's-2', 's-3']) at.issuer.endSession(sid);
        at.issuer.distortSet = () => {
          at.clock.monotonicMs += 20_000;
        };
        await at.edge.start();
        assert.equal(feedOf(at).resyncs, 1);
        const polls = () => at.issuer.polls.length;
        for (const [passedMs, resyncs] of [
          [500_000, 1],
          [41_000, 2],
        ] as const) {
          at.clock.monotonicMs += passedMs;
          const before = polls();
          await eventuallyPolling(at, () => polls() >= before + 3);
          assert.equal(feedOf(at).resyncs, resyncs);
        }
      },
      { isStarted: false, revocationCapacity: 1 },
    ));

  test('without a feed the choice must be named, and the status and the start say it', async () => {
    await withEdge(
      async (at) => {
        assert.equal(at.edge.status().policy.inForce, 'none');
        assert.equal(at.issuer.counts.polls, 0);
        assert.ok(at.notices.some((notice) => notice.kind === 'policy' && /until it expires/.test(notice.message)));
        const bare = { issuer: at.issuer.url, audience: 'a' };
        const { createEdge } = await import('./create-edge.ts');
        assert.throws(() => createEdge(bare), /clientId and clientSecret.*allowRevokedUntilExpiry/s);
      },
      { allowRevokedUntilExpiry: true },
    );
  });
});

describe('a SET that does not hold', () => {
  const distortions: [
    name: string,
    err: string,
    distort: (set: { header: Record<string, unknown>; claims: Record<string, unknown> }) => void,
  ][] = [
    ['of another type', 'invalid_request', ({ header }) => Object.assign(header, { typ: 'JWT' })],
    ['without a type', 'invalid_request', ({ header }) => Object.assign(header, { typ: undefined })],
    [
      'with a critical header nobody here understands',
      'invalid_request',
      ({ header }) => Object.assign(header, { crit: ['x-later'], 'x-later': true }),
    ],
    ['of another issuer', 'invalid_issuer', ({ claims }) => Object.assign(claims, { iss: 'https://evil.example.com' })],
    ['under another id', 'invalid_request', ({ claims }) => Object.assign(claims, { jti: 'e1.99' })],
    ['signed by an unknown key', 'invalid_key', ({ header }) => Object.assign(header, { kid: 'nobody' })],
    ['without a kid', 'invalid_key', ({ header }) => Object.assign(header, { kid: undefined })],
    ['whose event lacks its subject', 'invalid_request', ({ claims }) => Object.assign(claims, { sub_id: {} })],
    [
      'whose event lacks until',
      'invalid_request',
      ({ claims }) => Object.assign(claims, { events: { [eventUris.grantRevoked]: {} } }),
    ],
  ];

  for (const [name, err, distort] of distortions)
    test(`RFC 8936 section 2.6: one ${name} is reported, nothing is acknowledged, and a replay follows`, () =>
      withEdge(async (at) => {
        await eventually(() => at.issuer.polls.length === 2);
        at.issuer.distortSet = (set) => {
          at.issuer.distortSet = undefined;
          distort(set);
        };
        const token = await at.issuer.accessToken({ sid: 's-x' });
        at.issuer.endSession('s-x');
        await eventually(() => at.issuer.polls.some((poll) => poll.setErrs));
        const report = at.issuer.polls.find((poll) => poll.setErrs);
        assert.equal(report?.setErrs?.['e1.1']?.err, err);
        assert.equal(report?.ack, undefined);
        await eventually(() => feedOf(at).position === 'e1.1');
        assert.equal(feedOf(at).resyncs, 2);
        assert.equal(feedOf(at).refusedSecurityEvents, 1);
        assert.ok(at.notices.some(({ kind }) => kind === 'feed-gap'));
        assert.equal(await at.reasonOf(token), 'session_ended');
        const after = at.issuer.polls.slice(at.issuer.polls.indexOf(report as never) + 1);
        assert.ok(
          after.every((poll) => poll.setErrs === undefined),
          'reported once',
        );
      }));

  test('with a wrong signature is refused; the good ones beside it count, the bound is not renewed', () =>
    withEdge(
      async (at) => {
        const good = await at.issuer.accessToken({ sid: 's-good' });
        at.issuer.appendSet('eyJhbGciOiJFUzI1NiJ9.e30.AAAA');
        at.issuer.endSession('s-good');
        await eventually(() => feedOf(at).failuresInARow >= 2);
        assert.equal(await at.reasonOf(good), 'session_ended');
        at.clock.monotonicMs += 10_001;
        await eventually(() => feedOf(at).failuresInARow >= 3);
        assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'revocations_stale');
        assert.ok(at.issuer.counts.polls < 12, 'with a growing pause');
      },
      { staleness: { policy: 'refuse' } },
    ));

  test('of a kind this version does not know is passed over', () =>
    withEdge(async (at) => {
      at.issuer.distortSet = ({ claims }) =>
        Object.assign(claims, { events: { 'urn:tessera:secevent:of-tomorrow': {} } });
      at.issuer.endSession('s-x');
      await eventually(() => feedOf(at).position === 'e1.1');
      assert.equal(feedOf(at).ignoredSecurityEvents, 1);
      assert.equal(feedOf(at).refusedSecurityEvents, 0);
    }));
});

describe('a mark that does not hold', () => {
  const marks: [name: string, changes: Record<string, unknown>, header: Record<string, unknown>][] = [
    ['of another type', {}, { typ: 'secevent+jwt' }],
    ['of another issuer', { iss: 'https://evil.example.com' }, {}],
    ['signed by an unknown key', {}, { kid: 'nobody' }],
    ['without a time', { as_of_ms: undefined }, {}],
    ['whose time is text', { as_of_ms: '1' }, {}],
    ['without a position', { jti: undefined }, {}],
    ['of another store epoch, without a replay', { jti: 'e9.5' }, {}],
    ['behind the cursor', { jti: 'e1.0' }, {}],
  ];

  for (const [name, changes, header] of marks)
    test(`${name}: the bound is not renewed, and a replay follows`, () =>
      withEdge(async (at) => {
        at.issuer.endSession('s-1');
        await eventually(() => at.issuer.polls.at(-1)?.ack?.includes('e1.1') === true);
        const sign = at.issuer.signMark;
        at.issuer.signMark = (good = {}) => {
          at.issuer.signMark = sign;
          return sign.call(at.issuer, { ...good, ...changes }, header);
        };
        at.clock.monotonicMs += 1000;
        await eventuallyPolling(at, () => feedOf(at).resyncs === 2 && feedOf(at).failuresInARow === 0);
        assert.ok(at.notices.some(({ kind }) => kind === 'feed-gap'));
        assert.equal(feedOf(at).position, 'e1.1');
      }));
});

describe('a revoked key', () => {
  test('is dropped with all that was remembered under it, and never comes back', () =>
    withEdge(async (at) => {
      const { issuer } = at;
      const stolen = issuer.signingKey;
      const token = await issuer.accessToken();
      assert.equal(await at.reasonOf(token), 'accepted');
      await issuer.addKey('k2');
      issuer.revoke({ kind: 'key', kid: 'k1', until: at.clock.seconds + 960 });
      at.clock.monotonicMs += 10_000;
      at.issuer.wakePolls();
      await eventually(async () => (await at.reasonOf(token)) === 'key_revoked');
      const forged = await issuer.accessToken({ exp: at.clock.seconds + 10_000_000 }, {}, stolen);
      assert.equal(await at.reasonOf(forged), 'key_revoked');
      assert.equal(await at.reasonOf(await issuer.accessToken()), 'accepted', 'the new key works');
      assert.deepEqual(at.edge.status().keys.revokedKids, ['k1']);
      at.clock.monotonicMs += 10_000;
      assert.equal(await at.reasonOf(await issuer.accessToken({}, { kid: 'k3' })), 'token_key_unknown');
      assert.equal(await at.reasonOf(token), 'key_revoked', 'although the JWKS still lists it');
    }));

  test('cannot announce its own revocation, nor anything after it', () =>
    withEdge(async (at) => {
      const { issuer } = at;
      const token = await issuer.accessToken();
      const thief = issuer.signingKey;
      await issuer.addKey('k2');
      issuer.signFeedWith(thief);
      issuer.revoke({ kind: 'key', kid: 'k1', until: at.clock.seconds + 960 });
      await eventually(() => issuer.polls.some((poll) => poll.setErrs?.['e1.1']?.err === 'invalid_key'));
      assert.equal(await at.reasonOf(token), 'accepted');
      issuer.signFeedWith(undefined);
      at.clock.monotonicMs += 10_000;
      await eventually(async () => (await at.reasonOf(token)) === 'key_revoked');
      await eventually(() => feedOf(at).failuresInARow === 0);
      issuer.signFeedWith(thief);
      const victim = await issuer.accessToken({ sid: 's-victim' });
      issuer.endSession('s-victim');
      await eventually(() => feedOf(at).failuresInARow > 0);
      assert.equal(await at.reasonOf(victim), 'accepted', 'a SET by the revoked key ends nothing');
    }));
});
