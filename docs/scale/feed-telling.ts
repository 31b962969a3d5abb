import { EventQueue } from './event-queue.ts';
import type { Figures } from './figures.ts';
import { nextArrival, seededRandom } from './random.ts';

/** Endings a second that one edge hears; its round trip to the node; for how long a poll without news hangs (a third of the edge's `maxAge`). */
export type FeedLoad = { endingsPerSecond: number; roundTripMs: number; waitSeconds: number; seed: number };

/** Polls a second of one edge, those that end without news among them; endings told a second; milliseconds from an ending's commit to the edge. */
export type FeedResult = { polls: number; idlePolls: number; told: number; p50Ms: number; p99Ms: number };

// A node looks at the log this long after a commit, so that what comes close together goes together; longer, up to 60 ms, where looking takes long.
const gatherSeconds = 0.01;

/**
 * Plays the long polling of one edge: an ending wakes the node 10 ms after it was committed; all that is known by then goes into the answer; the edge asks again at once.
 * Crude: nodes with processor time to spare. Source: packages/server/src/events/revocation-feed.ts and event-follower.ts, packages/edge/src/revocation-feed.ts.
 */
export function playFeed({ endingsPerSecond, roundTripMs, waitSeconds, seed }: FeedLoad): FeedResult {
  const random = seededRandom(seed);
  const queue = new EventQueue();
  const half = roundTripMs / 2000;
  const delays: number[] = [];
  let pending: number[] = [];
  let ready = 0;
  let isWaiting = false;
  let poll = 0;
  const counts = { polls: 0, idle: 0 };

  const answer = (now: number): void => {
    isWaiting = false;
    counts.polls += 1;
    if (ready === 0) counts.idle += 1;
    for (const since of pending.slice(0, ready)) delays.push((now + half - since) * 1000);
    pending = pending.slice(ready);
    ready = 0;
    queue.plan(now + 2 * half, ask);
  };
  const ask = (now: number): void => {
    isWaiting = true;
    const mine = ++poll;
    if (ready > 0) answer(now);
    else queue.plan(now + waitSeconds, (at) => isWaiting && mine === poll && answer(at));
  };
  let isGathering = false;
  const look = (now: number): void => {
    isGathering = false;
    ready = pending.length;
    if (isWaiting && ready > 0) answer(now);
  };
  const end = (now: number): void => {
    pending.push(now);
    if (!isGathering) queue.plan(now + gatherSeconds, look);
    isGathering = true;
    queue.plan(now + nextArrival(random, endingsPerSecond), end);
  };
  ask(0);
  queue.plan(nextArrival(random, endingsPerSecond), end);
  const seconds = Math.max(20 * waitSeconds, Math.min(100_000, 1500 / endingsPerSecond));
  queue.runUntil(seconds);
  delays.sort((a, b) => a - b);
  const at = (share: number) => delays[Math.floor(delays.length * share)] ?? Number.NaN;
  return {
    polls: counts.polls / seconds,
    idlePolls: counts.idle / seconds,
    told: delays.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

/** What an edge's polling costs the nodes: cores, and bytes a second. */
export function costOfFeed(figures: Figures, { polls, idlePolls, told }: FeedResult): { cores: number; bytes: number } {
  const micros =
    idlePolls * figures.pollIdleMicros + (polls - idlePolls) * figures.pollToldMicros + told * figures.tellingMicros;
  return { cores: micros / 1e6, bytes: polls * figures.pollBytes + told * figures.tellingBytes };
}
