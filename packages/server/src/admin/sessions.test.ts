import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { listConsents, withdrawConsent } from './consents.ts';
import { endGrant, getGrant, listGrants } from './grants.ts';
import { endSession, endSessionsOfUser, getSession, listSessions } from './sessions.ts';
import { createTestContext, doneValue, grantOf, sessionOf, type TestContext } from './test-context.ts';
import { createUser } from './users.ts';

const actor = { kind: 'admin', clientId: 'console' } as const;

describe('sessions, grants and consents', () => {
  let context: TestContext;
  let userId: string;
  before(async () => {
    context = await createTestContext();
    userId = doneValue(await createUser(context, actor, { username: 'ada' })).userId;
  });
  after(() => context.close());

  const signIn = async (sid: string, ...clientIds: string[]) => {
    const session = sessionOf(userId, sid, context.now());
    await context.store.commit([
      { change: 'create-session', session },
      ...clientIds.map((clientId, index) => ({
        change: 'create-grant' as const,
        grant: grantOf(session, clientId, `${sid}-${clientId}`, context.now(), index === 0 ? 'session' : 'offline'),
      })),
    ]);
  };

  test('a session is listed by user, client and state, and its page tells its grants and its story', async () => {
    await signIn('one', 'web', 'cli');
    await signIn('two', 'cli');
    const sids = async (filter: object) =>
      doneValue(await listSessions(context, { limit: 10, ...filter }))
        .items.map(({ sid }) => sid)
        .toSorted();
    assert.deepEqual(await sids({ userId }), ['one', 'two']);
    assert.deepEqual(await sids({ clientId: 'web' }), ['one']);
    assert.deepEqual(await sids({ userId: 'nobody' }), []);
    assert.deepEqual(await sids({ state: 'ended' }), []);
    doneValue(await endSession(context, actor, 'two'));
    assert.deepEqual(await sids({ state: 'ended' }), ['two']);
    const { session, grants, events } = doneValue(await getSession(context, 'two'));
    assert.partialDeepStrictEqual(session, { state: 'ended', endReason: 'admin' });
    assert.partialDeepStrictEqual(grants, [{ state: 'ended', endReason: 'admin', hasRefreshToken: true }]);
    assert.equal(events[0]?.type, 'session.ended');
    assert.deepEqual(events[0]?.actor, actor);
  });

  test("an administrator's end takes offline grants too, also those that outlived their session", async () => {
    await signIn('three', 'web', 'cli');
    const ending = { reason: 'user_signed_out', at: context.now(), actor, until: context.now() + 900 } as const;
    await context.store.commit([{ change: 'end-sessions', where: { sid: 'three' }, offline: false, ending }]);
    assert.equal((await context.store.getGrant('three-cli'))?.endedAt, null);
    assert.deepEqual(doneValue(await endSession(context, actor, 'three')), { sessions: 0, grants: 1 });
    assert.equal(
      (await context.store.getSession('three'))?.endReason,
      'user_signed_out',
      'what has ended stays as it ended',
    );
    assert.equal((await context.store.getGrant('three-cli'))?.endReason, 'admin');
  });

  test('ending one grant leaves its siblings and its session', async () => {
    await signIn('four', 'web', 'cli');
    assert.deepEqual(doneValue(await endGrant(context, actor, 'four-web')), { sessions: 0, grants: 1 });
    assert.equal((await context.store.getGrant('four-cli'))?.endedAt, null);
    assert.equal((await context.store.getSession('four'))?.endedAt, null);
    assert.deepEqual(doneValue(await endGrant(context, actor, 'four-web')), { sessions: 0, grants: 0 });
    const [event] = await context.store.readEvents({ grantId: 'four-web', types: ['grant.ended'], limit: 5 });
    assert.equal(event?.until, context.now() + 960);
  });

  test('a grant that is refused without having ended says why', async () => {
    await signIn('five', 'web');
    const grant = doneValue(await getGrant(context, 'five-web'));
    assert.partialDeepStrictEqual(grant, { state: 'refused', refusedBecause: 'client_disabled' });
    const { items } = doneValue(await listGrants(context, { sid: 'five', limit: 5 }));
    assert.deepEqual(items, [grant]);
  });

  test('withdrawing consent ends the grants of that client and user, and no others', async () => {
    await signIn('six', 'web', 'cli');
    const consents = ['web', 'cli'].map((clientId) => ({
      consentId: `${userId}/${clientId}`,
      version: 0,
      userId,
      clientId,
      scopes: ['openid'],
      resources: [],
      grantedAt: context.now(),
    }));
    await context.store.commit(
      consents.map((record) => ({ change: 'put', kind: 'consent', expect: 'absent', record }) as const),
    );
    const { grants } = doneValue(await withdrawConsent(context, actor, { userId, clientId: 'cli' }));
    assert.ok(grants >= 1);
    assert.equal((await context.store.getGrant('six-cli'))?.endReason, 'consent_withdrawn');
    assert.equal((await context.store.getGrant('six-web'))?.endedAt, null);
    const { items } = doneValue(await listConsents(context, { userId, limit: 5 }));
    assert.deepEqual(
      items.map(({ clientId }) => clientId),
      ['web'],
    );
    for (const pair of [
      { userId, clientId: 'cli' },
      { userId: 'nobody', clientId: 'web' },
    ])
      assert.partialDeepStrictEqual(await withdrawConsent(context, actor, pair), { reason: 'not_found' });
    const [event] = await context.store.readEvents({ types: ['consent.withdrawn'], limit: 5 });
    assert.partialDeepStrictEqual(event, { userId, clientId: 'cli', actor });
  });

  test('a user is signed out everywhere', async () => {
    await signIn('seven', 'web', 'cli');
    await signIn('eight', 'cli');
    doneValue(await endSessionsOfUser(context, actor, userId));
    const live = doneValue(await listSessions(context, { userId, state: 'live', limit: 50 }));
    assert.deepEqual(live.items, []);
    assert.deepEqual(doneValue(await listGrants(context, { userId, state: 'live', limit: 50 })).items, []);
  });

  test('what is not there is said to be not there', async () => {
    for (const outcome of [
      await getSession(context, 'nothing'),
      await endSession(context, actor, 'nothing'),
      await getGrant(context, 'nothing'),
      await endGrant(context, actor, 'nothing'),
      await endSessionsOfUser(context, actor, 'nobody'),
      await listConsents(context, { userId: 'nobody', limit: 5 }),
    ])
      assert.partialDeepStrictEqual(outcome, { kind: 'refuse', reason: 'not_found' });
  });
});
