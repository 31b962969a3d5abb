import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Edge } from '@tessera/edge';
import { type App, revoke, signInApps } from '../apps.ts';
import { eventually } from '../eventually.ts';
import { pick, seeded, seedOf } from '../seeded.ts';
import { rounds } from './load.ts';
import { Nodes, type ServerNode, skipWithoutPostgres as skip } from './nodes.ts';
import { startTestEdge, verdictOf } from './test-edge.ts';

const edgeCount = 12;
/** Within this an edge refuses in the tests, which share their machine; what was measured is printed. */
const boundMs = 5000;
const maxAge = 10;

describe(`${edgeCount} edges at three nodes`, { skip, timeout: 240_000 + 60_000 * rounds }, () => {
  let nodes: Nodes;
  const edges: Edge[] = [];
  before(async () => {
    nodes = await Nodes.start(3);
    for (let index = 0; index < edgeCount; index++) edges.push(await startEdge(index));
  });
  after(async () => {
    await Promise.all(edges.map((edge) => edge.close()));
    await nodes?.close();
  });

  /** An edge that asks the nodes in turn, beginning with that one. Nodes keep their place in the list when they come back at another port. */
  function startEdge(first: number): Promise<Edge> {
    const places = nodes.all.map((_, index) => `${nodes.issuer}/node-${(first + index) % nodes.all.length}`);
    const route = (url: string) => url.replace(/^.*\/node-(\d+)/, (_, number) => nodes.at(Number(number)).url);
    return startTestEdge(nodes.issuer, { places, route, maxAge });
  }

  /** How long, in milliseconds, each edge takes to refuse a token of an app that is revoked at that node. */
  async function revokeAndWatch(app: App, where: ServerNode): Promise<number[]> {
    for (const edge of edges) assert.equal(await verdictOf(edge, app), 'accepted');
    assert.equal((await revoke(where.reach, app, app.refreshToken)).status, 200);
    const doneMs = performance.now();
    return Promise.all(
      edges.map(async (edge) => {
        for (;;) {
          const verdict = await verdictOf(edge, app);
          const tookMs = performance.now() - doneMs;
          assert.ok(tookMs < boundMs, `an edge still says ${verdict} after ${tookMs} ms`);
          if (verdict === 'grant_ended') return tookMs;
          await sleep(2);
        }
      }),
    );
  }
  const live = async () => (await signInApps(() => (nodes.running[0] as ServerNode).reach, ['web']))[0] as App;

  it('A13 D2 refuse what any node revoked, whichever they are connected to', async (t) => {
    const random = seeded(seedOf(t));
    const tookMs: number[] = [];
    for (let round = 0; round < 10 * rounds; round++)
      tookMs.push(...(await revokeAndWatch(await live(), pick(nodes.all, random))));
    tookMs.sort((a, b) => a - b);
    const at = (share: number) => tookMs[Math.floor((tookMs.length - 1) * share)]?.toFixed(0);
    t.diagnostic(`an edge refused after ${at(0.5)} ms in the middle, ${at(0.95)} ms in 95 of 100, ${at(1)} ms at most`);
  });

  it('D2 move to another node when theirs is killed, and refuse what was revoked meanwhile', async () => {
    const app = await live();
    for (const edge of edges) assert.equal(await verdictOf(edge, app), 'accepted');
    const victim = nodes.at(1);
    await victim.kill();
    assert.equal((await revoke(nodes.at(2).reach, app, app.refreshToken)).status, 200);
    await Promise.all(
      edges.map((edge) => eventually(async () => (await verdictOf(edge, app)) === 'grant_ended', boundMs)),
    );
    const other = await live();
    await revokeAndWatch(other, nodes.at(0));
    await victim.start();
    await revokeAndWatch(await live(), victim);
  });

  it('D2 at a frozen node become stale, say so and refuse, or move; never do they serve what they cannot know', async () => {
    const app = await live();
    for (const edge of edges) assert.equal(await verdictOf(edge, app), 'accepted');
    const victim = nodes.at(0);
    victim.freeze();
    try {
      assert.equal((await revoke(nodes.at(1).reach, app, app.refreshToken)).status, 200);
      const startedMs = performance.now();
      const refusals = await Promise.all(
        edges.map(async (edge) => {
          await eventually(async () => (await verdictOf(edge, app)) !== 'accepted', maxAge * 1000 + boundMs);
          return verdictOf(edge, app);
        }),
      );
      for (const refusal of refusals) assert.match(refusal, /grant_ended|revocations_stale/);
      assert.ok(performance.now() - startedMs < maxAge * 1000 + boundMs);
      await Promise.all(
        edges.map((edge) => eventually(async () => (await verdictOf(edge, app)) === 'grant_ended', 30_000)),
      );
    } finally {
      victim.wake();
    }
    // The node that slept tells of what it missed, and of nothing from before.
    const newcomer = await startEdge(0);
    edges.push(newcomer);
    assert.equal(await verdictOf(newcomer, app), 'grant_ended');
    await revokeAndWatch(await live(), victim);
  });
});
