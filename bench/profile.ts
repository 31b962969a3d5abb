import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../tests/free-port.ts';
import { runLoad } from './load/run-load.ts';
import { describeTarget } from './load/target.ts';
import { cpuSecondsOf } from './measure/cpu-time.ts';
import { DatabaseWatch, observed } from './measure/database-watch.ts';
import { readOptions } from './options.ts';
import { limitOf } from './scenarios/run-scenario.ts';
import { scenarios } from './scenarios/scenarios.ts';
import { startDatabase } from './subjects/start-database.ts';
import { pinGenerator, startSubject } from './subjects/start-subject.ts';

/**
 * Says what a request of one scenario costs this server, function by function and thread by thread, and its database, statement by statement.
 * Usage: node scripts/run.mjs bench/profile.ts SCENARIO [SECONDS] [sqlite|postgres] [CALLERS].
 */
const [name = 'refresh', seconds = '6', storeName = 'sqlite', callers = '64'] = process.argv.slice(2);

type ProfileNode = {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
};
type Profile = { nodes: ProfileNode[]; samples: number[]; timeDeltas: number[] };

const folder = mkdtempSync('/var/tmp/tessera-profile-');
// Also when it is interrupted; the server was stopped just before.
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
pinGenerator();
await profile(folder);
process.exit(0);

async function profile(folder: string): Promise<void> {
  const scenario = scenarios.find((one) => one.name === name);
  const options = readOptions(['--quick']);
  if (!scenario || options === 'help')
    throw new Error(`"${name}" is none of ${scenarios.map((one) => one.name).join(', ')}`);
  const database = storeName === 'postgres' ? await startDatabase(folder, observed) : undefined;
  const store = database?.connectionString;
  const { sessions } = options.plan;
  const subject = await startSubject('tessera.ts', {
    port: await freePort(),
    folder,
    sessions,
    ...(store !== undefined && { store }),
  });
  const watch = store === undefined ? undefined : await DatabaseWatch.open(store);
  try {
    const target = await describeTarget(subject.issuer, { ...subject, pids: [subject.pid] });
    const prepared = await scenario.prepare(target, options.plan);
    const limit = {
      milliseconds: Number(seconds) * 1000,
      operations: scenario.mostOperations ?? Number.POSITIVE_INFINITY,
    };
    const warmUp = await limitOf(prepared, { ...limit, milliseconds: limit.milliseconds / 2 });
    await runLoad(target, Number(callers), warmUp, prepared.operation);
    const ofRound = await limitOf(prepared, limit);
    const threads = threadSeconds(subject.pid);
    await watch?.begin();
    const databaseSeconds = cpuSecondsOf(pidsOf(database?.pid));
    await subject.profile('start');
    const round = await runLoad(target, Number(callers), ofRound, prepared.operation);
    const recorded = (await subject.profile('stop')) as Profile;
    const databaseMicros = ((cpuSecondsOf(pidsOf(database?.pid)) ?? 0) - (databaseSeconds ?? 0)) * 1e6;
    print(round.operations, threads, threadSeconds(subject.pid), recorded);
    if (watch)
      console.log(
        `\nPostgres: ${(databaseMicros / round.operations).toFixed(1)} µs a request, all its processes\n\n${await watch.describe(round.operations)}`,
      );
  } finally {
    await watch?.close();
    await subject.stop();
    await database?.remove();
  }
}

function pidsOf(pid: number | undefined): number[] {
  return pid === undefined ? [] : [pid];
}

function print(operations: number, before: Map<string, number>, after: Map<string, number>, profile: Profile): void {
  const micros = (totalMicros: number) => (totalMicros / operations).toFixed(1).padStart(7);
  console.log(
    `${name}: ${operations} requests by ${callers} callers\n\nµs a request, by thread (processor time; the profiler's own is in it)`,
  );
  for (const [thread, seconds] of after) {
    const used = seconds - (before.get(thread) ?? 0);
    if (used > 0.001) console.log(`${micros(used * 1e6)}  ${thread}`);
  }
  const { self, inclusive } = sum(profile);
  const show = (times: Map<string, number>, count: number) => {
    for (const [key, value] of [...times].sort((a, b) => b[1] - a[1]).slice(0, count))
      console.log(`${micros(value)}  ${key}`);
  };
  console.log('\nµs a request in the main thread, by function and what it calls');
  show(new Map([...inclusive].filter(([key]) => key.includes('packages/') || key.startsWith('('))), 60);
  console.log('\nµs a request in the main thread, by function alone');
  show(self, 60);
}

function sum({ nodes, samples, timeDeltas }: Profile): { self: Map<string, number>; inclusive: Map<string, number> } {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const self = new Map<string, number>();
  const inclusive = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const delta = timeDeltas[index] ?? 0;
    const own = keyOf(byId.get(id) as ProfileNode);
    self.set(own, (self.get(own) ?? 0) + delta);
    const seen = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at))
      seen.add(keyOf(byId.get(at) as ProfileNode));
    for (const key of seen) inclusive.set(key, (inclusive.get(key) ?? 0) + delta);
  }
  return { self, inclusive };
}

function keyOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const file = url.replace(/^file:\/\//, '').replace(/^.*\/(packages|node_modules)\//, '$1/');
  return file === '' ? functionName : `${functionName || '(anonymous)'} ${file}:${lineNumber + 1}`;
}

/** The processor time of each thread so far, by name; threads of one name together. */
function threadSeconds(pid: number): Map<string, number> {
  const seconds = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const read = (file: string) => readFileSync(join('/proc', String(pid), 'task', thread, file), 'latin1').trim();
    const key = Number(thread) === pid ? 'main thread' : read('comm');
    seconds.set(key, (seconds.get(key) ?? 0) + Number(read('schedstat').split(' ')[0]) / 1e9);
  }
  return seconds;
}
