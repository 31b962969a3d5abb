import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { authorizeApp, browserAt, introspectAs, postAs, present, revoke, signInApps } from '../apps.ts';
import { pick, seeded, seedOf } from '../seeded.ts';
import { checkStore } from './history.ts';
import { rounds } from './load.ts';
import { Nodes, skipWithoutPostgres as skip } from './nodes.ts';

describe('three nodes that are asked the same at once', { skip, timeout: 240_000 + 60_000 * rounds }, () => {
  let nodes: Nodes;
  before(async () => {
    nodes = await Nodes.start(3);
  });
  after(() => nodes?.close());
  const round50 = Array.from({ length: 50 }, (_, index) => index);
  const at = (index: number) => nodes.at(index % 3);

  it('D1 50 redemptions of one refresh token: one rotation, and all get the same successor', async () => {
    for (let round = 0; round < 4 * rounds; round++) {
      const [app] = await signInApps(() => at(round).reach, ['web']);
      assert.ok(app);
      const answers = await Promise.all(round50.map((index) => present(at(index).reach, app, app.refreshToken)));
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
      const [successor, ...more] = new Set(answers.map(({ body }) => String(body.refresh_token)));
      assert.deepEqual(more, []);
      const grantId = (await introspectAs(at(0).reach, 'web', successor as string)).body.grant_id as string;
      for (const node of nodes.all) {
        assert.equal((await introspectAs(node.reach, 'web', successor as string)).body.active, true);
        assert.equal((await introspectAs(node.reach, 'web', app.refreshToken)).body.active, false);
      }
      const [grant] = await nodes.query<{ generation: number; replays: number }>(
        `SELECT generation::int, replays::int FROM grants JOIN grant_state USING (grant_id) ORDER BY grant_no DESC LIMIT 1`,
      );
      assert.deepEqual(grant, { generation: 2, replays: 49 }, grantId);
    }
  });

  it('one authorization code at all nodes: one grant, the others refused, and nothing ends', async () => {
    for (let round = 0; round < 4 * rounds; round++) {
      const form = await authorizeApp(
        browserAt(() => at(round).reach),
        'web',
      );
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) => postAs(at(index).reach, '/token', 'web', form)),
      );
      const won = answers.filter(({ status }) => status === 200);
      assert.equal(won.length, 1);
      for (const { status, body } of answers) if (status !== 200) assert.equal(body.error, 'invalid_grant');
      const token = String(won[0]?.body.refresh_token);
      for (const node of nodes.all) assert.equal((await introspectAs(node.reach, 'web', token)).body.active, true);
    }
  });

  it('A13 a revocation against refreshes: whoever wins, afterwards no token of the grant lives anywhere', async (t) => {
    const random = seeded(seedOf(t));
    for (let round = 0; round < 25 * rounds; round++) {
      const [app] = await signInApps(() => at(round).reach, ['web']);
      assert.ok(app);
      const refreshes = Promise.all(
        Array.from({ length: 6 }, (_, index) => present(at(index).reach, app, app.refreshToken)),
      );
      const revoked = revoke(pick(nodes.all, random).reach, app, app.refreshToken);
      const [answers, { status }] = await Promise.all([refreshes, revoked]);
      assert.equal(status, 200);
      for (const { body } of answers)
        for (const node of nodes.all) {
          if (body.access_token === undefined) continue;
          assert.equal((await introspectAs(node.reach, 'orders-api', String(body.access_token))).body.active, false);
          assert.equal((await present(node.reach, app, String(body.refresh_token))).body.error, 'invalid_grant');
        }
    }
    await checkStore(nodes);
  });
});
