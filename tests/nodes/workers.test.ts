import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleServer } from '../../scripts/bundle-server.ts';
import { appsConfig, introspectAs, postAs, present, type Reach, revoke, signInApps } from '../apps.ts';
import { type ServerProcess, startServerProcess } from '../crash/server-process.ts';
import { eventually } from '../eventually.ts';
import { freePort } from '../free-port.ts';
import { claimsOf } from '../test-server.ts';
import { isAlive } from './is-alive.ts';

describe('several workers on one port and one SQLite file', { timeout: 300_000 }, () => {
  let folder: string;
  let server: ServerProcess;
  let reach: Reach;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tessera-workers-'));
    const port = await freePort();
    const issuer = `http://127.0.0.1:${port}`;
    await writeFile(join(folder, 'tessera.config.json'), JSON.stringify({ ...appsConfig(issuer), workers: 3 }));
    server = await startServerProcess(folder, { args: ['--port', String(port)] });
    reach = { issuer, url: server.url };
  });
  after(async () => {
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  });

  const portOfItsOwn = async () => ({ args: ['--port', String(await freePort())] });

  /** A counter's sum over its labels, as the server tells it. */
  const counted = async (name: string): Promise<number> => {
    const text = await (await fetch(`${reach.url}/metrics`)).text();
    const lines = [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)$`, 'gm'))];
    return lines.reduce((sum, [, value]) => sum + Number(value), 0);
  };
  const machineToken = () => postAs(reach, '/token', 'machine', { grant_type: 'client_credentials' });

  it('are told with their pids before the one line that says ready', () => {
    assert.equal(server.workers().length, 3);
    assert.equal(new Set(server.workers()).size, 3);
    for (const pid of server.workers()) assert.ok(isAlive(pid));
    assert.equal(server.output().match(/^Ready: /gm)?.length, 1);
  });

  it('make together what is made once: one set of keys, each declaration told once', async () => {
    const [app] = await signInApps(() => reach, ['web']);
    assert.ok(app);
    const { keys } = (await (await fetch(`${reach.url}/jwks`)).json()) as { keys: { alg: string }[] };
    assert.deepEqual(keys.map(({ alg }) => alg).sort(), ['ES256', 'EdDSA', 'RS256']);
    for (let asked = 0; asked < 12; asked++)
      assert.equal((await introspectAs(reach, 'web', app.refreshToken)).body.active, true);
  });

  it('D1 A13 answer as one: 50 parallel redemptions are one rotation, and what one revokes the others call inactive on the next call', async () => {
    const [app] = await signInApps(() => reach, ['web']);
    assert.ok(app);
    const answers = await Promise.all(Array.from({ length: 50 }, () => present(reach, app, app.refreshToken)));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    const successors = new Set(answers.map(({ body }) => body.refresh_token));
    assert.equal(successors.size, 1);
    const [successor] = [...successors] as string[];
    assert.equal((await revoke(reach, app, successor as string)).status, 200);
    const after_ = await Promise.all(Array.from({ length: 12 }, () => introspectAs(reach, 'web', successor as string)));
    assert.ok(after_.every(({ body }) => body.active === false));
  });

  it('count together: metrics tell of all of them, whoever answers', async () => {
    const before_ = await counted('tessera_tokens_issued_total');
    await Promise.all(Array.from({ length: 30 }, machineToken));
    for (let asked = 0; asked < 6; asked++) assert.equal(await counted('tessera_tokens_issued_total'), before_ + 30);
  });

  it('one that is killed is replaced, the others go on meanwhile, and nothing that was counted is forgotten', async () => {
    const [app] = await signInApps(() => reach, ['web']);
    assert.ok(app);
    const before_ = await counted('tessera_tokens_issued_total');
    assert.equal(await counted('tessera_tokens_issued_total'), before_);
    const [victim] = server.workers() as [number];
    process.kill(victim, 'SIGKILL');
    await eventually(() => server.output().includes(`(pid ${victim}) was ended by SIGKILL`));
    let token = app.refreshToken;
    for (let refreshes = 0; refreshes < 10; refreshes++) {
      const { status, body } = await present(reach, app, token);
      assert.equal(status, 200);
      token = body.refresh_token as string;
    }
    await eventually(() => server.workers().length === 3 && server.workers().every(isAlive));
    assert.ok(!server.workers().includes(victim));
    assert.equal(await counted('tessera_tokens_issued_total'), before_ + 10);
  });

  it('one that dies again and again is started with growing pauses', async () => {
    const start = server.output().length;
    for (let kills = 0; kills < 3; kills++) {
      const [victim] = server.workers() as [number];
      process.kill(victim, 'SIGKILL');
      await eventually(() => server.workers()[0] !== victim && isAlive(server.workers()[0] as number));
    }
    const pauses = [
      ...server
        .output()
        .slice(start)
        .matchAll(/the next one starts in ([\d.]+) s/g),
    ].map(([, s]) => Number(s));
    assert.equal(pauses.length, 3);
    assert.ok(
      (pauses[1] as number) > (pauses[0] as number) && (pauses[2] as number) > (pauses[1] as number),
      `${pauses}`,
    );
    assert.match(server.output(), /times in a row soon after its start/);
  });

  it('all at once may die, and the port is the same when they are back', async () => {
    const victims = server.workers();
    for (const pid of victims) process.kill(pid, 'SIGKILL');
    await eventually(() => server.workers().every((pid) => !victims.includes(pid) && isAlive(pid)), 30_000);
    assert.equal((await machineToken()).status, 200);
  });

  it('one that is replaced leaves what a node with a newer configuration has declared since', async () => {
    const newer = await mkdtemp(join(tmpdir(), 'tessera-newer-'));
    const config = appsConfig(reach.issuer) as { clients: { client_id: string }[] };
    const machine = config.clients.find(({ client_id }) => client_id === 'machine');
    const clients = [...config.clients, { ...machine, client_id: 'newer' }];
    await writeFile(join(newer, 'tessera.config.json'), JSON.stringify({ ...config, clients, listen: { port: 0 } }));
    const node = await startServerProcess(newer, { args: ['--data', join(folder, 'data'), '--workers', '1'] });
    const status = async () => (await postAs(reach, '/token', 'newer', { grant_type: 'client_credentials' })).status;
    try {
      await eventually(async () => (await status()) === 200);
      const [victim] = server.workers() as [number];
      process.kill(victim, 'SIGKILL');
      await eventually(() => server.workers()[0] !== victim && isAlive(server.workers()[0] as number), 30_000);
      for (let asked = 0; asked < 12; asked++) assert.equal(await status(), 200);
    } finally {
      await node.kill();
      await rm(newer, { recursive: true, force: true });
    }
  });

  it('SIGTERM stops all of them with exit code 0, what is under way answered', async () => {
    const poll = (ack: string[]) =>
      fetch(`${reach.url}/events/poll`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`orders-api:${(appsConfig('http://x').clients as { client_secret: string }[])[1]?.client_secret}`)}`,
          'content-type': 'application/json',
          prefer: 'wait=30',
        },
        body: JSON.stringify({ ack }),
      });
    const receivers = async () => {
      const text = await (await fetch(`${reach.url}/metrics`)).text();
      return Number(/^tessera_feed_receivers (\d+)$/m.exec(text)?.[1]);
    };
    const before_ = await receivers();
    const { mark } = (await (await poll([])).json()) as { mark: string };
    const underWay = poll([String(claimsOf(mark).jti)]);
    await eventually(async () => (await receivers()) > before_);
    const pids = server.workers();
    const [code, answer] = await Promise.all([server.stop(), underWay]);
    assert.equal(code, 0);
    assert.equal(answer.status, 200);
    assert.match(server.output(), /Stopped\.\n$/);
    assert.ok(pids.every((pid) => !isAlive(pid)));
  });

  it('the death of the primary process leaves no worker behind', async () => {
    const other = await startServerProcess(folder, await portOfItsOwn());
    const pids = other.workers();
    await other.kill();
    await eventually(() => pids.every((pid) => !isAlive(pid)));
  });

  it('while the machine can start no process the others serve, it is tried again with growing pauses, and it heals', async () => {
    const preload = join(import.meta.dirname, 'failing-forks.ts');
    const other = await startServerProcess(folder, { ...(await portOfItsOwn()), preload });
    const [victim] = other.workers() as [number];
    process.kill(other.pid, 'SIGUSR2');
    await sleep(100);
    process.kill(victim, 'SIGKILL');
    const tried = () => [...other.output().matchAll(/could not be started.* ([\d.]+) s$/gm)].map(([, s]) => Number(s));
    await eventually(() => tried().length >= 3);
    const [first, second, third] = tried() as [number, number, number];
    assert.ok(first > 0 && second > first && third > second, String(tried()));
    assert.equal((await fetch(`${other.url}/health`)).status, 200);
    process.kill(other.pid, 'SIGUSR2');
    await eventually(() => other.workers().every((pid) => pid !== victim && isAlive(pid)));
    assert.equal(await other.stop(), 0);
  });

  it('start from the bundle that is published too', async () => {
    const bundle = join(folder, 'bundle');
    await bundleServer(bundle);
    const other = await startServerProcess(folder, { args: ['--port', '0'], program: join(bundle, 'tessera.mjs') });
    assert.equal(other.workers().length, 3);
    assert.equal((await fetch(`${other.url}/ready`)).status, 200);
    assert.equal(await other.stop(), 0);
  });

  it('a port that is taken ends the start with one message, and no worker stays', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    await assert.rejects(startServerProcess(folder, { args: ['--port', String(port)] }), (error: Error) => {
      assert.match(error.message, /ended with 1/);
      assert.equal(error.message.match(/is in use by another program/g)?.length, 1);
      return true;
    });
    other.close();
  });
});
