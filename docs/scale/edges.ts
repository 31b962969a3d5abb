import type { Demand } from './demand.ts';
import { costOfFeed, playFeed } from './feed-telling.ts';
import type { Figures, Workload } from './figures.ts';
import { bytes, duration, percent, short, table } from './table.ts';

/** The edges of a size and what they cost the nodes at the peak. */
export type Edges = { count: number; heard: number; polls: number; cores: number; bytes: number; known: number };

/** How many edges the API calls need, and what following the feed costs. `heard`: endings a second that concern one edge. `known`: endings it must remember. */
export function edgesOf(demand: Demand, figures: Figures, { apis, use, keeping, seed }: Workload): Edges {
  const peak = use.peakOverAverage;
  const calls = demand.apiCalls * peak * apis.hopsACall;
  const count = Math.max(apis.fewestEdges, Math.ceil(calls / apis.callsASecondAnEdge));
  const heard = demand.endings * peak * apis.endingsHeardByAnEdge;
  const played = playFeed({
    endingsPerSecond: heard,
    roundTripMs: apis.roundTripMs,
    waitSeconds: waitOf(apis.maxAgeSeconds),
    seed,
  });
  const cost = costOfFeed(figures, played);
  const shareEnded = Math.min(1, demand.signOuts / demand.endings);
  return {
    count,
    heard,
    polls: played.polls * count,
    cores: cost.cores * count,
    bytes: cost.bytes * count,
    // What lapsed is over but for what clocks may be wrong by; of what was ended tokens live on.
    known: heard * shareEnded * keeping.revocationSeconds + heard * (1 - shareEnded) * keeping.lapseSeconds,
  };
}

/** Node time in seconds when all edges start at once: each is told all that still matters, signed for it alone. */
export function restartSeconds({ count, known }: Edges, figures: Figures): number {
  return (count * known * figures.replayMicros) / 1e6;
}

/** An edge holds a poll for a third of the age it allows. Source: packages/edge/src/revocation-feed.ts. */
function waitOf(maxAgeSeconds: number): number {
  return Math.max(1, Math.floor(maxAgeSeconds / 3));
}

/** Edges by size. */
export function edgesTable(
  sizings: readonly { demand: Demand; workers: number }[],
  figures: Figures,
  workload: Workload,
): string {
  const all = sizings.map(({ demand, workers }) => ({ workers, ...edgesOf(demand, figures, workload) }));
  type One = (typeof all)[number];
  const rows: [string, (one: One) => string][] = [
    ['edges', (one) => short(one.count)],
    ['endings a second that one edge hears', (one) => short(one.heard)],
    ['polls a second, all edges', (one) => short(one.polls)],
    ['busy node cores for the feed', (one) => short(one.cores)],
    ['bytes a second for the feed', (one) => bytes(one.bytes)],
    ['polls that wait, for each worker', (one) => short(one.count / one.workers)],
    ['their memory in each worker', (one) => bytes((one.count / one.workers) * figures.waitingPollBytes)],
    ['endings an edge remembers', (one) => short(one.known)],
    [`… of its ${short(figures.edgeCapacity)}`, (one) => percent(one.known / figures.edgeCapacity)],
    ["one newcomer's replay: node time", (one) => duration((one.known * figures.replayMicros) / 1e6)],
    ['… its own time for the signatures', (one) => duration((one.known * figures.edgeVerifySetMicros) / 1e6)],
    ['all edges start anew: node time', (one) => duration(restartSeconds(one, figures))],
  ];
  return table(
    ['at peak', ...sizings.map(({ demand }) => `${short(demand.users)} users`)],
    rows.map(([what, cell]) => [what, ...all.map(cell)]),
  );
}

/** Busy node cores and bytes for so many edges at so many endings a second, each heard by all. */
export function manyEdgesTable(figures: Figures, { apis, seed }: Workload): string {
  const endings = [0.1, 1, 10, 100];
  const cell = (count: number, endingsPerSecond: number, maxAgeSeconds: number) => {
    const load = { endingsPerSecond, roundTripMs: apis.roundTripMs, waitSeconds: waitOf(maxAgeSeconds), seed };
    const { cores, bytes: each } = costOfFeed(figures, playFeed(load));
    return `${short(cores * count)} cores, ${bytes(each * count)}/s`;
  };
  return table(
    ['edges', ...endings.map((perSecond) => `${perSecond} endings/s`), '0.1 endings/s, `maxAge` 60'],
    [100, 1000, 10_000, 100_000, 1_000_000].map((count) => [
      short(count),
      ...endings.map((perSecond) => cell(count, perSecond, apis.maxAgeSeconds)),
      cell(count, 0.1, 60),
    ]),
  );
}

/** How an ending reaches edges behind a tier of relays: what the nodes see, what one relay does, and the delay. */
export function relayTable(figures: Figures, { apis, seed }: Workload): string {
  const edgesARelay = 1000;
  const play = playFeed({
    endingsPerSecond: 10,
    roundTripMs: apis.roundTripMs,
    waitSeconds: waitOf(apis.maxAgeSeconds),
    seed,
  });
  const one = costOfFeed(figures, play);
  return table(
    [
      'edges',
      'relays',
      'node cores without relays',
      'node cores with',
      'cores of one relay',
      'delay at the median, without / with',
    ],
    [10_000, 100_000, 1_000_000].map((count) => [
      short(count),
      short(count / edgesARelay),
      short(one.cores * count),
      short((one.cores * count) / edgesARelay),
      short(one.cores * edgesARelay),
      `${duration(play.p50Ms / 1000)} / ${duration((2 * play.p50Ms) / 1000)}`,
    ]),
  );
}
