import { setTimeout as sleep } from 'node:timers/promises';
import { CommitSignal } from '../../../packages/server/src/store/postgres/commit-signal.ts';
import { openPool } from '../../../packages/server/src/store/postgres/connection.ts';
import { openPostgresStore } from '../../../packages/server/src/store/postgres/open.ts';
import {
  findPostgres,
  howToInstall,
  startTestPostgres,
} from '../../../packages/server/src/store/postgres/test-postgres.ts';
import { postgresCpuSeconds } from './postgres-cpu.ts';

/**
 * Measures what processes on one Postgres cost each other: a signal after a commit, heard by each of the others; a look at the event log.
 * Usage: node scripts/run.mjs docs/scale/measure/signals.ts.
 */
const seconds = 5;
const bin = findPostgres();
if (bin === undefined) throw new Error(howToInstall);
const postgres = await startTestPostgres(bin);
const { connectionString } = postgres;
try {
  const store = await openPostgresStore({ connectionString });
  for (const nodes of [2, 8, 24]) await measureSignals(nodes);
  const looks = 3000;
  const look = await cpuOf(async () => {
    for (let index = 0; index < looks; index += 1) await store.position();
  });
  console.log(`a look at the log: Postgres ${micros(look.postgres / looks)} µs, node ${micros(look.node / looks)} µs`);
  await store.close();
} finally {
  await postgres.remove();
}

/** All of them signal as often as they may. */
async function measureSignals(nodes: number): Promise<void> {
  let heard = 0;
  const connection = { connectionString, schema: undefined };
  const pool = openPool(connection, 1);
  const signals = Array.from({ length: nodes }, () => new CommitSignal(connection, pool, () => (heard += 1)));
  for (const signal of signals) await signal.open();
  const timer = setInterval(() => {
    for (const signal of signals) signal.send();
  }, 1);
  const used = await cpuOf(() => sleep(seconds * 1000));
  clearInterval(timer);
  const sent = heard / (nodes - 1);
  console.log(
    `${nodes} nodes: ${(sent / seconds / nodes).toFixed(0)} signals a second each; for each one heard Postgres ${micros(used.postgres / heard)} µs, node ${micros(used.node / heard)} µs`,
  );
  for (const signal of signals) await signal.close();
  await pool.end();
}

async function cpuOf(work: () => Promise<unknown>): Promise<{ postgres: number; node: number }> {
  const before = postgresCpuSeconds(connectionString);
  const own = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(own);
  return { postgres: postgresCpuSeconds(connectionString) - before, node: (user + system) / 1e6 };
}

function micros(value: number): string {
  return (value * 1e6).toFixed(1);
}
