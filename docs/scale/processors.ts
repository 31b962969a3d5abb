import { type Demand, demandOf } from './demand.ts';
import { edgesOf } from './edges.ts';
import type { Figures, Workload } from './figures.ts';
import { type CommitResult, playGroupCommit, rotationMicros } from './group-commit.ts';
import { bytes, short, table } from './table.ts';

/** What the busiest hour takes. Cores are busy ones; `nodeCores` holds those for passwords and the feed; `workers` and `postgresCoresToBuy` leave the rest of `operation.…BusyShareAtPeak`. */
export type Sizing = {
  demand: Demand;
  workers: number;
  nodeCores: number;
  passwordCores: number;
  feedCores: number;
  postgresCores: number;
  postgresCoresToBuy: number;
  betweenProcessesCores: number;
  sqliteCores: number;
  commits: CommitResult;
  connections: number;
};

/** One process alone is down while it restarts. */
const fewestWorkers = 2;
/** A process looks for new events this often at the most: it gathers for 10 ms, and the look takes its time. */
const mostLooksASecond = 65;

/**
 * Sizes nodes and database for the peak. How much a rotation costs depends on how many share a transaction, and that on the number of processes; so both are sought in turn.
 */
export function sizingOf(demand: Demand, figures: Figures, workload: Workload, standbyMs = 0.6): Sizing {
  const { operation, use, seed } = workload;
  const peak = use.peakOverAverage;
  const feedCores = edgesOf(demand, figures, workload).cores;
  const coresOf = (batch: number) => nodeCores(demand, figures, batch, peak) + feedCores;
  let workers = fewestWorkers;
  let commits: CommitResult;
  for (let round = 1; ; round += 1) {
    commits = playGroupCommit(figures, { perSecond: demand.refreshes * peak, processes: workers, standbyMs, seed });
    const needed = Math.max(fewestWorkers, Math.ceil(coresOf(commits.batch) / operation.busyShareAtPeak));
    if (needed === workers || round === 5) break;
    workers = needed;
  }
  const between = betweenProcesses(figures, workers, commits.transactions);
  const postgresCores = databaseCores(demand, figures, commits.batch, peak) + between;
  return {
    demand,
    workers,
    nodeCores: coresOf(commits.batch),
    feedCores,
    passwordCores: (demand.signIns * peak * figures.signInMicros) / 1e6,
    postgresCores,
    postgresCoresToBuy: Math.ceil(postgresCores / operation.postgresBusyShareAtPeak),
    betweenProcessesCores: between,
    sqliteCores: sqliteCores(demand, figures, peak),
    commits,
    connections: workers * operation.connectionsAWorker,
  };
}

function nodeCores(demand: Demand, figures: Figures, batch: number, peak: number): number {
  const micros =
    demand.refreshes * rotationMicros(figures, batch).node +
    demand.introspections * figures.introspectNodeMicros +
    demand.signIns * (figures.signInMicros + figures.userinfoNodeMicros) +
    demand.furtherCodes * figures.codeFlowNodeMicros +
    demand.signOuts * figures.revokeNodeMicros +
    demand.endings * figures.endingNodeMicros;
  return (micros * peak) / 1e6;
}

function databaseCores(demand: Demand, figures: Figures, batch: number, peak: number): number {
  const micros =
    demand.refreshes * rotationMicros(figures, batch).postgres +
    demand.introspections * figures.introspectPostgresMicros +
    demand.signIns * (figures.signInPostgresMicros + figures.userinfoPostgresMicros) +
    demand.furtherCodes * figures.codeFlowPostgresMicros +
    demand.signOuts * figures.revokePostgresMicros +
    demand.endings * (figures.endingPostgresMicros + figures.sweepPostgresMicros);
  return (micros * peak) / 1e6;
}

function sqliteCores(demand: Demand, figures: Figures, peak: number): number {
  const micros =
    demand.refreshes * figures.refreshSqliteMicros +
    demand.introspections * figures.introspectSqliteMicros +
    demand.signIns * (figures.signInMicros + figures.userinfoSqliteMicros) +
    demand.furtherCodes * figures.codeFlowSqliteMicros +
    (demand.signOuts + demand.endings) * figures.revokeSqliteMicros;
  return (micros * peak) / 1e6;
}

/** What processes cost the database by being many: each signals its commits to all others, and each looks for what the others wrote. */
function betweenProcesses(figures: Figures, workers: number, transactions: number): number {
  const signals = Math.min(mostLooksASecond, transactions / workers);
  const looks = Math.min(mostLooksASecond, transactions);
  return (
    (workers * (signals * (workers - 1) * figures.signalPostgresMicros + looks * figures.lookPostgresMicros)) / 1e6
  );
}

/** Cores, processes, connections and memory of the nodes, by size. */
export function processorsTable(sizings: readonly Sizing[], figures: Figures, { operation }: Workload): string {
  const rows: [string, (sizing: Sizing) => string][] = [
    ['busy cores at peak, embedded SQLite', (one) => short(one.sqliteCores)],
    ['busy cores at peak on Postgres: nodes', (one) => short(one.nodeCores)],
    ['… of these for passwords', (one) => short(one.passwordCores)],
    ['… of these for the feed', (one) => short(one.feedCores)],
    [`worker processes, at most ${operation.busyShareAtPeak * 100} % busy`, (one) => short(one.workers)],
    [
      `machines of ${operation.workersAMachine} workers, one spare`,
      (one) => short(Math.ceil(one.workers / operation.workersAMachine) + 1),
    ],
    ['memory of the workers', (one) => bytes(one.workers * figures.nodeBytes)],
    ['rotations in a transaction', (one) => short(one.commits.batch)],
    ['transactions a second for rotations', (one) => short(one.commits.transactions)],
    ['busy cores at peak: Postgres', (one) => short(one.postgresCores)],
    ['… of these for signals and looks between workers', (one) => short(one.betweenProcessesCores)],
    [
      `cores to buy for Postgres, ${operation.postgresBusyShareAtPeak * 100} % busy`,
      (one) => short(one.postgresCoresToBuy),
    ],
    ['connections to Postgres', (one) => short(one.connections)],
    ['their memory', (one) => bytes(one.connections * figures.backendBytes)],
  ];
  return table(
    ['', ...sizings.map(({ demand }) => `${short(demand.users)} users`)],
    rows.map(([what, cell]) => [what, ...sizings.map(cell)]),
  );
}

/** The same load on more, idler processes: what being many costs. */
export function spreadTable(users: number, figures: Figures, workload: Workload): string {
  const perSecond = demandOf(users, workload).refreshes * workload.use.peakOverAverage;
  return table(
    [
      'workers',
      'rotations in a transaction',
      'transactions a second',
      'µs of node a rotation',
      'µs of Postgres a rotation',
      'Postgres cores for signals and looks',
    ],
    [8, 16, 32, 64, 128].map((processes) => {
      const played = playGroupCommit(figures, { perSecond, processes, standbyMs: 0.6, seed: workload.seed });
      const micros = rotationMicros(figures, played.batch);
      return [
        `${processes}`,
        short(played.batch),
        short(played.transactions),
        short(micros.node),
        short(micros.postgres),
        short(betweenProcesses(figures, processes, played.transactions)),
      ];
    }),
  );
}
