import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { declared } from './declared.ts';
import { signInForCookie } from './load/code-flow.ts';
import { Caller, describeTarget, type Target } from './load/target.ts';
import { describeMachine } from './machine.ts';
import { type BenchOptions, readOptions, usage } from './options.ts';
import { Populations } from './population/populations.ts';
import { tellProgress } from './progress.ts';
import { type Row, tableHead, tableLines } from './report.ts';
import { runBytesPerSession } from './scenarios/bytes-per-session.ts';
import { runCommitUnderLoad } from './scenarios/commit-under-load.ts';
import { runDiskFlush } from './scenarios/disk-flush.ts';
import { runRevocation, runVerification } from './scenarios/edge.ts';
import { growthNames, runGrowth } from './scenarios/growth.ts';
import { runMillionRefreshes } from './scenarios/million-refreshes.ts';
import { beginScenario, rowsOf, type ScenarioContest, type Targets, takeTurns } from './scenarios/run-scenario.ts';
import type { StoreName } from './scenarios/scenario.ts';
import { scenarios } from './scenarios/scenarios.ts';
import { runStarts } from './scenarios/start.ts';
import { hasPostgres, howToInstall } from './subjects/start-database.ts';
import { startServers } from './subjects/start-servers.ts';
import { pinGenerator } from './subjects/start-subject.ts';

const edgeCounts = [1, 10, 100];
const longNames = [...growthNames, 'commit_under_load', 'million_refreshes'];
const ofServers = [
  ...scenarios.map((scenario) => scenario.name),
  'edge_verify_first',
  'edge_verify_remembered',
  ...edgeCounts.map((count) => `revocation_to_refusal_${count}`),
  'cold_start',
  'idle_memory',
];
const allNames = [...ofServers, 'disk_flush', 'bytes_per_session', ...longNames];

/** Runs the benchmarks: starts the servers, measures, prints, stops what it started. See docs/performance.md for how to read the figures. */
async function main(options: BenchOptions): Promise<void> {
  const unknown = options.only?.find((asked) => !allNames.some((name) => isNamed(name, asked)));
  if (unknown !== undefined) throw new Error(`--only: "${unknown}" is none of ${allNames.join(', ')}`);
  const isUsual = (name: string) => options.plan.takesLong || !longNames.includes(name);
  const isAsked = (name: string) => options.only?.some((asked) => isNamed(name, asked)) ?? isUsual(name);
  const print = (rows: readonly Row[]) => {
    for (const row of rows)
      if (isAsked(row.scenario)) console.log(options.asJson ? JSON.stringify(row) : tableLines(row));
  };
  if (!options.asJson) console.log(`${describeMachine()}\n\n${tableHead()}`);
  pinGenerator();
  const bench = { options, isAsked, print };
  if (options.against === undefined) await measureOwn(bench);
  else await measureRunning(bench, options.against);
  tellProgress('done');
}

function isNamed(name: string, asked: string): boolean {
  return asked.endsWith('*') ? name.startsWith(asked.slice(0, -1)) : name === asked;
}

type Bench = { options: BenchOptions; isAsked(name: string): boolean; print(rows: readonly Row[]): void };

async function measureOwn(bench: Bench): Promise<void> {
  const { options, isAsked, print } = bench;
  const [first, ...others] = storesOf(options) as [StoreName, ...StoreName[]];
  const folder = mkdtempSync(join(options.folder, 'tessera-bench-'));
  // A database's user passes through to its own folder.
  chmodSync(folder, 0o711);
  // Also when it is interrupted; the servers were stopped just before.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  if (isAsked('disk_flush')) print([runDiskFlush(folder, options.plan.flushes, first)]);
  const populations = new Populations(folder);
  try {
    for (const store of [first, ...others]) {
      await measureStore(bench, store, folder, store === first);
      await measureGrowth(bench, store, populations);
      if (isAsked('million_refreshes')) {
        tellProgress(`${store}: million_refreshes`);
        print([await runMillionRefreshes(store, folder, options.plan.refreshes)]);
      }
      await populations.remove(store);
    }
  } finally {
    for (const store of [first, ...others]) await populations.remove(store);
  }
}

function storesOf({ stores }: BenchOptions): readonly StoreName[] {
  if (stores !== undefined) return stores;
  if (hasPostgres()) return ['sqlite', 'postgres'];
  console.error(`\n${howToInstall}; its figures are MISSING\n`);
  return ['sqlite'];
}

