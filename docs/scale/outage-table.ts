import type { Demand } from './demand.ts';
import type { Figures, Workload } from './figures.ts';
import { type Discipline, playOutage } from './outage.ts';
import { duration, percent, short, table } from './table.ts';

/** How many devices begin to need a token each second of the sample: the queue's length in seconds does not depend on it. */
const sampleASecond = 8;
const patience = 180;
const disciplines: Discipline[] = ['all in order', 'skips who has gone', 'refuses beyond 2 s'];

/** The ten minutes after an outage of ten minutes at the peak, by how much the server can do and by what it does with the rest. */
export function outageTable({ seed }: Workload): string {
  const rows: string[][] = [];
  for (const times of [1.5, 2, 3, 5])
    for (const discipline of disciplines) {
      const { waiting, calmAfter, wasted, servedShare, signedOut } = playOutage({
        outageSeconds: 600,
        perSecond: sampleASecond,
        capacity: sampleASecond * times,
        patience,
        discipline,
        seed,
      });
      rows.push([
        `${times}× the peak`,
        discipline,
        percent(servedShare),
        calmAfter === undefined ? 'over 10 min' : duration(calmAfter),
        percent(wasted),
        waiting === 0 ? '–' : percent(signedOut),
      ]);
    }
  return table(
    [
      'capacity',
      'what comes is',
      'who waited and got a token',
      'calm after',
      'work for callers who had gone',
      'unbound devices signed out',
    ],
    rows,
  );
}

/** What comes at once when the server is back, by size. */
export function herdTable(demands: readonly Demand[], figures: Figures, { use, apis }: Workload): string {
  const peak = use.peakOverAverage;
  // Who needs a token gives up after three minutes on the mean.
  const waiting = (demand: Demand) => demand.refreshes * peak * patience * (1 - Math.exp(-600 / patience));
  const calls = (demand: Demand) => demand.apiCalls * peak * apis.hopsACall;
  return table(
    ['after ten minutes, at peak', ...demands.map(({ users }) => `${short(users)} users`)],
    [
      ['devices waiting for a token', ...demands.map((demand) => short(waiting(demand)))],
      ['attempts a second in the first seconds', ...demands.map((demand) => short(waiting(demand) / 15))],
      ['ordinary refreshes a second', ...demands.map((demand) => short(demand.refreshes * peak))],
      ['introspections a second while all edges are stale', ...demands.map((demand) => short(calls(demand)))],
      [
        '… busy node cores for those',
        ...demands.map((demand) => short((calls(demand) * figures.introspectNodeMicros) / 1e6)),
      ],
      [
        '… busy Postgres cores for those',
        ...demands.map((demand) => short((calls(demand) * figures.introspectPostgresMicros) / 1e6)),
      ],
    ],
  );
}
