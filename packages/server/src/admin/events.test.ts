import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { decideKeyRotation, readSigningKeys, rotateSigningKeys } from '../tokens/key-rotation.ts';
import { listEvents } from './events.ts';
import { listKeys, revokeKey, rotateKeys } from './keys.ts';
import { findRefusal } from './refusals.ts';
import { endSession } from './sessions.ts';
import { readStatistics } from './statistics.ts';
import { createTestContext, doneValue, grantOf, sessionOf, type TestContext } from './test-context.ts';
import { createUser, updateUser } from './users.ts';

const actor = { kind: 'cli' } as const;

describe('events, refusals and statistics', () => {
  let context: TestContext;
  let userId: string;
  before(async () => {
    context = await createTestContext();
    userId = doneValue(await createUser(context, actor, { username: 'ada' })).userId;
    for (let round = 0; round < 9; round++) {
      context.clock.now += 10;
      doneValue(await updateUser(context, actor, { userId, changes: { roles: [`r${round}`] } }));
    }
  });
  after(() => context.close());

  test('events come newest first, page by page, each once', async () => {
    const positions: number[] = [];
    let before: number | undefined;
    do {
      const page = doneValue(await listEvents(context, { limit: 4, before }));
      positions.push(...page.items.map(({ position }) => position));
      before = page.next;
    } while (before !== undefined);
    assert.deepEqual(positions, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  test('the log is followed from a position on, oldest first', async () => {
    const page = doneValue(await listEvents(context, { limit: 3, after: 5 }));
    assert.deepEqual(
      page.items.map(({ position }) => position),
      [6, 7, 8],
    );
    assert.equal(page.next, 8);
    assert.deepEqual(doneValue(await listEvents(context, { limit: 3, after: 10 })), { items: [], next: 10 });
  });

  test('events are filtered by type, user and time', async () => {
    const count = async (filter: object) => doneValue(await listEvents(context, { limit: 50, ...filter })).items.length;
    assert.equal(await count({ types: ['user.created'] }), 1);
    assert.equal(await count({ types: ['user.created', 'user.changed'] }), 10);
    assert.equal(await count({ userId: 'nobody' }), 0);
    assert.equal(await count({ from: context.now() }), 1);
    assert.equal(await count({ to: context.now() - 90 }), 1);
  });

  test('D4: a refusal is found by its id, with its meaning and the event that caused it', async () => {
    const session = sessionOf(userId, 'sid-1', context.now());
    await context.store.commit([
      { change: 'create-session', session },
      { change: 'create-grant', grant: grantOf(session, 'web', 'grant-1', context.now()) },
    ]);
    doneValue(await endSession(context, actor, 'sid-1'));
    context.refusals.add({
      refusalId: 'refusal-1',
      endpoint: 'token',
      error: 'invalid_grant',
      reason: 'session_ended',
      description: 'the refresh token is no longer good',
      facts: { grantId: 'grant-1', sid: 'sid-1', clientId: 'web' },
      origin: { ip: '192.0.2.1', userAgent: 'x' },
    });
    await context.refusals.flush();
    const refusal = doneValue(await findRefusal(context, 'refusal-1'));
    assert.partialDeepStrictEqual(refusal, {
      reason: 'session_ended',
      meaning: 'The session has ended.',
      event: { type: 'request.refused', grantId: 'grant-1' },
      cause: { type: 'session.ended', sid: 'sid-1', actor },
    });
    assert.partialDeepStrictEqual(await findRefusal(context, 'refusal-2'), { kind: 'refuse', reason: 'not_found' });
  });

  test('statistics count what there is and what happened', async () => {
    context.metrics.refreshes.inc({ verdict: 'rotate' }, 3);
    const numbers = doneValue(await readStatistics(context));
    assert.partialDeepStrictEqual(numbers, {
      users: { count: 1, more: false },
      liveSessions: { count: 0, more: false },
      counters: { refreshes: { rotate: 3 } },
    });
    assert.equal(numbers.lastDay.events['user.changed'], 9);
  });
});

describe('signing keys', () => {
  let context: TestContext;
  const policy = { rotateEvery: 1000, announceFor: 100, keepRetiredFor: 100 };
  before(async () => {
    context = await createTestContext();
    context.signingKeys.load(await rotateSigningKeys(context, policy));
  });
  after(() => context.close());

  const states = async (algorithm: string) =>
    doneValue(await listKeys(context))
      .items.filter((key) => key.algorithm === algorithm)
      .map(({ state }) => state)
      .toSorted();

  test('keys are listed with their public halves alone', async () => {
    const { items } = doneValue(await listKeys(context));
    assert.deepEqual(
      items.map(({ state }) => state),
      ['current', 'current', 'current'],
    );
    for (const key of items) {
      assert.ok(!('encryptedPrivateJwk' in key));
      assert.equal(key.publicJwk.d, undefined);
      assert.equal(key.publicJwk.p, undefined);
    }
  });

  test('an announced successor does not sign before its time; one at once does', async () => {
    const kid = context.signingKeys.currentKid('ES256');
    doneValue(await rotateKeys(context, actor, { algorithms: ['ES256'] }));
    assert.deepEqual(await states('ES256'), ['current', 'next']);
    assert.deepEqual(await states('RS256'), ['current']);
    assert.equal(context.signingKeys.currentKid('ES256'), kid);
    assert.deepEqual(decideKeyRotation(await readSigningKeys(context.store), context.now(), policy), []);
    doneValue(await rotateKeys(context, actor, { algorithms: ['ES256'], atOnce: true }));
    assert.deepEqual(await states('ES256'), ['current', 'retired']);
    assert.notEqual(context.signingKeys.currentKid('ES256'), kid);
  });

  test('a revoked key is neither published nor accepted, its successor signs, and the edges hear of it', async () => {
    const kid = context.signingKeys.currentKid('RS256') ?? '';
    doneValue(await revokeKey(context, actor, kid));
    assert.notEqual(context.signingKeys.currentKid('RS256'), kid);
    assert.ok(!context.signingKeys.publicJwks().keys.some((key) => key.kid === kid));
    const [event] = await context.store.readEvents({ types: ['key.revoked'], limit: 5 });
    assert.partialDeepStrictEqual(event, { actor, data: { kid }, audiences: null, until: context.now() + 960 });
    assert.partialDeepStrictEqual(await revokeKey(context, actor, 'unknown'), { reason: 'not_found' });
  });

  test('an algorithm nobody signs with is refused', async () => {
    assert.partialDeepStrictEqual(await rotateKeys(context, actor, { algorithms: ['none'] }), {
      kind: 'refuse',
      field: 'algorithms[0]',
    });
  });
});
