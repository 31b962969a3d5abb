import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestBrowser } from '../test-browser.ts';
import { basic, pkce, secret } from '../test-server.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

/** `TESSERA_CRASH_SEED` repeats the moments of a run, `TESSERA_CRASH_ROUNDS` makes it longer. */
const rounds = Number(process.env.TESSERA_CRASH_ROUNDS ?? 6);
const password = 'correct horse battery staple';
/** Its hash at a cost next to nothing: this test is not about passwords. */
const passwordHash = '$argon2id$v=19$m=8,t=1,p=1$BQUFBQUFBQUFBQUFBQUFBQ$+QkpxyyJ8JxP6Xl7S16CHzK72HdvtyWyB9Bk4ESY6ZU';
const clientIds = ['spa', 'web'] as const;

/** An app signed in under a browser's session: what it holds, and what it held before that was acknowledged. */
type App = {
  clientId: 'spa' | 'web';
  browser: TestBrowser;
  idToken: string;
  held: string;
  previous: string | undefined;
  rotations: number;
};

/** Something whose end was asked for; acknowledged or not, by the time the server died. */
type Ending = { what: 'revoked' | 'signed out'; apps: App[]; acknowledged: boolean };

type World = { issuer: string; apps: App[]; endings: Ending[] };

test('A5 A9 D1: what was acknowledged holds after kill -9: rotations, revocations and sign-outs', {
  timeout: 120_000,
}, async (t) => {
  const seed = Number(process.env.TESSERA_CRASH_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`TESSERA_CRASH_SEED=${seed}`);
  const random = seeded(seed);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-kill-'));
  const issuer = `http://127.0.0.1:${await freePort()}`;
  await writeFile(join(folder, 'tessera.config.json'), JSON.stringify(config(issuer)));
  const world: World = { issuer, apps: [], endings: [] };
  let server: ServerProcess | undefined = await startServerProcess(folder);
  try {
    for (let index = 0; index < 8; index++) world.apps.push(...(await signIn(issuer)));
    for (let round = 0; round < rounds; round++) {
      const victims = await Promise.all([signIn(issuer), signIn(issuer), signIn(issuer)]);
      const before = rotationsOf(world);
      await loadUntilKilled(world, victims, server, 200 + Math.floor(random() * 700), random);
      server = undefined;
      server = await startServerProcess(folder);
      await checkAfterRestart(world, `seed ${seed}, round ${round}`);
      assert.ok(rotationsOf(world) > before, `round ${round} rotated nothing`);
    }
    const acknowledged = world.endings.filter((one) => one.acknowledged).length;
    t.diagnostic(`${rotationsOf(world)} rotations and ${acknowledged} of ${world.endings.length} endings acknowledged`);
    assert.ok(acknowledged > 0);
  } finally {
    await server?.kill();
    await rm(folder, { recursive: true, force: true });
  }
});

/** Sixteen clients refresh as fast as they can, others are revoked and signed out meanwhile, and the server dies. */
async function loadUntilKilled(
  world: World,
  victims: App[][],
  server: ServerProcess,
  afterMs: number,
  random: () => number,
): Promise<void> {
  let isDead = false;
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
  isDead = true;
  await server.kill();
  await Promise.all([...loads, ...endings]);
}

/** True while the server answers; an answer that never came leaves the client with what it held. */
async function refreshOnce(issuer: string, app: App): Promise<boolean> {
  const answer = await present(issuer, app, app.held).catch(() => undefined);
  if (!answer) return false;
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  app.previous = app.held;
  app.held = answer.body.refresh_token as string;
  app.rotations++;
  return true;
}

async function checkAfterRestart(world: World, when: string): Promise<void> {
  for (const app of world.apps) {
    if (app.previous !== undefined) {
      const again = await present(world.issuer, app, app.previous);
      // The rotation that was acknowledged happened: the same successor again, or nothing if that one was rotated too before the end.
      if (again.status === 200)
        assert.equal(again.body.refresh_token, app.held, `${when}: an acknowledged rotation was lost`);
      else assert.equal(again.body.error, 'invalid_grant', when);
    }
    const held = await present(world.issuer, app, app.held);
    assert.equal(held.status, 200, `${when}: a client lost its sign-in: ${JSON.stringify(held.body)}`);
    app.previous = app.held;
    app.held = held.body.refresh_token as string;
  }
  for (const { what, apps, acknowledged } of world.endings)
    for (const app of acknowledged ? apps : []) {
      const answer = await present(world.issuer, app, app.held);
      assert.equal(answer.body.error, 'invalid_grant', `${when}: what was ${what} came back to life`);
      assert.equal(await isActive(world.issuer, app), false, `${when}: what was ${what} is called active`);
    }
}

/** Revokes each app's grant, or signs the browser out; true when the server said that it is done. */
async function end(issuer: string, { what, apps }: Ending): Promise<boolean> {
  if (what === 'revoked') {
    const answers = await Promise.all(apps.map((app) => post(issuer, '/revoke', app, { token: app.held })));
    return answers.every((answer) => answer.status === 200);
  }
  const [app] = apps as [App, ...App[]];
  const response = await app.browser.request(
    `${issuer}/end-session?${new URLSearchParams({ id_token_hint: app.idToken })}`,
  );
  return response.status === 303 && (response.headers.get('location') ?? '').includes('/signed-out');
}

/** One browser, one session, and both apps signed in under it. */
async function signIn(issuer: string): Promise<App[]> {
  const browser = new TestBrowser(issuer, (request) => fetch(request));
  const apps: App[] = [];
  for (const clientId of clientIds) {
    const { verifier, challenge } = pkce();
    const redirectUri = `https://${clientId}.example.com/callback`;
    const callback = await browser.authorize(
      { client_id: clientId, redirect_uri: redirectUri, scope: 'openid', code_challenge: challenge },
      { username: 'ada', password },
    );
    const code = callback.searchParams.get('code');
    assert.ok(code, `no code came back: ${callback}`);
    const app: App = { clientId, browser, idToken: '', held: '', previous: undefined, rotations: 0 };
    const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier };
    const { status, body } = await post(issuer, '/token', app, form);
    assert.equal(status, 200, JSON.stringify(body));
    apps.push(Object.assign(app, { held: body.refresh_token, idToken: body.id_token }));
  }
  return apps;
}

function present(issuer: string, app: App, token: string) {
  return post(issuer, '/token', app, { grant_type: 'refresh_token', refresh_token: token });
}

async function isActive(issuer: string, app: App): Promise<unknown> {
  if (app.clientId === 'spa') return false;
  return (await post(issuer, '/introspect', app, { token: app.held })).body.active;
}

async function post(issuer: string, path: string, { clientId }: App, form: Record<string, string>) {
  const response = await fetch(issuer + path, {
    method: 'POST',
    headers: clientId === 'web' ? basic('web') : {},
    body: new URLSearchParams({ ...form, ...(clientId === 'spa' && { client_id: 'spa' }) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

function config(issuer: string) {
  return {
    issuer,
    data: 'data',
    logLevel: 'silent',
    // A restart on a busy machine takes its time; the length of the window is proven elsewhere.
    lifetimes: { retryWindow: 120 },
    users: [{ username: 'ada', passwordHash }],
    clients: clientIds.map((client_id) => ({
      client_id,
      ...(client_id === 'web' && { client_secret: secret }),
      redirect_uris: [`https://${client_id}.example.com/callback`],
      scope: 'openid',
      consent: 'skip',
    })),
  };
}

function rotationsOf(world: World): number {
  return world.apps.reduce((sum, app) => sum + app.rotations, 0);
}

/** Numbers from 0 to 1 that are the same for one seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
