import type { Demand } from './demand.ts';
import { short, table } from './table.ts';

const rows: [what: string, rate: (demand: Demand) => number][] = [
  ['refreshes', (demand) => demand.refreshes],
  ['introspections', (demand) => demand.introspections],
  ['sign-ins with a password', (demand) => demand.signIns],
  ['further apps under a sign-in (a code, no page)', (demand) => demand.furtherCodes],
  ['sign-outs', (demand) => demand.signOuts],
  ['endings that edges are told (sign-outs and what lapses)', (demand) => demand.endings],
  ['events', (demand) => demand.events],
  ['API calls, judged at the edges alone', (demand) => demand.apiCalls],
];

/** Requests a second by endpoint, on the average and in the busiest hour. */
export function requestsTable(demands: readonly Demand[], peakOverAverage: number): string {
  return table(
    ['a second, average / peak', ...demands.map(({ users }) => `${short(users)} users`)],
    rows.map(([what, rate]) => [
      what,
      ...demands.map((demand) => `${short(rate(demand))} / ${short(rate(demand) * peakOverAverage)}`),
    ]),
  );
}
