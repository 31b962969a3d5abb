import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { demandOf } from './demand.ts';
import { withScaleTables } from './document.ts';
import { edgesOf } from './edges.ts';
import { EventQueue } from './event-queue.ts';
import { playFeed } from './feed-telling.ts';
import { describedFigures, readFigures, readWorkload } from './figures.ts';
import { playGroupCommit } from './group-commit.ts';
import { limitsOf, usersAt } from './limits.ts';
import { distinctPages, logVolumeOf } from './log-volume.ts';
import { type Outage, playOutage } from './outage.ts';
import { seededRandom } from './random.ts';
import { storageOf } from './storage.ts';
import { bytes, duration, short } from './table.ts';

const figures = readFigures();
const workload = readWorkload();
const seed = 7;

function isNear(got: number, expected: number, share: number): void {
  assert.ok(Math.abs(got - expected) <= expected * share, `expected ${expected} within ${share * 100} %, got ${got}`);
}

describe('what the model stands on', () => {
  it('the same seed gives the same numbers, another one others, spread evenly', () => {
    const draw = (from: number) => Array.from({ length: 10_000 }, seededRandom(from));
    assert.deepEqual(draw(1), draw(1));
    assert.notDeepEqual(draw(1), draw(2));
    isNear(draw(1).reduce((sum, value) => sum + value, 0) / 10_000, 0.5, 0.02);
  });

  it('the queue lets things happen in the order of their time, and of their planning at the same time', () => {
    const queue = new EventQueue();
    const random = seededRandom(3);
    const happened: [number, number][] = [];
    for (let index = 0; index < 500; index += 1) {
      const at = Math.floor(random() * 50);
      queue.plan(at, () => happened.push([at, index]));
    }
    queue.runUntil(50);
    assert.equal(happened.length, 500);
    const sorted = [...happened].sort(([a, i], [b, j]) => a - b || i - j);
    assert.deepEqual(happened, sorted);
  });

  it('what lies beyond the end does not happen', () => {
    const queue = new EventQueue();
    queue.plan(2, () => assert.fail('happened'));
    queue.runUntil(1.9);
  });

  it('every figure says its unit, where it comes from and whether it was measured', () => {
    for (const { name, value, unit, kind, where } of describedFigures()) {
      assert.ok(value > 0 && unit !== '' && where.length > 5, name);
      assert.ok(kind === 'measured' || kind === 'assumed', `${name}: ${kind}`);
    }
  });

  it('a table whose marks are missing is told, not dropped', () => {
    assert.throws(() => withScaleTables('nothing', { requests: '' }), /expected <!-- requests: begin -->/);
    assert.equal(
      withScaleTables('a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb', { x: 'new' }),
      'a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb',
    );
  });

  it('numbers are told to two places that count', () => {
    assert.deepEqual(
      [short(1234), short(12_345), short(0.0456), bytes(1_234_567), duration(0.0123), duration(7300)],
      ['1,200', '12 k', '0.046', '1.2 MB', '12 ms', '2 h'],
    );
  });
});

describe('demand and bytes', () => {
  it('what is stored grows with users and not with their refreshes', () => {
    const demand = demandOf(1e6, workload);
    const busier = { ...demand, refreshes: demand.refreshes * 100 };
    const [calm, busy] = [demand, busier].map((one) => storageOf(one, figures, workload));
    assert.equal(busy!.states, calm!.states);
    assert.equal(busy!.grants, calm!.grants);
    assert.equal(busy!.events, calm!.events);
    isNear(storageOf(demandOf(1e7, workload), figures, workload).living, 10 * calm!.living, 1e-9);
  });

  it('changes at random touch each page once at the most', () => {
    isNear(distinctPages(10, 1e6), 10, 1e-4);
    isNear(distinctPages(1e9, 1000), 1000, 1e-9);
    // Thrown for real.
    const random = seededRandom(seed);
    const touched = new Set(Array.from({ length: 3000 }, () => Math.floor(random() * 2000)));
    isNear(distinctPages(3000, 2000), touched.size, 0.03);
  });

  it('longer between checkpoints and compressed pages make the log shorter, never below its records', () => {
    const demand = demandOf(1e8, workload);
    const at = (checkpointMinutes: number, compressed: boolean) =>
      logVolumeOf(demand, figures, workload, { checkpointMinutes, compressed });
    assert.ok(at(5, false).total > at(30, false).total);
    assert.ok(at(5, false).total > at(5, true).total);
    assert.ok(at(60, true).total > at(60, true).records);
    assert.ok(at(5, false).imagesARotation <= 1);
  });
});

