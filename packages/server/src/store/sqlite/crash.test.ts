import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { checkAfterCrash, crashWriter, fillForCrash, seeded } from './crash-writing.ts';

const rounds = 5;
const callers = 12;

test('what was acknowledged is there after kill -9, whole, and the file is sound', async (t) => {
  const seed = Number(process.env.TESSERA_CRASH_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`TESSERA_CRASH_SEED=${seed}`);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-crash-'));
  const file = join(folder, 'store.db');
  const grantIds = await fillForCrash(file, callers);
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < rounds; round += 1) {
    const before = sum(acknowledged.values());
    await writeAndKill(file, grantIds, seeded(seed, `${round}`, 500), acknowledged);
    assert.ok(sum(acknowledged.values()) > before, `round ${round} wrote something`);
    await checkAfterCrash(file, grantIds, acknowledged, `seed ${seed}, round ${round}`);
  }
  t.diagnostic(`${sum(acknowledged.values())} rotations acknowledged`);
  await rm(folder, { recursive: true });
});

/** Lets a process of its own write for that long, then kills it; notes what it printed. */
async function writeAndKill(
  file: string,
  grantIds: string[],
  afterMs: number,
  acknowledged: Map<string, number>,
): Promise<void> {
  const [program = '', ...programArguments] = crashWriter(file, grantIds);
  const child = spawn(program, programArguments, {
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

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}
