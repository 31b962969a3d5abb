import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { sampleGrant, sampleSession, sampleTime } from '../sample-records.ts';
import type { Change, NewEvent, Store } from '../store.ts';

const now = sampleTime;
const origin = { ip: '192.0.2.1', userAgent: 'Firefox' };

/** Creates a session with that many grants; returns their ids. */
export async function newGrants(store: Store, count: number): Promise<string[]> {
  const session = sampleSession();
  const grants = Array.from({ length: count }, () => sampleGrant(session));
  const result = await store.commit([
    { change: 'create-session', session },
    ...grants.map((grant): Change => ({ change: 'create-grant', grant })),
  ]);
  assert.equal(result.outcome, 'committed');
  return grants.map((grant) => grant.grantId);
}

/** A rotation from a generation on. */
export function rotate(grantId: string, expect: number): Change {
  return { change: 'rotate-grant', grantId, expect, sealKeyId: 'k1', at: now, idleAt: now + 60, origin };
}

/** Rotates the grants, each as fast as it can, through whatever happens, until it is stopped. */
export function rotateForever(store: Store, grantIds: readonly string[]) {
  const acknowledged = new Map<string, number>();
  const failures: string[] = [];
  let isRunning = true;
  let succeeded = 0;
  let succeededAtFailure: number | undefined;
  const running = Promise.all(grantIds.map(run));
  return {
    failures: failures as readonly string[],
    /** Each grant was rotated, on average. */
    isUnderWay: () => succeeded >= grantIds.length,
    hasSucceededAfterFailure: () =>
      succeededAtFailure !== undefined && succeeded > succeededAtFailure + grantIds.length,
    async stop() {
      isRunning = false;
      await running;
      return { acknowledged, failures };
    },
    async [Symbol.asyncDispose]() {
      isRunning = false;
      await running;
    },
  };

  async function run(grantId: string): Promise<void> {
    while (isRunning) {
      try {
        const generation = (await store.getGrant(grantId))?.generation ?? 0;
        const event: NewEvent = { type: 'grant.origin_changed', at: now, actor: { kind: 'server' }, grantId };
        const { outcome } = await store.commit([rotate(grantId, generation)], [event]);
        assert.equal(outcome, 'committed');
        acknowledged.set(grantId, generation + 1);
        succeeded += 1;
      } catch (error) {
        failures.push((error as { code?: string }).code ?? String(error));
        succeededAtFailure = succeeded;
        await delay(20);
      }
    }
  }
}

/** Nothing that was acknowledged is lost. */
export async function assertHeld(store: Store, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  assert.ok(acknowledged.size > 0);
  for (const [grantId, generation] of acknowledged) {
    const stored = (await store.getGrant(grantId))?.generation ?? 0;
    assert.ok(stored >= generation, `${generation} was acknowledged, ${stored} is stored`);
  }
}
