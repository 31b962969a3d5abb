import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { declared } from './declared.ts';
import { signInForCookie } from './load/code-flow.ts';
import { Caller, describeTarget, type Target } from './load/target.ts';
import { describeMachine } from './machine.ts';
import { type BenchOptions, readOptions, usage } from './options.ts';
import { type Row, tableHead, tableLines } from './report.ts';
import { runDiskFlush } from './scenarios/disk-flush.ts';
import { runRevocation, runVerification } from './scenarios/edge.ts';
import { runScenario, type Targets } from './scenarios/run-scenario.ts';
import { scenarios } from './scenarios/scenarios.ts';
import { runStarts, type Startable } from './scenarios/start.ts';
import { freePort, pinGenerator, type RunningSubject, startSubject } from './subjects/start-subject.ts';

const edgeCounts = [1, 10, 100];
const allNames = [
  ...scenarios.map((scenario) => scenario.name),
  'edge_verify_first',
  'edge_verify_remembered',
  ...edgeCounts.map((count) => `revocation_to_refusal_${count}`),
  'cold_start',
  'idle_memory',
  'disk_flush',
];

/** Runs the benchmarks: starts the servers, measures, prints, stops what it started. See docs/performance.md for how to read the figures. */
async function main(options: BenchOptions): Promise<void> {
  const unknown = options.only?.find((name) => !allNames.includes(name));
  if (unknown !== undefined) throw new Error(`--only: "${unknown}" is none of ${allNames.join(', ')}`);
  const isAsked = (name: string) => options.only?.includes(name) ?? true;
  const print = (rows: readonly Row[]) => {
    for (const row of rows)
      if (isAsked(row.scenario)) console.log(options.asJson ? JSON.stringify(row) : tableLines(row));
  };
  if (!options.asJson) console.log(`${describeMachine()}\n\n${tableHead()}`);
  pinGenerator();
  if (options.against === undefined) await measureOwn(options, isAsked, print);
  else await measureRunning(options, options.against, isAsked, print);
}

type Print = (rows: readonly Row[]) => void;
type IsAsked = (name: string) => boolean;

async function measureOwn(options: BenchOptions, isAsked: IsAsked, print: Print): Promise<void> {
  const { plan } = options;
  const folder = mkdtempSync(join(options.folder, 'tessera-bench-'));
  // Also when it is interrupted; the servers were stopped just before.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const servers: (Startable & { sessions: number })[] = [
    {
      name: 'tessera',
      program: 'tessera.ts',
      folder: join(folder, 'tessera'),
      readyPath: '/ready',
      sessions: plan.sessions,
    },
    {
      name: 'oidc-provider',
      program: 'oidc-provider.ts',
      folder: join(folder, 'oidc-provider'),
      readyPath: '/.well-known/openid-configuration',
      sessions: plan.sessions,
    },
    { name: 'limit', program: 'bare.ts', folder, readyPath: '/', sessions: 0 },
  ];
  const running: RunningSubject[] = [];
  try {
    if (isAsked('disk_flush')) print([runDiskFlush(folder, plan.flushes)]);
    const targets: Targets = {};
    for (const { name, program, folder, sessions } of servers) {
      const subject = await startSubject(program, { port: await freePort(), folder, sessions });
      running.push(subject);
      targets[name] = await describeTarget(subject.issuer, subject);
    }
    await measureRequests(options, targets, isAsked, print);
    await measureEdges(options, targets.tessera as Target, isAsked, print);
    for (const subject of running.splice(0)) await subject.stop();
    if (isAsked('cold_start') || isAsked('idle_memory'))
      print(await runStarts(servers.slice(0, 2), { repeats: plan.starts, idleSeconds: plan.idleSeconds }));
  } finally {
    for (const subject of running) await subject.stop();
  }
}

async function measureRunning(options: BenchOptions, issuer: string, isAsked: IsAsked, print: Print): Promise<void> {
  const { username, password } = declared.user;
  const target = await describeTarget(issuer, { pid: options.pid, cookies: [], usernames: [username] });
  const caller = new Caller(target, 0);
  const cookies: string[] = [];
  for (let index = 0; index < 64; index++) cookies.push(await signInForCookie(caller, username, password));
  caller.close();
  const signedIn = { ...target, cookies };
  await measureRequests(options, { tessera: signedIn }, isAsked, print);
  await measureEdges(options, signedIn, isAsked, print);
}

async function measureRequests(options: BenchOptions, targets: Targets, isAsked: IsAsked, print: Print): Promise<void> {
  const { plan } = options;
  for (const scenario of scenarios) {
    if (!isAsked(scenario.name)) continue;
    const isSmoke = Number.isFinite(plan.operations);
    const operations = isSmoke ? (scenario.smokeOperations ?? plan.operations) : plan.operations;
    print(await runScenario(scenario, targets, { ...plan, operations }));
  }
}

async function measureEdges(options: BenchOptions, target: Target, isAsked: IsAsked, print: Print): Promise<void> {
  const { plan } = options;
  const { tokens, rounds, seconds, repeats } = plan;
  const issuer = target.issuer;
  if (isAsked('edge_verify_first') || isAsked('edge_verify_remembered'))
    print(await runVerification(issuer, { tokens, rounds, seconds: Number.isFinite(plan.operations) ? 0 : seconds }));
  for (const edges of edgeCounts)
    if (isAsked(`revocation_to_refusal_${edges}`))
      print([await runRevocation(issuer, { edges, repeats, cookie: target.cookies.at(-1) })]);
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
