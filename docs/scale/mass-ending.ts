import type { Demand } from './demand.ts';
import { edgesOf } from './edges.ts';
import type { Figures, Workload } from './figures.ts';
import { bytes, duration, short, table } from './table.ts';

/** Ending much at once: one by one or by an epoch, and what the edges and the database have of it. */
export function massEndingTable(demand: Demand, figures: Figures, workload: Workload): string {
  const edges = edgesOf(demand, figures, workload).count;
  const cases: [string, number, boolean][] = [
    ['one user, ten sessions', 10, false],
    ['a thousand sessions, one by one', 1000, false],
    ['one session in a hundred, one by one', demand.sessions / 100, false],
    ['everything of a client, by its epoch', 1, true],
    ['everything, by the issuer epoch', 1, true],
  ];
  return table(
    [
      'what ends',
      'entries for an edge',
      'of its capacity',
      'Postgres time',
      'log',
      'node time to tell all edges',
      'bytes to all edges',
    ],
    cases.map(([what, endings, isEpoch]) => [
      what,
      short(endings),
      `${short(endings / figures.edgeCapacity)}×`,
      duration((endings * (isEpoch ? figures.revokePostgresMicros : figures.endingPostgresMicros)) / 1e6),
      bytes(endings * figures.endingLogBytes),
      duration((endings * edges * figures.tellingMicros) / 1e6),
      bytes(endings * edges * figures.tellingBytes),
    ]),
  );
}

/** Everybody who is active must sign in again: how long the passwords take. */
export function passwordTable(demands: readonly Demand[], figures: Figures, { people }: Workload): string {
  const cores = [8, 32, 128];
  return table(
    ['everybody active today signs in again', ...demands.map(({ users }) => `${short(users)} users`)],
    [
      ['passwords', ...demands.map((demand) => short(demand.users * people.activeADay))],
      [
        'core hours',
        ...demands.map((demand) => short((demand.users * people.activeADay * figures.signInMicros) / 3.6e9)),
      ],
      ...cores.map((count) => [
        `on ${count} cores`,
        ...demands.map((demand) => duration((demand.users * people.activeADay * figures.signInMicros) / 1e6 / count)),
      ]),
      [
        'log of it, without page images',
        ...demands.map((demand) => bytes(demand.users * people.activeADay * figures.signInLogBytes)),
      ],
    ],
  );
}
