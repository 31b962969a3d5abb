import { EventQueue } from './event-queue.ts';
import { nextArrival, seededRandom } from './random.ts';

/** What a server does with more than it can do. The first is what Tessera does today; the last, what a limit in a proxy in front does. */
export type Discipline = 'all in order' | 'skips who has gone' | 'refuses beyond 2 s';

/**
 * After an outage. `perSecond`: devices that begin to need a token each second; `capacity`: refreshes the server can do each second; `patience`: seconds until a person gives up, on the mean.
 * `discipline`: all that comes is worked off in its order; or what a caller who has gone had asked is skipped; or what would wait for longer than two seconds is refused at once with `Retry-After: 1`.
 */
export type Outage = {
  outageSeconds: number;
  perSecond: number;
  capacity: number;
  patience: number;
  discipline: Discipline;
  seed: number;
};

/** `waiting`: devices that wait when the server is back, and `servedShare`: how many of them get a token before they give up. `calmAfter`: seconds until the queue stays below one second, undefined if
 * that takes more than ten minutes. `wasted`: the share of work for callers who had gone. */
export type Recovery = {
  waiting: number;
  calmAfter: number | undefined;
  wasted: number;
  servedShare: number;
  /** Of the devices whose tokens no key binds: how many ask once more, later than the retry window after an attempt whose answer came when they had gone. Their grant ends as reused. */
  signedOut: number;
};

// As packages/client does it: four attempts, pauses of 0.4, 0.8 and 1.6 s, each with up to a quarter more; a time limit of 10 s each.
const pauses = [0.4, 0.8, 1.6];
const timeLimit = 10;
/** Seconds until an app whose attempts all failed asks again, on the mean: when its user does something. */
const askAgainAfter = 15;
/** What a refusal costs, or noticing that a caller has gone, in refreshes. */
const refusalCost = 0.05;
const watchedSeconds = 600;
/** `lifetimes.retryWindow`, counted from the rotation. A request is judged as of its coming, not of its turn: the clock is read before the store. */
const retryWindow = 30;

type Device = { leavesAt: number; isServed: boolean; isOld: boolean; rotatedAt?: number };

/**
 * Plays the minutes after an outage, on a sample of the devices. The server works first come, first served, and does not know that a caller has gone: so work for callers who waited beyond their
 * time limit is lost. Crude: one queue for all nodes.
 */
export function playOutage(outage: Outage): Recovery {
  const random = seededRandom(outage.seed);
  const queue = new EventQueue();
  const { patience, capacity, discipline } = outage;
  // Who came during the outage and has not given up: in the long run as many as come in one span of patience.
  const waiting = Math.round(outage.perSecond * patience * (1 - Math.exp(-outage.outageSeconds / patience)));
  let freeAt = 0;
  const work = { done: 0, wasted: 0 };
  let overloadedAt = 0;
  let served = 0;
  let lost = 0;

  const settle = (device: Device, isServed: boolean): void => {
    if (device.isServed) return;
    device.isServed = true;
    if (!device.isOld) return;
    if (isServed) served += 1;
  };
  /** What becomes of an attempt that comes now: who gets no answer in time asks again. */
  const attempt = (device: Device, count: number, now: number): void => {
    if (device.isServed) return;
    if (now > device.leavesAt) {
      settle(device, false);
      return;
    }
    const queued = Math.max(0, freeAt - now);
    if (queued > 1) overloadedAt = now;
    const isRefused = discipline === 'refuses beyond 2 s' && queued > 2;
    const isSkipped = discipline === 'skips who has gone' && queued + 1 / capacity > timeLimit;
    freeAt = Math.max(freeAt, now) + (isRefused || isSkipped ? refusalCost : 1) / capacity;
    if (isRefused) again(device, count, now, 1);
    else if (isSkipped) again(device, count, now + timeLimit, 0);
    else refresh(device, count, now, freeAt);
  };
  const refresh = (device: Device, count: number, now: number, answered: number): void => {
    work.done += 1;
    if (device.rotatedAt !== undefined && now - device.rotatedAt > retryWindow) {
      lost += 1;
      settle(device, false);
      return;
    }
    device.rotatedAt ??= now;
    if (answered - now <= timeLimit) queue.plan(answered, () => settle(device, true));
    else {
      work.wasted += 1;
      again(device, count, now + timeLimit, 0);
    }
  };
  const again = (device: Device, count: number, now: number, retryAfter: number): void => {
    const pause = pauses[count];
    if (pause === undefined) queue.plan(now + nextArrival(random, 1 / askAgainAfter), (at) => attempt(device, 0, at));
    else queue.plan(now + Math.max(retryAfter, pause * (1 + random() / 4)), (at) => attempt(device, count + 1, at));
  };
  for (let index = 0; index < waiting; index += 1) {
    const device = { leavesAt: nextArrival(random, 1 / patience), isServed: false, isOld: true };
    // Each is somewhere between two rounds of attempts.
    queue.plan(nextArrival(random, 1 / askAgainAfter), (at) => attempt(device, 0, at));
  }
  let arrived = waiting;
  const arrive = (now: number): void => {
    arrived += 1;
    attempt({ leavesAt: now + nextArrival(random, 1 / patience), isServed: false, isOld: false }, 0, now);
    queue.plan(now + nextArrival(random, outage.perSecond), arrive);
  };
  queue.plan(0, arrive);
  queue.runUntil(watchedSeconds);
  return {
    waiting,
    // Still overloaded when the watch ends: nobody saw the end of it.
    calmAfter: overloadedAt > watchedSeconds - 20 ? undefined : overloadedAt,
    wasted: work.done === 0 ? 0 : work.wasted / work.done,
    servedShare: served / Math.max(1, waiting),
    signedOut: lost / arrived,
  };
}
