import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type App, appsConfig, introspectAs, present, revoke, signInApps } from '../apps.ts';
import { eventually } from '../eventually.ts';
import { pick, seeded, seedOf } from '../seeded.ts';
import { administer, kidOf, machineToken, operator } from './administer.ts';
import { checkStore } from './history.ts';
import { Load, rounds } from './load.ts';
import { Nodes, type ServerNode, skipWithoutPostgres as skip } from './nodes.ts';

const timeout = 240_000 + 60_000 * rounds;

describe('a node that was frozen', { skip, timeout }, () => {
  let nodes: Nodes;
  let frozen: ServerNode;
  let other: ServerNode;
  before(async () => {
    const { clients, lifetimes } = appsConfig('http://x') as { clients: object[]; lifetimes: object };
    nodes = await Nodes.start(2, {}, { clients: [...clients, operator], lifetimes: { ...lifetimes, retryWindow: 1 } });
    [frozen, other] = nodes.all as [ServerNode, ServerNode];
  });
  after(() => nodes?.close());

  /** Freezes the node for longer than it may go by what it remembers, while `meanwhile` happens elsewhere. */
  async function freezeWhile(meanwhile: () => Promise<unknown>): Promise<void> {
    frozen.freeze();
    try {
      await Promise.all([meanwhile(), sleep(1500)]);
    } finally {
      frozen.wake();
    }
  }
  const isActive = async (token: string) => (await introspectAs(frozen.reach, 'orders-api', token)).body.active;

  it('A13 answers its first requests from now: what ended meanwhile is inactive and refreshes no more', async () => {
    const apps = await signInApps(() => frozen.reach);
    for (const app of apps) assert.equal(await isActive(app.accessToken), true);
    await freezeWhile(() => Promise.all(apps.map((app) => revoke(other.reach, app, app.refreshToken))));
    const answers = await Promise.all(
      apps.flatMap((app) => [
        isActive(app.accessToken),
        present(frozen.reach, app, app.refreshToken).then(({ body }) => body.error),
      ]),
    );
    assert.deepEqual(answers, [false, 'invalid_grant', false, 'invalid_grant']);
  });

  it('A13 remembers neither clients that were cut off nor keys that were revoked meanwhile', async () => {
    const token = await machineToken(frozen);
    assert.equal(await isActive(token), true);
    await freezeWhile(() => administer(nodes, other, '/clients/machine/cut-off'));
    const [isOldActive, fresh] = await Promise.all([isActive(token), machineToken(frozen)]);
    assert.equal(isOldActive, false);
    assert.equal(await isActive(fresh), true, 'what it issues first is of the new epoch');

    const kid = kidOf(fresh);
    await freezeWhile(() => administer(nodes, other, `/keys/${kid}/revoke`));
    const [isSignedActive, published, next] = await Promise.all([
      isActive(fresh),
      fetch(`${frozen.url}/jwks`).then((response) => response.json() as Promise<{ keys: { kid: string }[] }>),
      machineToken(frozen),
    ]);
    assert.equal(isSignedActive, false, 'a token it had verified before');
    assert.ok(
      published.keys.every((key) => key.kid !== kid),
      'the revoked key is published no more',
    );
    assert.notEqual(kidOf(next), kid, 'nothing is signed with it');
  });

  it('D1 does not take a refresh whose client gave up long ago, and asked another node, for a theft', async () => {
    for (let round = 0; round < 5; round++) {
      const [app] = (await signInApps(() => other.reach, ['spa'])) as [App];
      let held = app.refreshToken;
      await freezeWhile(async () => {
        await sendAndLeave(frozen, held);
        held = String((await present(other.reach, app, held)).body.refresh_token);
        await sleep(300);
        held = String((await present(other.reach, app, held)).body.refresh_token);
        await sleep(1300);
      });
      await sleep(300);
      const { status, body } = await present(frozen.reach, app, held);
      assert.equal(status, 200, `round ${round}: ${JSON.stringify(body)}`);
    }
    await checkStore(nodes);
  });
});

/** Sends a refresh of the public app and goes away before there is an answer. */
async function sendAndLeave({ url }: ServerNode, token: string): Promise<void> {
  const { hostname, port, host } = new URL(url);
  const body = String(new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token, client_id: 'spa' }));
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `POST /token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await sleep(100);
  socket.destroy();
}

it('A5 A13 D1 nodes that freeze and wake under load: nothing comes back to life, nobody honest is signed out', {
  skip,
  timeout,
}, async (t) => {
  const seed = seedOf(t);
  const random = seeded(seed);
  const nodes = await Nodes.start(3);
  const load = new Load(nodes, random);
  try {
    await load.begin(5);
    for (let freezes = 0; freezes < 4 * rounds; freezes++) {
      await sleep(200 + random() * 300);
      const victim = pick(nodes.running, random);
      victim.freeze();
      await sleep(random() * 2500);
      await load.endOne();
      victim.wake();
    }
    await load.stop(50);
    await eventually(async () =>
      (await Promise.all(nodes.all.map(({ url }) => fetch(`${url}/ready`)))).every(({ ok }) => ok),
    );
    await load.checkEnd(seed);
    await checkStore(nodes);
    const { history } = load;
    t.diagnostic(history.summary);
  } finally {
    await load.stop();
    await nodes.close();
  }
});