describe('group commit', () => {
  const commit = (perSecond: number, processes: number, standbyMs = 0) =>
    playGroupCommit(figures, { perSecond, processes, standbyMs, seed });

  it('one caller now and then waits for its statements and half a flush or more, nothing else', () => {
    const alone = commit(1, 1);
    isNear(alone.p50Ms, 4 * figures.statementMs + figures.statementMsAChange + figures.flushMs, 0.01);
    isNear(alone.batch, 1, 0.05);
  });

  it('a process under load shares its transactions, and many idle ones do not', () => {
    assert.ok(commit(10_000, 1).batch > 10);
    assert.ok(commit(10_000, 64).batch < 2);
    assert.ok(commit(10_000, 64).flushes < commit(10_000, 64).transactions / 2);
  });

  it('all that is asked is written while a batch is not full, and no more than it holds when it is', () => {
    const { batch, transactions } = commit(10_000, 4);
    isNear(batch * transactions, 10_000, 0.05);
    const far = commit(12_000, 1, 80);
    assert.ok(far.batch * far.transactions < (256 / 0.08) * 1.05);
  });

  it('a far standby costs its round trip', () => {
    assert.ok(commit(100, 8, 80).p50Ms - commit(100, 8).p50Ms >= 80);
  });
});

describe('the feed', () => {
  const play = (endingsPerSecond: number, waitSeconds = 3) =>
    playFeed({ endingsPerSecond, roundTripMs: 2, waitSeconds, seed });

  it('every ending is told, soon, however many there are', () => {
    for (const perSecond of [0.1, 1, 30, 1000]) {
      const { told, p99Ms } = play(perSecond);
      isNear(told, perSecond, 0.2);
      assert.ok(p99Ms < 30, `${p99Ms} ms`);
    }
  });

  it('without endings an edge asks once in its wait and a round trip', () => {
    isNear(play(0.0001).polls, 1 / 3.002, 0.02);
  });

  it('many endings share a poll: gathering bounds the polls', () => {
    assert.ok(play(1000).polls < 100);
  });

  it('a longer wait asks less and tells as soon', () => {
    assert.ok(play(0.1, 20).polls < play(0.1).polls / 2);
    isNear(play(0.1, 20).p50Ms, play(0.1).p50Ms, 0.1);
  });

  it('what an edge remembers is what it heard within the life of a token', () => {
    const demand = demandOf(1e7, workload);
    const { known, heard } = edgesOf(demand, figures, workload);
    const ended = demand.signOuts / demand.endings;
    isNear(known, heard * (ended * 960 + (1 - ended) * 60), 1e-9);
  });
});

describe('after an outage', () => {
  const play = (changes: Partial<Outage>) =>
    playOutage({
      outageSeconds: 600,
      perSecond: 5,
      capacity: 10,
      patience: 180,
      discipline: 'all in order',
      seed,
      ...changes,
    });

  it('a server that can do much more than the peak is calm soon and signs nobody out', () => {
    const { calmAfter, signedOut, wasted, servedShare } = play({ capacity: 60 });
    assert.ok(calmAfter !== undefined && calmAfter < 60);
    assert.equal(signedOut, 0);
    assert.equal(wasted, 0);
    assert.ok(servedShare > 0.85);
  });

  it('work for callers who have gone keeps a server busy that would have had capacity to spare', () => {
    const { calmAfter, wasted, signedOut } = play({});
    assert.equal(calmAfter, undefined);
    assert.ok(wasted > 0.3);
    assert.ok(signedOut > 0.3);
  });

  it('skipping them ends that', () => {
    const { calmAfter, wasted, signedOut } = play({ discipline: 'skips who has gone' });
    assert.ok(calmAfter !== undefined);
    assert.equal(wasted, 0);
    assert.equal(signedOut, 0);
  });

  it('without an outage nobody waits', () => {
    assert.equal(play({ outageSeconds: 0 }).waiting, 0);
    assert.ok((play({ outageSeconds: 0 }).calmAfter ?? 999) < 1);
  });
});

describe('limits', () => {
  it('the number of users at which something is used up is found within a tenth', () => {
    isNear(
      usersAt(5e6, (users) => users / 10),
      5e7,
      0.1,
    );
    assert.equal(
      usersAt(1, () => 0),
      Number.POSITIVE_INFINITY,
    );
  });

  it('they stand in their order', () => {
    const users = limitsOf(figures, workload).map((limit) => limit.users);
    assert.deepEqual(
      users,
      [...users].sort((a, b) => a - b),
    );
  });
});
