import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  appsConfig,
  authorizeApp,
  browserAt,
  introspectAs,
  postAs,
  present,
  revoke,
  signInApps,
  signOut,
} from '../apps.ts';
import { eventually } from '../eventually.ts';
import { pick, seeded, seedOf } from '../seeded.ts';
import { administer, kidOf, machineToken, operator } from './administer.ts';
import { claimsOf } from './history.ts';
import { rounds } from './load.ts';
import { Nodes, type ServerNode, skipWithoutPostgres as skip } from './nodes.ts';

const revocations = 150 * rounds;

describe('what one node ends', { skip, timeout: 240_000 + 60_000 * rounds }, () => {
  let nodes: Nodes;
  before(async () => {
    nodes = await Nodes.start(3, {}, { clients: [...(appsConfig('x').clients as object[]), operator] });
  });
  after(() => nodes?.close());

  const others = (than: ServerNode) => nodes.all.filter((node) => node !== than);
  /** What a node issues before it heard of a cut-off, in the first moments after it, is dead from the start: the safe side. */
  const liveToken = async (node: ServerNode) => {
    let token = '';
    await eventually(async () => {
      token = await machineToken(node);
      return isActive(node, token);
    });
    return token;
  };
  const isActive = async (node: ServerNode, token: string) =>
    (await introspectAs(node.reach, 'orders-api', token)).body.active === true;

  it(`A13 is ended at every other node on the very next call, ${revocations} times`, async (t) => {
    const random = seeded(seedOf(t));
    let node = nodes.at(0);
    const browser = browserAt(() => node.reach);
    for (let round = 0; round < revocations; round++) {
      node = pick(nodes.all, random);
      const form = await authorizeApp(browser, 'web');
      const { body } = await postAs(pick(nodes.all, random).reach, '/token', 'web', form);
      const [accessToken, refreshToken] = [String(body.access_token), String(body.refresh_token)];
      const when = `round ${round}`;
      assert.equal(await isActive(pick(nodes.all, random), accessToken), true, when);
      const where = pick(nodes.all, random);
      const isSingle = random() < 0.3;
      const { status } = await revoke(where.reach, { clientId: 'web' }, isSingle ? accessToken : refreshToken);
      assert.equal(status, 200, when);
      await Promise.all(
        others(where).map(async (other) => {
          assert.equal(await isActive(other, accessToken), false, `${when}: active at node ${other.number}`);
          const refreshed = await introspectAs(other.reach, 'web', refreshToken);
          assert.equal(refreshed.body.active, isSingle, `${when}: the refresh token at node ${other.number}`);
        }),
      );
      if (!isSingle)
        assert.equal((await present(pick(others(where), random).reach, { clientId: 'web' }, refreshToken)).status, 400);
    }
  });

  it('A9 a session signed out at one node is dead at every other on the very next call', async (t) => {
    const random = seeded(seedOf(t));
    for (let round = 0; round < 15 * rounds; round++) {
      const where = pick(nodes.all, random);
      const apps = await signInApps(() => where.reach);
      assert.equal(await signOut(where.reach, apps[0] as (typeof apps)[0]), true);
      for (const other of others(where))
        for (const app of apps) {
          assert.equal(await isActive(other, app.accessToken), false);
          assert.equal((await present(other.reach, app, app.refreshToken)).body.error, 'invalid_grant');
        }
    }
  });

  it('A13 a client cut off at one node has no active token at any other on the very next call', async () => {
    for (let round = 0; round < 10; round++) {
      const [where, ...rest] = nodes.all as [ServerNode, ...ServerNode[]];
      const tokens = await Promise.all(rest.map(liveToken));
      await administer(nodes, where, '/clients/machine/cut-off');
      await Promise.all(
        rest.map(async (node, index) => assert.equal(await isActive(node, tokens[index] as string), false)),
      );
    }
  });

  it('D10 a key that one node made a moment ago is known at every other: no token of it is refused, and it is published', async () => {
    for (let round = 0; round < 5; round++) {
      await administer(nodes, nodes.at(0), '/keys/rotate', { algorithms: ['ES256'], atOnce: true });
      const token = await machineToken(nodes.at(0));
      const kid = kidOf(token);
      await Promise.all(
        others(nodes.at(0)).map(async (node) => {
          assert.equal(await isActive(node, token), true, `node ${node.number} knows the key`);
          const published = (await (await fetch(`${node.url}/jwks`)).json()) as { keys: { kid: string }[] };
          assert.ok(
            published.keys.some((key) => key.kid === kid),
            `node ${node.number} publishes the key`,
          );
        }),
      );
    }
  });

  it('the tokens of all nodes are of one issuer', async () => {
    for (const node of nodes.all) assert.equal(claimsOf({ accessToken: await machineToken(node) }).iss, nodes.issuer);
  });
});
