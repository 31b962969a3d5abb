import type { Demand } from './demand.ts';
import type { Figures, Workload } from './figures.ts';
import { bytes, short, table } from './table.ts';

const secondsADay = 86_400;
const pageBytes = 8192;

/** Rows and bytes of the tables that grow, indexes included, after years of use. `hot`: what must be in memory, because an ordinary day touches it everywhere. */
export type Storage = {
  users: number;
  sessions: number;
  grants: number;
  states: number;
  remembered: number;
  eventsADay: number;
  events: number;
  living: number;
  total: number;
  hot: number;
  sqlite: number;
};

/** The bytes a number of users takes in Postgres, and in SQLite. */
export function storageOf(demand: Demand, figures: Figures, { people, use, keeping }: Workload): Storage {
  const index = (value: number) => value * figures.indexGrowth;
  // Ended rows stay for an hour and a quarter.
  const kept = (births: number) => births * keeping.endedRowHours * 3600;
  const sessionRows = demand.sessions + kept(demand.sessionBirths);
  const grantRows = demand.grants + kept(demand.grantBirths);
  const users = demand.users * (figures.userHeapBytes + index(figures.userIndexBytes));
  const sessions = sessionRows * (figures.sessionHeapBytes + index(figures.sessionIndexBytes));
  const grants = grantRows * (figures.grantHeapBytes + index(figures.grantIndexBytes));
  const states = grantRows * (figures.stateHeapBytes + index(figures.stateIndexBytes));
  // A DPoP proof for five minutes, a change of origin for an hour.
  const rememberedRows = demand.refreshes * use.refreshesWithDpop * 300 + demand.originChanges * 3600;
  const remembered = rememberedRows * (figures.stateHeapBytes + index(2 * figures.stateIndexBytes));
  const eventsADay = demand.events * secondsADay * (figures.eventHeapBytes + index(figures.eventIndexBytes));
  const events = eventsADay * keeping.eventDays;
  const living = users + sessions + grants + states + remembered;
  // A page is needed if any of its rows is: with several rows a page nearly all are, though few people are active.
  const touched = (heapBytes: number) => 1 - (1 - people.activeADay) ** (pageBytes / heapBytes);
  const hot =
    states +
    grants * touched(figures.grantHeapBytes) +
    users * touched(figures.userHeapBytes) +
    remembered +
    eventsADay / 4;
  const sqlite =
    demand.users * figures.sqliteUserBytes +
    sessionRows * figures.sqliteSessionBytes +
    grantRows * figures.sqliteGrantBytes +
    demand.events * secondsADay * keeping.eventDays * figures.sqliteEventBytes;
  return {
    users,
    sessions,
    grants,
    states,
    remembered,
    eventsADay,
    events,
    living,
    total: living + events,
    hot,
    sqlite,
  };
}

/** Rows and bytes by table and size. */
export function storageTable(demands: readonly Demand[], figures: Figures, workload: Workload): string {
  const sized = demands.map((demand) => ({ demand, storage: storageOf(demand, figures, workload) }));
  type One = (typeof sized)[number];
  const days = workload.keeping.eventDays;
  const rows: [string, (one: One) => string][] = [
    ['users', ({ demand, storage }) => `${short(demand.users)} rows, ${bytes(storage.users)}`],
    ['sessions', ({ demand, storage }) => `${short(demand.sessions)} rows, ${bytes(storage.sessions)}`],
    ['grants, what is set at birth', ({ demand, storage }) => `${short(demand.grants)} rows, ${bytes(storage.grants)}`],
    ['grant_state, what a rotation changes', ({ storage }) => bytes(storage.states)],
    ['remembered proofs and origins', ({ storage }) => bytes(storage.remembered)],
    ['**all that lives**', ({ storage }) => `**${bytes(storage.living)}**`],
    [
      'events a day',
      ({ demand, storage }) => `${short(demand.events * secondsADay)} rows, ${bytes(storage.eventsADay)}`,
    ],
    [`**event log, ${days} days**`, ({ storage }) => `**${bytes(storage.events)}**`],
    ['event log, 7 days', ({ storage }) => bytes(storage.eventsADay * 7)],
    ['memory for what a day touches', ({ storage }) => bytes(storage.hot)],
    [`one SQLite file, events of ${days} days included`, ({ storage }) => bytes(storage.sqlite)],
  ];
  return table(
    ['Postgres, indexes included', ...demands.map(({ users }) => `${short(users)} users`)],
    rows.map(([what, cell]) => [what, ...sized.map(cell)]),
  );
}
