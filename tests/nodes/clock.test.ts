import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type App, introspectAs, present, signInApps } from '../apps.ts';
import { eventually } from '../eventually.ts';
import { claimsOf } from './history.ts';
import { Nodes, type ServerNode, skipWithoutPostgres as skip } from './nodes.ts';

const hour = 3600;

describe("nodes whose machine's clock is wrong", { skip, timeout: 300_000 }, () => {
  let nodes: Nodes;
  let right: ServerNode;
  let skewed: ServerNode;
  before(async () => {
    nodes = await Nodes.start(1);
    right = nodes.at(0);
    skewed = await nodes.add({ preload: resolve(import.meta.dirname, 'skewed-clock.ts') });
  });
  after(() => nodes?.close());

  const isReady = async ({ url }: ServerNode) => (await fetch(`${url}/ready`)).status === 200;
  const isActive = async (node: ServerNode, { accessToken }: Pick<App, 'accessToken'>) =>
    (await introspectAs(node.reach, 'orders-api', accessToken)).body.active;

  for (const [direction, offset] of [
    ['ahead', hour],
    ['back', -hour],
  ] as const)
    it(`D1 a machine set an hour ${direction} while it runs signs nobody out, makes no token live longer, and is not ready until it is right`, async () => {
      const [app] = (await signInApps(() => right.reach, ['web'])) as [App];
      assert.equal(await isReady(skewed), true);
      await nodes.setClock(offset);
      assert.equal(await isActive(skewed, app), true);
      const { status, body } = await present(skewed.reach, app, app.refreshToken);
      assert.equal(status, 200, JSON.stringify(body));
      const fresh = { accessToken: String(body.access_token) };
      const { iat, exp } = claimsOf(fresh) as { iat: number; exp: number };
      assert.ok(Math.abs(iat - Date.now() / 1000) < 5 && exp - iat === 900, `iat ${iat}, exp ${exp}`);
      assert.equal(await isActive(right, fresh), true);
      await eventually(async () => !(await isReady(skewed)));
      assert.match(
        skewed.process.output(),
        new RegExp(`clock is 3\\d{3}\\.\\d s ${offset > 0 ? 'ahead of' : 'behind'} the database's`),
      );
      assert.equal(await isReady(right), true);
      await nodes.setClock(0);
      await eventually(() => isReady(skewed));
      assert.equal(await isActive(skewed, fresh), true);
    });

  it('a machine that starts an hour ahead serves by the right time, and is not ready', async () => {
    await skewed.kill();
    await nodes.setClock(hour);
    await skewed.start();
    assert.equal(await isReady(skewed), false);
    const [app] = (await signInApps(() => skewed.reach, ['web'])) as [App];
    assert.equal(await isActive(right, app), true);
    assert.ok(Math.abs((claimsOf(app).iat as number) - Date.now() / 1000) < 5);
    const lapsed = await nodes.query("SELECT 1 FROM events WHERE type IN ('session.ended', 'grant.ended')");
    assert.deepEqual(lapsed, [], 'nothing was ended for having lapsed');
  });
});
