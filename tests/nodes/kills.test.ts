import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import { appsConfig } from '../apps.ts';
import { startServerProcess } from '../crash/server-process.ts';
import { eventually } from '../eventually.ts';
import { freePort } from '../free-port.ts';
import { pick, seeded, seedOf } from '../seeded.ts';
import { checkStore } from './history.ts';
import { isAlive } from './is-alive.ts';
import { Load, rounds } from './load.ts';
import { Nodes, ServerNode, skipWithoutPostgres as skip } from './nodes.ts';

const timeout = 240_000 + 60_000 * rounds;

it('A5 A13 D1 nodes that are killed under load: nothing acknowledged is lost, nobody honest is signed out', {
  skip,
  timeout,
}, async (t) => {
  const seed = seedOf(t);
  const random = seeded(seed);
  const nodes = await Nodes.start(3);
  const load = new Load(nodes, random);
  try {
    await load.begin(6);
    for (let kills = 0; kills < 3 * rounds; kills++) {
      await sleep(200 + random() * 600);
      const ending = load.endOne();
      const victim = pick(nodes.running, random);
      await victim.kill();
      await ending;
      await victim.start();
    }
    await load.stop(50);
    await load.checkEnd(seed);
    await checkStore(nodes);
    const { history } = load;
    t.diagnostic(history.summary);
    assert.ok(history.count('refresh', 'lost') > 0);
  } finally {
    await load.stop();
    await nodes.close();
  }
});

it('A5 D1 Postgres that is killed under load: away for the moment, then everything heals by itself', {
  skip,
  timeout,
}, async (t) => {
  const seed = seedOf(t);
  const random = seeded(seed);
  const nodes = await Nodes.start(2);
  const load = new Load(nodes, random);
  try {
    await load.begin(5);
    for (let crashes = 0; crashes < 2 * rounds; crashes++) {
      await sleep(500 + random() * 500);
      // One that was acknowledged just before the crash must hold; one that is under way may or may not.
      await load.endOne();
      const ending = load.endOne();
      await nodes.postgres.crash();
      await ending;
    }
    await nodes.postgres.stop();
    await sleep(1000);
    for (const node of nodes.all) {
      const { status, headers } = await fetch(`${node.url}/ready`);
      assert.deepEqual([status, headers.has('retry-after')], [503, true]);
    }
    await nodes.postgres.start();
    for (const node of nodes.all) await eventually(async () => (await fetch(`${node.url}/ready`)).status === 200);
    await sleep(500);
    await load.stop(50);
    await load.checkEnd(seed);
    await checkStore(nodes);
    const { history } = load;
    t.diagnostic(history.summary);
    assert.ok(history.count('refresh', 'away') > 0 && history.endings > 0);
  } finally {
    await load.stop();
    await nodes.close();
  }
});

it('A5 D1 workers of one SQLite file that are killed under load: the port goes on answering, nothing acknowledged is lost', {
  timeout,
}, async (t) => {
  const seed = seedOf(t);
  const random = seeded(seed);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-workers-'));
  const issuer = `http://127.0.0.1:${await freePort()}`;
  await writeFile(join(folder, 'tessera.config.json'), JSON.stringify({ ...appsConfig(issuer), workers: 2 }));
  const node = new ServerNode(0, undefined, issuer, () => startServerProcess(folder));
  const load = new Load({ all: [node], running: [node] }, random);
  try {
    await node.start();
    await load.begin(5);
    for (let kills = 0; kills < 3 * rounds; kills++) {
      await sleep(300 + random() * 500);
      const ending = load.endOne();
      const victim = pick(node.process.workers(), random);
      process.kill(victim, 'SIGKILL');
      await ending;
      await eventually(() => node.process.workers().every((pid) => pid !== victim && isAlive(pid)));
    }
    await load.stop(50);
    await load.checkEnd(seed);
    const { history } = load;
    t.diagnostic(history.summary);
    const store = await openSqliteStore({ file: join(folder, 'data', 'tessera.db') });
    const events = await store.readEvents({ limit: 100_000 });
    assert.deepEqual(
      events.map(({ position }) => position),
      events.map((_, index) => index + 1),
    );
    await store.close();
  } finally {
    await load.stop();
    await node.kill();
    await rm(folder, { recursive: true, force: true });
  }
});
