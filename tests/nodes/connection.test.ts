import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type App, introspectAs, present, signInApps } from '../apps.ts';
import { eventually } from '../eventually.ts';
import { pick, seeded, seedOf } from '../seeded.ts';
import { basic } from '../test-server.ts';
import type { DatabaseProxy } from './database-proxy.ts';
import { checkStore } from './history.ts';
import { Load, rounds } from './load.ts';
import { Nodes, skipWithoutPostgres as skip } from './nodes.ts';

const timeout = 240_000 + 60_000 * rounds;

/** What may happen to the way between a node and its database, and when it is over. */
const troubles: Record<string, (proxy: DatabaseProxy, random: () => number) => Promise<void>> = {
  'slow by up to a fifth of a second each way': async (proxy, random) => {
    proxy.disturb({ delayMs: random() * 200 });
    await sleep(1500);
  },
  'stalled, and going on where it stood': async (proxy, random) => {
    proxy.disturb({ stalled: true });
    await sleep(500 + random() * 2000);
  },
  'cut again and again': async (proxy, random) => {
    for (let cuts = 0; cuts < 4; cuts++) {
      await sleep(random() * 400);
      proxy.cut();
    }
  },
  'stalled, and then cut: nobody knows what arrived': async (proxy, random) => {
    proxy.disturb({ stalled: true });
    await sleep(random() * 600);
    proxy.cut();
  },
  'gone for a while': async (proxy) => {
    proxy.disturb({ refused: true });
    proxy.cut();
    await sleep(1500);
  },
};

it('A5 A13 D1 whatever happens between nodes and database under load: nothing acknowledged is lost, nothing ended lives, nobody honest is signed out', {
  skip,
  timeout,
}, async (t) => {
  const seed = seedOf(t);
  const random = seeded(seed);
  const nodes = await Nodes.start(2, { proxied: true });
  await nodes.add();
  const load = new Load(nodes, random);
  try {
    await load.begin(5);
    for (let round = 0; round < rounds; round++)
      for (const make of Object.values(troubles)) {
        const proxy = pick(nodes.all.slice(0, 2), random).proxy as DatabaseProxy;
        const trouble = make(proxy, random);
        await sleep(200);
        await Promise.race([load.endOne(), sleep(3000)]);
        await trouble;
        proxy.disturb({});
        await sleep(300);
      }
    await load.stop(50);
    for (const { url } of nodes.all) await eventually(async () => (await fetch(`${url}/ready`)).status === 200, 40_000);
    await load.checkEnd(seed);
    await checkStore(nodes);
    const { history } = load;
    t.diagnostic(history.summary);
  } finally {
    await load.stop();
    await nodes.close();
  }
});

it('a node that cannot reach the database is not ready and says 503 with Retry-After; the key set is still there; it heals by itself', {
  skip,
  timeout,
}, async () => {
  const nodes = await Nodes.start(1, { proxied: true });
  try {
    const { url, reach, proxy } = nodes.at(0);
    const [app] = (await signInApps(() => reach, ['web'])) as [App];
    proxy?.disturb({ refused: true });
    proxy?.cut();
    const answers: Record<string, { status: number; headers: Headers }> = {
      ready: await fetch(`${url}/ready`),
      introspect: await introspectAs(reach, 'orders-api', app.accessToken),
      refresh: await present(reach, app, app.refreshToken),
      account: await app.browser.request(`${reach.issuer}/account`),
    };
    for (const [name, { status, headers }] of Object.entries(answers))
      assert.deepEqual([status, headers.has('retry-after')], [503, true], name);
    for (const path of ['/health', '/jwks', '/.well-known/openid-configuration'])
      assert.equal((await fetch(url + path)).status, 200, path);
    proxy?.disturb({});
    await eventually(async () => (await fetch(`${url}/ready`)).status === 200);
    assert.equal((await present(reach, app, app.refreshToken)).status, 200);
  } finally {
    await nodes.close();
  }
});

it('a node whose database stalls keeps nobody waiting until it gives up: 503 with Retry-After, and it goes on when the database does', {
  skip,
  timeout,
}, async () => {
  const nodes = await Nodes.start(1, { proxied: true });
  try {
    const { reach, proxy } = nodes.at(0);
    const [app] = (await signInApps(() => reach, ['web'])) as [App];
    proxy?.disturb({ stalled: true });
    // Beyond what a process may answer from its memory, so that it has to read first.
    await sleep(1500);
    const startedMs = performance.now();
    const answers = await Promise.all([
      ...Array.from({ length: 20 }, () => introspectAs(reach, 'orders-api', app.accessToken)),
      ...Array.from({ length: 20 }, () => present(reach, app, app.refreshToken)),
    ]);
    // A statement is given up after 20 s.
    assert.ok(performance.now() - startedMs < 19_000);
    for (const { status, headers } of answers) assert.deepEqual([status, headers.has('retry-after')], [503, true]);
    proxy?.disturb({});
    await eventually(async () => (await introspectAs(reach, 'orders-api', app.accessToken)).body.active === true);
    assert.equal((await present(reach, app, app.refreshToken)).status, 200);
  } finally {
    await nodes.close();
  }
});

for (const [how, unansweredFrom, userAgent] of [
  ['in one statement', /UPDATE grant_state s SET generation = s\.generation/, undefined],
  ['in a transaction', /UPDATE grants g SET last_ip.*COMMIT/s, 'elsewhere'],
] as const)
  it(`A5 D1 a rotation ${how} whose commit nobody hears of: 503, then the one successor, and nobody is taken for a thief`, {
    skip,
    timeout,
  }, async () => {
    const nodes = await Nodes.start(1, { proxied: true });
    try {
      const { reach } = nodes.at(0);
      const proxy = nodes.at(0).proxy as DatabaseProxy;
      const [app] = (await signInApps(() => reach, ['web'])) as [App];
      const refreshed = () =>
        fetch(`${reach.url}/token`, {
          method: 'POST',
          headers: { ...basic('web'), ...(userAgent && { 'user-agent': userAgent }) },
          body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: app.refreshToken }),
        });
      proxy.disturb({ unansweredFrom });
      const unheard = refreshed();
      await eventually(() => proxy.isUnanswered);
      const generations = () => nodes.query<{ generation: string }>('SELECT generation FROM grant_state');
      await eventually(async () => Number((await generations())[0]?.generation) === 2);
      proxy.disturb({});
      proxy.cut();
      const { status, headers } = await unheard;
      assert.deepEqual([status, headers.has('retry-after')], [503, true]);
      const again = await refreshed();
      assert.equal(again.status, 200);
      const { refresh_token: successor } = (await again.json()) as { refresh_token: string };
      assert.deepEqual(
        (await generations()).map(({ generation }) => Number(generation)),
        [2],
        'rotated once',
      );
      assert.equal(((await (await refreshed()).json()) as { refresh_token: string }).refresh_token, successor);
      assert.equal((await present(reach, app, successor)).status, 200);
      await checkStore(nodes);
    } finally {
      await nodes.close();
    }
  });
