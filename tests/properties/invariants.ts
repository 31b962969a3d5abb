import assert from 'node:assert/strict';
import type { Grant, Model } from './model.ts';
import type { World } from './world.ts';

/** What must hold after each step, seen from outside: by introspection and the event log. */
export async function checkInvariants(model: Model, world: World): Promise<void> {
  await Promise.all(model.grants.map((grant) => checkGrant(model, world, grant)));
  await checkThefts(model, world);
}

/** What must hold at the end of a run: nothing lives under an ended session, and no dead grant can be refreshed. */
export async function checkEnd(model: Model, world: World): Promise<void> {
  await checkInvariants(model, world);
  const { store } = world.server.context;
  for (const session of model.sessions.values()) {
    const { items } = await store.listGrants({ sid: session.sid, state: 'live', now: model.now }, { limit: 100 });
    const expected = model.grants.filter((grant) => grant.session === session && model.isLive(grant));
    assert.deepEqual(items.map((grant) => grant.grantId).sort(), expected.map((grant) => grant.id).sort());
    if (!model.isSessionLive(session)) for (const grant of items) assert.equal(grant.kind, 'offline');
  }
  for (const grant of model.grants)
    if (!model.isLive(grant)) {
      const answer = await world.refresh(grant.client, grant.tokens[grant.generation] as string, true);
      assert.equal(answer.body.error, 'invalid_grant', 'a dead grant was refreshed');
    }
  await checkThefts(model, world);
}

/** One refresh token of a live grant is active, and no more; none of a dead one, and no access token either. */
async function checkGrant(model: Model, world: World, grant: Grant): Promise<void> {
  const isLive = model.isLive(grant);
  const accessTokens = [...new Set([grant.accessTokens[0], ...grant.accessTokens.slice(-2)])];
  for (const token of accessTokens)
    if (token)
      assert.equal(
        await world.isActive('orders-api', token.text),
        isLive && token.exp > model.now,
        `an access token of a ${isLive ? 'live' : 'dead'} grant`,
      );
  if (grant.client.isPublic) return;
  for (let generation = Math.max(1, grant.generation - 3); generation <= grant.generation; generation++)
    assert.equal(
      await world.isActive(grant.client.name, grant.tokens[generation] as string),
      isLive && generation === grant.generation,
      `generation ${generation} of ${grant.generation} of a ${isLive ? 'live' : 'dead'} grant`,
    );
}

/** Each theft that was found has its event with both origins; and there is no event without a theft. */
async function checkThefts(model: Model, world: World): Promise<void> {
  const found = await world.server.context.store.readEvents({
    types: ['refresh.reused', 'code.reused'],
    newestFirst: true,
    limit: 200,
  });
  for (const grant of model.grants) {
    const events = found.filter((event) => event.grantId === grant.id);
    assert.equal(events.filter((event) => event.type === 'refresh.reused').length, grant.reuses, 'events of reuse');
    const replays = events.filter((event) => event.type === 'code.reused').length;
    if (grant.codeReuses === 'perhaps') assert.ok(replays <= 1);
    else assert.equal(replays, grant.codeReuses, 'events of a code replayed');
    for (const { data } of events) {
      assert.match(String(data?.refusalId), /^[A-Za-z0-9_-]{12}$/);
      assert.ok(data?.presentedFrom && data.lastUsedFrom);
    }
  }
}
