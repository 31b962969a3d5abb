import type { Figures, Workload } from './figures.ts';
import { playGroupCommit } from './group-commit.ts';
import type { Sizing } from './processors.ts';
import { duration, short, table } from './table.ts';

/** What a synchronous standby costs a rotation, by how far away it is. */
export function standbyTable({ demand, workers }: Sizing, figures: Figures, workload: Workload): string {
  const perSecond = demand.refreshes * workload.use.peakOverAverage;
  const places: [string, number][] = [
    ['none: a failover loses what was acknowledged last', 0],
    ['same site, another room, 0.6 ms', 0.6],
    ['next city, 5 ms', 5],
    ['same continent, 25 ms', 25],
    ['over an ocean, 80 ms', 80],
  ];
  return table(
    [
      'synchronous standby, round trip',
      'commit p50',
      'p99',
      'rotations in a transaction',
      'most rotations a second of one worker',
    ],
    places.map(([place, standbyMs]) => {
      const played = playGroupCommit(figures, { perSecond, processes: workers, standbyMs, seed: workload.seed });
      const fullBatchMs = 3.5 * figures.statementMs + 256 * figures.statementMsAChange + figures.flushMs + standbyMs;
      return [
        place,
        duration(played.p50Ms / 1000),
        duration(played.p99Ms / 1000),
        short(played.batch),
        short(256_000 / fullBatchMs),
      ];
    }),
  );
}

/** The round trips of one refresh: a reading and a statement; with a DPoP proof a reading, then BEGIN, lock, write, COMMIT. */
const roundTripsPlain = 2;
const roundTripsWithProof = 5;

/** How long a refresh takes for a user far from the database, by where the nodes stand. */
export function oceanTable(figures: Figures): string {
  const distances: [string, number][] = [
    ['same region', 2],
    ['same continent', 25],
    ['over an ocean', 80],
    ['the other side of the world', 200],
  ];
  const site = (roundTripsWithProof * figures.statementMs + figures.flushMs) / 1000;
  const afar = (roundTripMs: number, roundTrips: number) =>
    duration(0.002 + (roundTrips * roundTripMs + figures.flushMs) / 1000);
  return table(
    [
      'user to database',
      'nodes beside the database',
      'nodes beside the user',
      'the same with DPoP',
      'users homed in their region',
    ],
    distances.map(([place, roundTripMs]) => [
      `${place}, ${roundTripMs} ms`,
      duration(roundTripMs / 1000 + site),
      afar(roundTripMs, roundTripsPlain),
      afar(roundTripMs, roundTripsWithProof),
      duration(0.002 + site),
    ]),
  );
}
