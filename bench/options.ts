import { parseArgs } from 'node:util';
import type { Extent, StoreName } from './scenarios/scenario.ts';

/** How much of everything is done. */
export type Plan = Extent & {
  sessions: number;
  tokens: number;
  repeats: number;
  starts: number;
  idleSeconds: number;
  flushes: number;
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
  rounds: 7,
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
};
const quick: Plan = {
  ...long,
  rounds: 3,
  seconds: 1.2,
  grants: 1500,
  sessions: 2100,
  tokens: 1500,
  repeats: 30,
  starts: 5,
  flushes: 500,
};
const smoke: Plan = {
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
};

/** How the bench is called. */
export const usage = `usage: npm run bench -- [--quick] [--json] [--only SCENARIO,…] [--store sqlite,postgres] [--against URL [--pid PID,…]] [--folder FOLDER]

  --quick     short rounds, under ten minutes
  --smoke     50 operations of each scenario: tries the bench, measures nothing
  --json      one JSON object a line instead of the table
  --only      these scenarios alone
  --store     where the servers keep what they keep; by default both, Postgres if it is installed
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
      folder: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  return {
    plan: values.smoke ? smoke : values.quick ? quick : long,
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
