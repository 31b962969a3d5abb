import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sampleGrant, sampleSession } from '../sample-records.ts';
import { openSqliteStore } from './open.ts';

const rounds = 5;
const callers = 12;

test('what was acknowledged is there after kill -9, whole, and the file is sound', async (t) => {
  const seed = Number(process.env.TESSERA_CRASH_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`TESSERA_CRASH_SEED=${seed}`);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-crash-'));
  const file = join(folder, 'store.db');
  const grantIds = await fill(file);
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < rounds; round += 1) {
    const before = sum(acknowledged.values());
    await writeAndKill(file, grantIds, random(seed, round, 500), acknowledged);
    assert.ok(sum(acknowledged.values()) > before, `round ${round} wrote something`);
    await check(file, grantIds, acknowledged, `seed ${seed}, round ${round}`);
  }
  t.diagnostic(`${sum(acknowledged.values())} rotations acknowledged`);
  await rm(folder, { recursive: true });
});

async function fill(file: string): Promise<string[]> {
  const store = await openSqliteStore({ file });
  const session = sampleSession();
  const grants = Array.from({ length: callers }, () => sampleGrant(session));
  await store.commit([
    { change: 'create-session', session },
    ...grants.map((grant) => ({ change: 'create-grant', grant }) as const),
  ]);
  await store.close();
  return grants.map((grant) => grant.grantId);
}

/** Lets a process of its own write for that long, then kills it; notes what it printed. */
async function writeAndKill(
  file: string,
  grantIds: string[],
  afterMs: number,
  acknowledged: Map<string, number>,
): Promise<void> {
  const script = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
  const child = spawn(process.execPath, [...flags, script, file, ...grantIds], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  await delay(afterMs);
  child.kill('SIGKILL');
  await closed;
  assert.equal(child.signalCode, 'SIGKILL', 'it was still writing');
  // The last line may be cut.
  for (const line of printed.split('\n').slice(0, -1)) {
    const [grantId = '', generation] = line.split(' ');
    acknowledged.set(grantId, Number(generation));
  }
}

async function check(file: string, grantIds: string[], acknowledged: Map<string, number>, when: string): Promise<void> {
  const store = await openSqliteStore({ file });
  let events = 0;
  for (const grantId of grantIds) {
    const generation = (await store.getGrant(grantId))?.generation ?? 0;
    const least = acknowledged.get(grantId) ?? 1;
    // One more may have been written without its answer getting out, but never two.
    assert.ok(generation === least || generation === least + 1, `${when}: ${least} acknowledged, ${generation} stored`);
    const story = await store.readEvents({ grantId, limit: 1_000_000 });
    const told = story.map((event) => event.data?.generation);
    assert.deepEqual(
      told,
      Array.from({ length: generation - 1 }, (_, index) => index + 2),
      `${when}: events of a grant`,
    );
    events += told.length;
    acknowledged.set(grantId, generation);
  }
  assert.equal((await store.position()).position, events, `${when}: positions are dense`);
  await store.close();
  const db = new DatabaseSync(file);
  assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' }, when);
  db.close();
}

/** A number from 0 to below `limit` that the seed decides. */
function random(seed: number, round: number, limit: number): number {
  return createHash('sha256').update(`${seed}/${round}`).digest().readUInt32BE() % limit;
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}
