import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../../../tests/eventually.ts';
import { sampleSetting } from '../sample-records.ts';
import { openSqliteStore } from '../sqlite/open.ts';
import { assertHeld, newGrants, rotateForever } from './test-load.ts';
import {
  findPostgres,
  howToInstall,
  mountSmallDisk,
  openEngine,
  startTestPostgres,
  whyNoSmallDisk,
} from './test-postgres.ts';

const bin = findPostgres();
const noDisk = whyNoSmallDisk();
const skip = noDisk || (bin === undefined ? howToInstall : false);
if (skip) console.error(skip);

test('a full disk under Postgres: unavailable, well again when there is room, and nothing acknowledged is lost', {
  skip,
}, async (t) => {
  const server = await startTestPostgres(bin!, {
    diskMegabytes: 128,
    more: ['max_wal_size=8MB', 'min_wal_size=2MB'],
  });
  t.after(() => server.remove());
  const engine = await openEngine(server);
  const { store } = engine;
  const grantIds = await newGrants(store, 20);
  await using load = rotateForever(store, grantIds);
  await eventually(load.isUnderWay);
  const ballast = join(server.folder, 'ballast');
  fill(ballast, server.folder);
  // Growing, so that it needs room.
  const grow = () =>
    store.commit([
      { change: 'put', kind: 'setting', expect: 'absent', record: sampleSetting({ value: noise(400_000) }) },
    ]);
  await assert.rejects(
    async () => {
      for (;;) await grow();
    },
    { code: 'store_unavailable' },
  );
  // As whoever watches over services does: a server that ended itself is started again, in vain while there is no room.
  const isDown = !server.isRunning();
  const restarting = isDown ? server.start() : undefined;
  await delay(500);
  rmSync(ballast);
  await restarting;
  if (!server.isRunning()) await server.start();
  await assert.doesNotReject(async () => {
    for (let tries = 0; ; tries += 1) {
      try {
        await grow();
        return;
      } catch (error) {
        if (tries === 100) throw error;
        if (!server.isRunning()) await server.start();
        await delay(100);
      }
    }
  });
  const { acknowledged, failures } = await load.stop();
  assert.deepEqual(
    [...new Set(failures)].filter((code) => code !== 'store_unavailable'),
    [],
  );
  await assertHeld(store, acknowledged);
  await engine.close();
});

test('a full disk under SQLite: unavailable, well again when there is room, and nothing acknowledged is lost', {
  skip: noDisk,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-full-'));
  // Larger than the log grows before it begins anew: the room that comes back must be more than the log itself took.
  const unmount = mountSmallDisk(folder, 96);
  const store = await openSqliteStore({ file: join(folder, 'store.db') });
  t.after(async () => {
    await store.close();
    unmount();
    rmSync(folder, { recursive: true });
  });
  const grantIds = await newGrants(store, 20);
  await using load = rotateForever(store, grantIds);
  await eventually(load.isUnderWay);
  const ballast = join(folder, 'ballast');
  fill(ballast, folder);
  await eventually(() => load.failures.length > 0);
  assert.ok((await store.getGrant(grantIds[0]!)) !== undefined, 'reading goes on');
  rmSync(ballast);
  await eventually(load.hasSucceededAfterFailure);
  const { acknowledged, failures } = await load.stop();
  assert.deepEqual([...new Set(failures)], ['store_unavailable']);
  await assertHeld(store, acknowledged);
});

/** Takes all the room that is left. */
function fill(file: string, folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  try {
    writeFileSync(file, Buffer.alloc(Number(bavail) * Number(bsize)));
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'ENOSPC');
  }
}

// What compresses takes no room.
function noise(length: number): string {
  let text = '';
  while (text.length < length) text += Math.random().toString(36).slice(2);
  return text;
}
