import type { Figures, Workload } from './figures.ts';
import { playGroupCommit } from './group-commit.ts';
import type { Sizing } from './processors.ts';
import { storageOf } from './storage.ts';
import { bytes, percent, short, table } from './table.ts';

const secondsADay = 86_400;
/** `autovacuum_freeze_max_age`: so many transactions after the last one, Postgres reads a table to freeze its rows. */
const freezeAge = 200e6;
/** `autovacuum_vacuum_scale_factor` of grant_state. Source: packages/server/src/store/postgres/schema.ts. */
const vacuumShare = 0.05;

/** What must be done although nobody asks: endings of what lapsed, sweeping, vacuum. */
export function upkeepTable(sizings: readonly Sizing[], figures: Figures, workload: Workload): string {
  const rows: [string, (sizing: Sizing) => string][] = [
    ['lapses to end, a second', ({ demand }) => short(lapses(demand))],
    ['… one process can end', () => short(1e6 / (figures.endingPostgresMicros + figures.endingNodeMicros))],
    ['rows swept a second', ({ demand }) => short(demand.sessionBirths + 2 * demand.grantBirths)],
    ['events dropped a day, as whole partitions', ({ demand }) => short(demand.events * secondsADay)],
    ['row versions left by rotations, a day', ({ demand }) => short(demand.refreshes * secondsADay)],
    [
      'a page of grant_state is rotated on, times a day',
      ({ demand }) => short((demand.refreshes * secondsADay) / (storageOf(demand, figures, workload).states / 8192)),
    ],
    [
      'endings and sweeps until grant_state is vacuumed, days',
      ({ demand }) => short((vacuumShare * demand.grants) / (demand.grantBirths * 2 * secondsADay)),
    ],
    ['transactions a day', ({ demand, workers }) => short(transactionsADay(demand.refreshes, workers))],
    [
      'days until a freezing vacuum of every table',
      ({ demand, workers }) => short(freezeAge / transactionsADay(demand.refreshes, workers)),
    ],
    ['… which reads, without the event log', ({ demand }) => bytes(storageOf(demand, figures, workload).living)],
  ];
  const transactionsADay = (perSecond: number, workers: number) =>
    playGroupCommit(figures, { perSecond, processes: workers, standbyMs: 0.6, seed: workload.seed }).transactions *
    secondsADay;
  return table(
    ['', ...sizings.map(({ demand }) => `${short(demand.users)} users`)],
    rows.map(([what, cell]) => [what, ...sizings.map(cell)]),
  );

  function lapses({ endings, signOuts }: Sizing['demand']): number {
    return endings - signOuts;
  }
}

/** How much of a page stays free for new versions of its rows. */
export function heapOnlyTable(figures: Figures): string {
  const freeBytes = 8192 * 0.2;
  const versions = Math.floor(freeBytes / figures.stateHeapBytes);
  const rows = Math.floor((8192 * 0.8) / figures.stateHeapBytes);
  return table(
    ['rows on a page of grant_state', 'versions that fit before the page is cleaned', 'share of its rows'],
    [[short(rows), short(versions), percent(versions / rows)]],
  );
}
