import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSecondsOf } from './measure/cpu-time.ts';
import { assertSmokeRun, smokeMs } from './smoke-run.ts';
import { lengthOfBatch, type PeerWrite, statementFor } from './subjects/peer-postgres-writes.ts';
import { hasPostgres, howToInstall } from './subjects/start-database.ts';

const skip = hasPostgres() ? false : howToInstall;
if (skip) console.error(`${skip}; the bench on Postgres was NOT tried`);

test(
  'a smoke run on Postgres measures every scenario at every subject without an error, and leaves nothing behind',
  { skip, timeout: smokeMs },
  (context) => assertSmokeRun(context, 'postgres'),
);

const upsert = (id: string): PeerWrite => ({ kind: 'upsert', model: 'RefreshToken', id, payload: {}, expiresAt: null });
const consume = (id: string): PeerWrite => ({ kind: 'consume', model: 'RefreshToken', id, at: 1 });
const destroy = (id: string): PeerWrite => ({ kind: 'destroy', model: 'Grant', id });
const revoke = (grantId: string): PeerWrite => ({ kind: 'revoke', model: 'AccessToken', grantId });

test('writes of the peer share a statement unless one needs to see another', () => {
  assert.equal(lengthOfBatch([upsert('a'), consume('b'), upsert('c'), destroy('d')]), 4);
  assert.equal(lengthOfBatch([upsert('a'), consume('b'), consume('a')]), 2, 'the same row twice');
  assert.equal(lengthOfBatch([upsert('a'), revoke('g')]), 1, 'a revocation must find what was written before');
  assert.equal(lengthOfBatch([revoke('g'), destroy('d'), revoke('h'), upsert('a')]), 3);
  const { text, values } = statementFor([upsert('a'), upsert('b'), consume('c')]);
  assert.match(text, /INSERT INTO payloads[\s\S]*UPDATE payloads/);
  assert.deepEqual(values[1], ['a', 'b']);
});

test('the processor time of a process includes what its children took, those too that are gone', {
  skip: process.platform === 'linux' ? false : 'only Linux tells',
}, async () => {
  const busy = 'while (process.cpuUsage().user < 300_000);';
  const parent = spawn(process.execPath, [
    '-e',
    `require('node:child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(busy)}]); process.stdout.write('done'); setTimeout(() => {}, 60000);`,
  ]);
  try {
    const pid = parent.pid as number;
    const before = cpuSecondsOf([pid]);
    await once(parent.stdout, 'data');
    const after = cpuSecondsOf([pid]);
    assert.ok(before !== undefined && after !== undefined && after - before > 0.1, `${before} s, then ${after} s`);
    await sleep(50);
    assert.ok((cpuSecondsOf([pid, process.pid]) as number) > after);
  } finally {
    parent.kill();
  }
});
