import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { appsConfig, introspectAs, present, revoke, type App as SignedIn, signInApps, signOut } from '../apps.ts';
import { eventually } from '../eventually.ts';
import { freePort } from '../free-port.ts';
import { seeded, seedOf } from '../seeded.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

/** `TESSERA_CRASH_SEED` repeats the moments of a run, `TESSERA_CRASH_ROUNDS` makes it longer. */
const rounds = Number(process.env.TESSERA_CRASH_ROUNDS ?? 6);
/** An app with what it holds, and what it held before that was acknowledged. */
type App = SignedIn & { previous: string | undefined; rotations: number };

/** Something whose end was asked for; acknowledged or not, by the time the server died. */
type Ending = { what: 'revoked' | 'signed out'; apps: App[]; acknowledged: boolean };

type World = { issuer: string; apps: App[]; endings: Ending[] };

test('A5 A9 D1: what was acknowledged holds after kill -9: rotations, revocations and sign-outs', {
  timeout: 300_000,
}, async (t) => {
  const seed = seedOf(t, 'TESSERA_CRASH_SEED');
  const random = seeded(seed);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-kill-'));
  const issuer = `http://127.0.0.1:${await freePort()}`;
  await writeFile(join(folder, 'tessera.config.json'), JSON.stringify(appsConfig(issuer)));
  const world: World = { issuer, apps: [], endings: [] };
  let server: ServerProcess | undefined = await startServerProcess(folder);
  try {
    for (let index = 0; index < 8; index++) world.apps.push(...(await signIn(issuer)));
    const acknowledged = () => world.endings.filter((one) => one.acknowledged).length;
    for (let round = 0; round < rounds || (acknowledged() === 0 && round < 10 * rounds); round++) {
      const victims = await Promise.all([signIn(issuer), signIn(issuer), signIn(issuer)]);
      const before = rotationsOf(world);
      await loadUntilKilled(world, victims, server, 200 + Math.floor(random() * 700), random);
      server = undefined;
      server = await startServerProcess(folder);
      await checkAfterRestart(world, `seed ${seed}, round ${round}`);
      assert.ok(rotationsOf(world) > before, `round ${round} rotated nothing`);
    }
    t.diagnostic(
      `${rotationsOf(world)} rotations and ${acknowledged()} of ${world.endings.length} endings acknowledged`,
    );
    assert.ok(acknowledged() > 0);
  } finally {
    await server?.kill();
    await rm(folder, { recursive: true, force: true });
  }
});

/** Sixteen clients refresh as fast as they can, others are revoked and signed out meanwhile, and the server dies, once something was refreshed. */
async function loadUntilKilled(
  world: World,
  victims: App[][],
  server: ServerProcess,
  afterMs: number,
  random: () => number,
): Promise<void> {
  let isDead = false;
  const before = rotationsOf(world);
  const loads = world.apps.map(async (app) => {
    while (!isDead) if (!(await refreshOnce(world.issuer, app))) return;
  });
  const endings = victims.map(async (apps, index) => {
    await sleep(random() * afterMs * 1.1);
    const ending: Ending = { what: index % 2 === 0 ? 'revoked' : 'signed out', apps, acknowledged: false };
    world.endings.push(ending);
    ending.acknowledged = await end(world.issuer, ending).catch(() => false);
  });
  await sleep(afterMs);
  await eventually(() => rotationsOf(world) > before);
  isDead = true;
  await server.kill();
  await Promise.all([...loads, ...endings]);
}

/** True while the server answers; an answer that never came leaves the client with what it held. */
async function refreshOnce(issuer: string, app: App): Promise<boolean> {
  const answer = await present(at(issuer), app, app.refreshToken).catch(() => undefined);
  if (!answer) return false;
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  app.previous = app.refreshToken;
  app.refreshToken = answer.body.refresh_token as string;
  app.rotations++;
  return true;
}

async function checkAfterRestart(world: World, when: string): Promise<void> {
  for (const app of world.apps) {
    if (app.previous !== undefined) {
      const again = await present(at(world.issuer), app, app.previous);
      // The rotation that was acknowledged happened: the same successor again, or nothing if that one was rotated too before the end.
      if (again.status === 200)
        assert.equal(again.body.refresh_token, app.refreshToken, `${when}: an acknowledged rotation was lost`);
      else assert.equal(again.body.error, 'invalid_grant', when);
    }
    const held = await present(at(world.issuer), app, app.refreshToken);
    assert.equal(held.status, 200, `${when}: a client lost its sign-in: ${JSON.stringify(held.body)}`);
    app.previous = app.refreshToken;
    app.refreshToken = held.body.refresh_token as string;
  }
  for (const { what, apps, acknowledged } of world.endings)
    for (const app of acknowledged ? apps : []) {
      const answer = await present(at(world.issuer), app, app.refreshToken);
      assert.equal(answer.body.error, 'invalid_grant', `${when}: what was ${what} came back to life`);
      assert.equal(await isActive(world.issuer, app), false, `${when}: what was ${what} is called active`);
    }
}

/** Revokes each app's grant, or signs the browser out; true when the server said that it is done. */
async function end(issuer: string, { what, apps }: Ending): Promise<boolean> {
  const reach = at(issuer);
  if (what === 'signed out') return signOut(reach, apps[0] as App);
  const answers = await Promise.all(apps.map((app) => revoke(reach, app, app.refreshToken)));
  return answers.every((answer) => answer.status === 200);
}

async function signIn(issuer: string): Promise<App[]> {
  const apps = await signInApps(() => at(issuer));
  return apps.map((app) => ({ ...app, previous: undefined, rotations: 0 }));
}

async function isActive(issuer: string, app: App): Promise<unknown> {
  return (await introspectAs(at(issuer), 'orders-api', app.accessToken)).body.active;
}

function at(issuer: string) {
  return { issuer, url: issuer };
}

function rotationsOf(world: World): number {
  return world.apps.reduce((sum, app) => sum + app.rotations, 0);
}
