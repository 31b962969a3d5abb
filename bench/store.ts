import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { GrantRecord, UserRecord } from '../packages/server/src/store/records.ts';
import {
  nextId,
  sampleGrant,
  sampleSession,
  sampleTime,
  sampleUser,
} from '../packages/server/src/store/sample-records.ts';
import { openSqliteStore } from '../packages/server/src/store/sqlite/open.ts';
import type { Change, Store } from '../packages/server/src/store/store.ts';

/**
 * Measures what a refresh asks of the SQLite store: read the grant, read the user, commit the rotation; on a file of 100,000 grants, with 1, 16
 * and 64 callers. Prints rotations per second, CPU microseconds of all threads per rotation, and latencies.
 * Usage: node bench/store.ts [folder] [grants] [seconds] [callers,…].
 */
const folder = mkdtempSync(join(process.argv[2] ?? '/var/tmp', 'tessera-bench-'));
const count = Number(process.argv[3] ?? 100_000);
const seconds = Number(process.argv[4] ?? 5);

type Subject = { grant: GrantRecord; generation: number; busy: boolean };

const store = await openSqliteStore({ file: join(folder, 'store.db') });
try {
  const subjects = await fill(store);
  for (const callers of (process.argv[5] ?? '1,16,64,256').split(',').map(Number))
    await measure(store, subjects, callers);
} finally {
  await store.close();
  rmSync(folder, { recursive: true });
}

async function fill(store: Store): Promise<Subject[]> {
  const started = performance.now();
  const subjects: Subject[] = [];
  while (subjects.length < count) {
    const changes: Change[] = [];
    for (let index = 0; index < 500; index += 1) {
      const user: UserRecord = sampleUser();
      const session = sampleSession({ userId: user.userId, origin: origin(index) });
      const grant = sampleGrant(session, { lastOrigin: origin(index) });
      changes.push({ change: 'put', kind: 'user', expect: 'absent', record: user });
      changes.push({ change: 'create-session', session }, { change: 'create-grant', grant });
      subjects.push({ grant, generation: 1, busy: false });
    }
    const result = await store.commit(changes);
    if (result.outcome !== 'committed') throw new Error(`filling conflicted at change ${result.change}`);
  }
  console.log(
    `filled with ${count} users, sessions and grants in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  return subjects;
}

function origin(index: number) {
  return {
    ip: `192.0.2.${index % 250}`,
    userAgent: `Mozilla/5.0 (X11; Linux x64; rv:${index % 9}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36`,
  };
}

async function measure(store: Store, subjects: Subject[], callers: number): Promise<void> {
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const started = performance.now();
  const end = started + seconds * 1000;
  await Promise.all(Array.from({ length: callers }, () => call(store, subjects, end, latencies)));
  const elapsed = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (part: number) => `${latencies[Math.floor(latencies.length * part)]!.toFixed(2)} ms`;
  console.log(
    `${String(callers).padStart(4)} callers: ${Math.round(latencies.length / elapsed)}/s, ` +
      `${((used.user + used.system) / latencies.length).toFixed(1)} µs CPU each, p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(0.99999)}`,
  );
}

async function call(store: Store, subjects: Subject[], end: number, latencies: number[]): Promise<void> {
  while (performance.now() < end) {
    const subject = subjects[Math.floor(Math.random() * subjects.length)]!;
    if (subject.busy) continue;
    subject.busy = true;
    const started = performance.now();
    const grant = await store.getGrant(subject.grant.grantId);
    const user = await store.get('user', subject.grant.userId);
    if (grant === undefined || user === undefined) throw new Error('a record is missing');
    const at = sampleTime + subject.generation;
    const result = await store.commit([
      {
        change: 'rotate-grant',
        grantId: grant.grantId,
        expect: grant.generation,
        sealKeyId: 'k1',
        at,
        idleAt: at + 3600,
        origin: grant.lastOrigin,
      },
    ]);
    if (result.outcome !== 'committed') throw new Error(`a rotation of ${nextId()} conflicted`);
    subject.generation = grant.generation + 1;
    latencies.push(performance.now() - started);
    subject.busy = false;
  }
}
