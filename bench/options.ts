import { parseArgs } from 'node:util';
import type { Extent, StoreName } from './scenarios/scenario.ts';

/**
 * How much of everything is done. `withGroupedPeer`: whether the peer is measured in both ways of using a store. `takesLong`: whether the scenarios that take minutes are among those that run unasked. `few`, `many`: stored sessions; `sampled`: how many of them are used.
 */
export type Plan = Extent & {
  sessions: number;
  tokens: number;
  repeats: number;
  starts: number;
  idleSeconds: number;
  flushes: number;
  withGroupedPeer: boolean;
  takesLong: boolean;
  few: number;
  many: number;
  sampled: number;
  refreshes: number;
  offered: { perSecond: number; seconds: number };
};

/**
 * What the command line asks for. `stores`: undefined for whatever this machine has. `against`: a server that runs already; `pids`: its process and that of its database, where they are on
 * this machine.
 */
export type BenchOptions = {
  plan: Plan;
  asJson: boolean;
  only: readonly string[] | undefined;
  against: string | undefined;
  pids: readonly number[];
  stores: readonly StoreName[] | undefined;
  folder: string;
};

const endless = Number.POSITIVE_INFINITY;
const long: Plan = {
  visits: 2,
  warmUpSeconds: 5,
  rounds: 4,
  seconds: 4,
  operations: endless,
  callers: [16, 64],
  grants: 10_000,
  sessions: 11_000,
  tokens: 4000,
  repeats: 100,
  starts: 11,
  idleSeconds: 5,
  flushes: 2000,
  withGroupedPeer: true,
  takesLong: true,
  few: 10_000,
  many: 2_000_000,
  sampled: 10_000,
  refreshes: 1_000_000,
  offered: { perSecond: 5000, seconds: 30 },
};
const quick: Plan = {
  ...long,
  warmUpSeconds: 2,
  rounds: 2,
  seconds: 0.8,
  grants: 1200,
  sessions: 1800,
  tokens: 1500,
  repeats: 20,
  starts: 5,
  flushes: 500,
  withGroupedPeer: false,
  takesLong: false,
};
const smoke: Plan = {
  visits: 1,
  warmUpSeconds: 30,
  rounds: 1,
  seconds: 30,
  operations: 50,
  callers: [16],
  grants: 40,
  sessions: 100,
  tokens: 50,
  repeats: 2,
  starts: 1,
  idleSeconds: 0.1,
  flushes: 50,
  withGroupedPeer: true,
  takesLong: true,
  few: 50,
  many: 300,
  sampled: 60,
  refreshes: 300,
  offered: { perSecond: 200, seconds: 1 },
};

/** How the bench is called. */
export const usage = `usage: npm run bench -- [--quick] [--json] [--only SCENARIO,…] [--store sqlite,postgres] [--sessions NUMBER]
                        [--grouped-peer] [--against URL [--pid PID,…]] [--folder FOLDER]

  --quick     short rounds, under ten minutes; without the scenarios of growth, which --only can add, and without the peer that groups, which --grouped-peer can add
  --smoke     50 operations of each scenario: tries the bench, measures nothing
  --json      one JSON object a line instead of the table
  --only      these scenarios alone; growth* stands for all whose names begin so
  --store     where the servers keep what they keep; by default both, Postgres if it is installed
  --grouped-peer  the peer once more, with an adapter that reads and writes together what is asked for together, as Tessera does
  --sessions  how many sessions are stored where growth is measured (default 2000000)
  --against   a server that runs already and declares bench/tessera-bench.yaml; with --pid the processor time of it and its database is counted
  --folder    where the servers' folders are made; it must be on a disk (default /var/tmp)`;

/** Reads the command line; throws for what it does not know. */
export function readOptions(argv: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean' },
      smoke: { type: 'boolean' },
      json: { type: 'boolean' },
      only: { type: 'string' },
      against: { type: 'string' },
      pid: { type: 'string' },
      store: { type: 'string' },
      sessions: { type: 'string' },
      'grouped-peer': { type: 'boolean' },
      folder: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  const plan = values.smoke ? smoke : values.quick ? quick : long;
  return {
    plan: {
      ...plan,
      ...(values['grouped-peer'] && { withGroupedPeer: true }),
      ...(values.sessions !== undefined && { many: wholeNumber('--sessions', values.sessions) }),
    },
    asJson: values.json === true,
    only: list(values.only),
    against: values.against?.replace(/\/$/, ''),
    pids: list(values.pid)?.map(Number) ?? [],
    stores: list(values.store)?.map(storeName),
    folder: values.folder ?? '/var/tmp',
  };
}

function list(text: string | undefined): string[] | undefined {
  return text?.split(',').map((part) => part.trim());
}

function storeName(text: string): StoreName {
  if (text === 'sqlite' || text === 'postgres') return text;
  throw new Error(`--store: "${text}" is neither sqlite nor postgres`);
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`${name}: "${text}" is no whole number above 0`);
}
