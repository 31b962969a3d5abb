import { type Demand, demandOf } from './demand.ts';
import { edgesOf, restartSeconds } from './edges.ts';
import type { Figures, Workload } from './figures.ts';
import { logVolumeOf } from './log-volume.ts';
import { type Sizing, sizingOf } from './processors.ts';
import { storageOf } from './storage.ts';
import { bytes, short, table } from './table.ts';

/** Something that ends, and when: the number of users at which it is used up. */
export type Limit = { what: string; users: number; remedy: string };

/** What breaks first: each limit with the number of users at which it is met under the workload, in their order. */
export function limitsOf(figures: Figures, workload: Workload): Limit[] {
  const { operation, keeping, use } = workload;
  const ofDemand = (limit: number, used: (demand: Demand) => number) =>
    usersAt(limit, (users) => used(demandOf(users, workload)));
  const known = new Map<number, Sizing>();
  const sizingFor = (demand: Demand) => {
    const sizing = known.get(demand.users) ?? sizingOf(demand, figures, workload);
    known.set(demand.users, sizing);
    return sizing;
  };
  const sized = (limit: number, used: (sizing: Sizing) => number) =>
    ofDemand(limit, (demand) => used(sizingFor(demand)));
  const disk = operation.bytesOfDiskSold;
  const log = (checkpointMinutes: number, compressed: boolean) => (demand: Demand) =>
    logVolumeOf(demand, figures, workload, { checkpointMinutes, compressed }, use.peakOverAverage).total;
  const limits: Limit[] = [
    {
      what: 'one process on SQLite, half busy at peak',
      users: ofDemand(operation.busyShareAtPeak, (demand) => sizingFor(demand).sqliteCores),
      remedy: '`--workers`, then Postgres',
    },
    {
      what: `one SQLite file of ${bytes(1e12)}, events of ${keeping.eventDays} days included`,
      users: ofDemand(1e12, (demand) => storageOf(demand, figures, workload).sqlite),
      remedy: 'a shorter `eventRetention`; Postgres',
    },
    {
      what: `event log of ${keeping.eventDays} days fills ${bytes(disk / 2)}, half a disk of ${bytes(disk)}`,
      users: ofDemand(disk / 2, (demand) => storageOf(demand, figures, workload).events),
      remedy: 'a shorter `eventRetention`; older events elsewhere',
    },
    {
      what: `what a day touches fills ${bytes(operation.memoryOfPostgresSoldBytes / 2)} of memory`,
      users: ofDemand(operation.memoryOfPostgresSoldBytes / 2, (demand) => storageOf(demand, figures, workload).hot),
      remedy: 'more memory; user documents apart from what a refresh needs; partitions on several databases',
    },
    {
      what: `log of ${bytes(operation.bytesASecondOfLog)}/s at peak, Postgres' own settings (5 min, off)`,
      users: ofDemand(operation.bytesASecondOfLog, log(5, false)),
      remedy: '`wal_compression=lz4`, checkpoints every 15 to 30 min',
    },
    {
      what: `log of ${bytes(operation.bytesASecondOfLog)}/s at peak, 30 min and lz4`,
      users: ofDemand(operation.bytesASecondOfLog, log(30, true)),
      remedy: 'several databases',
    },
    {
      what: `an edge's ${short(figures.edgeCapacity)} endings, at peak`,
      users: ofDemand(figures.edgeCapacity, (demand) => edgesOf(demand, figures, workload).known),
      remedy: '`revocationCapacity`; not telling edges of what merely lapsed',
    },
    {
      what: 'all edges start anew at peak: ten minutes of eight cores',
      users: ofDemand(4800, (demand) => restartSeconds(edgesOf(demand, figures, workload), figures)),
      remedy: 'edges start a few at a time; signatures kept for newcomers too; relays',
    },
    {
      what: 'the feed takes as many node cores as all else',
      users: ofDemand(0, (demand) => 2 * sizingFor(demand).feedCores - sizingFor(demand).nodeCores),
      remedy: 'relays; a longer gathering than 10 ms',
    },
    {
      what: `${operation.connectionsOfPostgres} connections`,
      users: sized(operation.connectionsOfPostgres, ({ connections }) => connections),
      remedy: 'a pooler of transactions; busier workers',
    },
    {
      what: `${operation.coresOfPostgresSold} cores of Postgres, ${operation.postgresBusyShareAtPeak * 100} % busy`,
      users: sized(operation.coresOfPostgresSold, ({ postgresCoresToBuy }) => postgresCoresToBuy),
      remedy: 'several databases',
    },
    {
      what: 'one process ends what lapses, at the average',
      users: ofDemand(
        1e6 / (figures.endingPostgresMicros + figures.endingNodeMicros),
        (demand) => demand.endings - demand.signOuts,
      ),
      remedy: 'several processes, a part of the grants each',
    },
  ];
  return limits.sort((a, b) => a.users - b.users);
}

/** The least number of users, within a tenth, at which something that grows with them reaches a limit. */
export function usersAt(limit: number, used: (users: number) => number): number {
  let low = 4;
  let high = 10.3;
  if (used(10 ** high) < limit) return Number.POSITIVE_INFINITY;
  while (high - low > 0.04) {
    const middle = (low + high) / 2;
    if (used(10 ** middle) < limit) low = middle;
    else high = middle;
  }
  return 10 ** high;
}

/** The limits as a table. */
export function limitsTable(figures: Figures, workload: Workload): string {
  return table(
    ['users', 'what is used up', 'what then'],
    limitsOf(figures, workload).map(({ what, users, remedy }) => [
      users === Number.POSITIVE_INFINITY ? 'over 10 bn' : short(users),
      what,
      remedy,
    ]),
  );
}