/** What needs many stored sessions. */
async function measureGrowth(bench: Bench, store: StoreName, populations: Populations): Promise<void> {
  const { options, isAsked, print } = bench;
  const { few, many, sampled, offered, takesLong } = options.plan;
  const growth = growthNames.filter(isAsked);
  if (growth.length > 0) {
    const grown = [await populations.of(store, few, sampled), await populations.of(store, many, sampled)];
    tellProgress(`${store}: ${growth.join(', ')}`);
    print(await runGrowth(store, grown, options.plan, isAsked));
  }
  if (isAsked('bytes_per_session')) {
    const population = await populations.of(store, takesLong ? many : few, sampled);
    tellProgress(`${store}: bytes_per_session`);
    print([await runBytesPerSession(store, population)]);
  }
  if (isAsked('commit_under_load') && store === 'sqlite') {
    const population = await populations.of(store, many, sampled);
    tellProgress(`${store}: commit_under_load, ${offered.seconds} s`);
    print([await runCommitUnderLoad(population, offered)]);
  }
}

/** All scenarios on one store; with `isFirst` those too for which the store hardly matters. */
async function measureStore(bench: Bench, store: StoreName, folder: string, isFirst: boolean): Promise<void> {
  const { options, isAsked, print } = bench;
  const { plan } = options;
  if (!ofServers.some(isAsked)) return;
  tellProgress(`${store}: starting the servers, ${plan.sessions} sessions each`);
  const servers = await startServers({
    store,
    folder,
    sessions: plan.sessions,
    withGroupedPeer: plan.withGroupedPeer,
    withLimit: isFirst,
  });
  try {
    // Before thousands of revocations: an edge that connects loads all that still matter.
    if (isFirst) await measureEdges(bench, store, servers.targets.tessera as Target);
    await measureRequests(bench, store, servers.targets, isFirst);
    await servers.stop();
    if (!isAsked('cold_start') && !isAsked('idle_memory')) return;
    tellProgress(`${store}: cold_start, idle_memory`);
    print(await runStarts(store, servers.startables, { repeats: plan.starts, idleSeconds: plan.idleSeconds }));
  } finally {
    await servers.close();
  }
}

async function measureRunning(bench: Bench, issuer: string): Promise<void> {
  const { options } = bench;
  const { username, password } = declared.user;
  const target = await describeTarget(issuer, { pids: options.pids, cookies: [], usernames: [username] });
  const caller = new Caller(target, 0);
  const cookies: string[] = [];
  for (let index = 0; index < 64; index++) cookies.push(await signInForCookie(caller, username, password));
  caller.close();
  const signedIn = { ...target, cookies };
  const store = options.stores?.[0] ?? 'sqlite';
  await measureEdges(bench, store, signedIn);
  await measureRequests(bench, store, { tessera: signedIn }, true);
}

async function measureRequests(bench: Bench, store: StoreName, targets: Targets, isFirst: boolean): Promise<void> {
  const { plan } = bench.options;
  const contests: ScenarioContest[] = [];
  for (const scenario of scenarios) {
    if (!bench.isAsked(scenario.name) || (scenario.onceForAllStores && !isFirst)) continue;
    tellProgress(`${store}: ${scenario.name}`);
    const isSmoke = Number.isFinite(plan.operations);
    const operations = isSmoke ? (scenario.smokeOperations ?? plan.operations) : plan.operations;
    const contest = await beginScenario(scenario, store, targets, { ...plan, operations });
    await takeTurns(contest);
    contests.push(contest);
  }
  // Once more, minutes later: a machine that shares its processors may be slow for as long as all rounds of one visit take.
  for (let visit = 1; visit < plan.visits; visit++)
    for (const contest of contests) {
      tellProgress(`${store}: ${contest.scenario.name} again`);
      await takeTurns(contest);
    }
  for (const contest of contests) bench.print(rowsOf(contest));
}

async function measureEdges({ options, isAsked, print }: Bench, store: StoreName, target: Target): Promise<void> {
  const { tokens, visits, rounds, seconds, repeats, operations } = options.plan;
  const issuer = target.issuer;
  if (isAsked('edge_verify_first') || isAsked('edge_verify_remembered')) {
    tellProgress('edge_verify_first, edge_verify_remembered');
    const extent = { tokens, rounds: visits * rounds, seconds: Number.isFinite(operations) ? 0 : seconds };
    print(await runVerification(issuer, store, extent));
  }
  for (const edges of edgeCounts) {
    if (!isAsked(`revocation_to_refusal_${edges}`)) continue;
    tellProgress(`revocation_to_refusal_${edges}`);
    print([await runRevocation(issuer, store, { edges, repeats, cookie: target.cookies.at(-1) })]);
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') console.log(usage);
  else await main(options);
  process.exit(0);
} catch (error) {
  console.error(
    error instanceof Error && error.message.includes('Unknown option') ? `${error.message}\n\n${usage}` : error,
  );
  process.exit(1);
}
