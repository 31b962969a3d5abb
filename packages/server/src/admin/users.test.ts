import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTestContext, doneValue, grantOf, sessionOf, type TestContext } from './test-context.ts';
import { createUser, findUser, getUser, listUsers, removeUser, setPassword, updateUser } from './users.ts';

const actor = { kind: 'admin', clientId: 'console', userId: 'root' } as const;

describe('users', () => {
  let context: TestContext;
  before(async () => {
    context = await createTestContext();
  });
  after(() => context.close());

  const lastEvent = async () => (await context.store.readEvents({ newestFirst: true, limit: 1 }))[0];
  const signIn = async (userId: string, sid: string) => {
    const session = sessionOf(userId, sid, context.now());
    const result = await context.store.commit([
      { change: 'create-session', session },
      { change: 'create-grant', grant: grantOf(session, 'web', `${sid}-bound`, context.now()) },
      { change: 'create-grant', grant: grantOf(session, 'web', `${sid}-offline`, context.now(), 'offline') },
    ]);
    assert.equal(result.outcome, 'committed');
  };

  test('a created user is found by id, name and address, and can sign in with the password', async () => {
    const user = doneValue(
      await createUser(context, actor, { username: 'ada', email: 'ada@example.com', password: 'a long passphrase' }),
    );
    assert.equal(user.version, 1);
    assert.equal(user.hasPassword, true);
    assert.deepEqual(doneValue(await getUser(context, user.userId)), user);
    assert.deepEqual(doneValue(await findUser(context, 'ADA')), user);
    assert.deepEqual(doneValue(await findUser(context, 'ada@example.com')), user);
    const record = await context.store.get('user', user.userId);
    assert.equal(await context.passwords.verify('a long passphrase', record?.passwordHash), true);
    assert.partialDeepStrictEqual(await lastEvent(), { type: 'user.created', actor, userId: user.userId });
  });

  test('a name that leads to another user, as name or as address, is refused', async () => {
    doneValue(await createUser(context, actor, { username: 'bob', email: 'bob@example.com' }));
    for (const input of [
      { username: 'BOB' },
      { username: 'bob@example.com' },
      { username: 'bobby', email: 'Bob@example.com' },
    ])
      assert.partialDeepStrictEqual(await createUser(context, actor, input), { kind: 'refuse', reason: 'conflict' });
  });

  test('inputs that make no user are refused, naming the field', async () => {
    const cases: [unknown, string][] = [
      [{}, 'username'],
      [{ username: '' }, 'username'],
      [{ username: ' ada' }, 'username'],
      [{ username: 'a\u0000b' }, 'username'],
      [{ username: 1 }, 'username'],
      [{ username: 'x', email: 'nobody' }, 'email'],
      [{ username: 'x', password: 'short' }, 'password'],
      [{ username: 'x', password: { env: 'HOME' } }, 'password'],
      [{ username: 'x', password: { file: '/etc/passwd' } }, 'password'],
      [{ username: 'x', roles: 'admin' }, 'roles'],
      [{ username: 'x', roles: ['a b'] }, 'roles[0]'],
      [{ username: 'x', claims: { sub: 'y' } }, 'claims.sub'],
      [{ username: 'x', claims: [] }, 'claims'],
      [{ username: 'x', claims: { bio: 'x'.repeat(17_000) } }, 'claims'],
      [{ username: 'x', disabled: 'no' }, 'disabled'],
      [{ username: 'x', passwordHash: 'y' }, 'passwordHash'],
      [{ username: 'x', isAdmin: true }, 'isAdmin'],
    ];
    for (const [input, field] of cases)
      assert.partialDeepStrictEqual(await createUser(context, actor, input), { kind: 'refuse', field }, field);
    for (const input of [null, [], 'x', 3])
      assert.equal((await createUser(context, actor, input)).kind, 'refuse', JSON.stringify(input));
  });

  test('no password enters the message that refuses it', async () => {
    const outcome = await createUser(context, actor, { username: 'x', password: 'hunter2' });
    assert.ok(outcome.kind === 'refuse' && !JSON.stringify(outcome).includes('hunter2'));
  });

  test('changes leave what they do not name, and an unproven address is not verified', async () => {
    const user = doneValue(
      await createUser(context, actor, {
        username: 'carol',
        email: 'carol@example.com',
        emailVerified: true,
        claims: { name: 'Carol' },
        roles: ['clerk'],
      }),
    );
    const changed = doneValue(
      await updateUser(context, actor, { userId: user.userId, changes: { email: 'c@example.com' } }),
    );
    assert.deepEqual(changed, { ...user, version: 2, email: 'c@example.com', emailVerified: false });
    const without = doneValue(await updateUser(context, actor, { userId: user.userId, changes: { email: null } }));
    assert.equal('email' in without, false);
  });

  test('a change that expects another version is stale, and nothing is written', async () => {
    const user = doneValue(await createUser(context, actor, { username: 'dan' }));
    const outcome = await updateUser(context, actor, { userId: user.userId, changes: { roles: ['x'] }, version: 7 });
    assert.partialDeepStrictEqual(outcome, { kind: 'refuse', reason: 'conflict', stale: true });
    assert.deepEqual(doneValue(await getUser(context, user.userId)), user);
  });

  test('of fifty changes at once that expect one version, one wins', async () => {
    const user = doneValue(await createUser(context, actor, { username: 'eve' }));
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        updateUser(context, actor, { userId: user.userId, changes: { roles: [`r${index}`] }, version: 1 }),
      ),
    );
    assert.equal(outcomes.filter(({ kind }) => kind === 'done').length, 1);
    assert.equal(doneValue(await getUser(context, user.userId)).version, 2);
  });

  test('disabling a user ends all their sessions and grants, offline ones too, in the same commit', async () => {
    const user = doneValue(await createUser(context, actor, { username: 'frank' }));
    await signIn(user.userId, 'frank-1');
    await signIn(user.userId, 'frank-2');
    doneValue(await updateUser(context, actor, { userId: user.userId, changes: { disabled: true } }));
    for (const sid of ['frank-1', 'frank-2']) {
      assert.equal((await context.store.getSession(sid))?.endReason, 'user_disabled');
      assert.equal((await context.store.getGrant(`${sid}-bound`))?.endReason, 'user_disabled');
      assert.equal((await context.store.getGrant(`${sid}-offline`))?.endReason, 'user_disabled');
    }
    const [ended] = await context.store.readEvents({ sid: 'frank-1', types: ['session.ended'], limit: 5 });
    assert.deepEqual(ended?.actor, actor);
    // The highest lifetime in force (900) and the largest skew an edge may allow (60).
    assert.equal(ended?.until, context.now() + 960);
  });

  test('a new password ends all other sessions and the old one no longer works', async () => {
    const user = doneValue(await createUser(context, actor, { username: 'gina', password: 'the old passphrase' }));
    await signIn(user.userId, 'gina-here');
    await signIn(user.userId, 'gina-there');
    const body = { password: 'the new passphrase' };
    doneValue(await setPassword(context, actor, { userId: user.userId, body, exceptSid: 'gina-here' }));
    assert.equal((await context.store.getSession('gina-here'))?.endedAt, null);
    assert.equal((await context.store.getSession('gina-there'))?.endReason, 'password_changed');
    const hash = (await context.store.get('user', user.userId))?.passwordHash;
    assert.equal(await context.passwords.verify('the old passphrase', hash), false);
    assert.equal(await context.passwords.verify('the new passphrase', hash), true);
  });

  test('a removed user takes their sessions, grants and consents along', async () => {
    const user = doneValue(await createUser(context, actor, { username: 'hugo' }));
    await signIn(user.userId, 'hugo-1');
    const consentId = `${user.userId}/web`;
    const consent = {
      consentId,
      version: 0,
      userId: user.userId,
      clientId: 'web',
      scopes: [],
      resources: [],
      grantedAt: 1,
    };
    await context.store.commit([{ change: 'put', kind: 'consent', expect: 'absent', record: consent }]);
    assert.deepEqual(doneValue(await removeUser(context, actor, { userId: user.userId })), { sessions: 1, grants: 2 });
    assert.equal(await context.store.get('user', user.userId), undefined);
    assert.equal(await context.store.get('consent', consentId), undefined);
    assert.equal((await context.store.getGrant('hugo-1-offline'))?.endReason, 'user_removed');
    assert.partialDeepStrictEqual(await removeUser(context, actor, { userId: user.userId }), { reason: 'not_found' });
  });

  test('lists go page by page, and a search finds by the beginning of name or address', async () => {
    const names = new Set<string>();
    let next: string | undefined;
    do {
      const page = doneValue(await listUsers(context, { limit: 3, after: next }));
      assert.ok(page.items.length <= 3);
      for (const { username } of page.items) names.add(username);
      next = page.next;
    } while (next !== undefined);
    assert.ok(names.has('ada') && names.has('gina'));
    const found = doneValue(await listUsers(context, { limit: 10, search: 'Bob@' }));
    assert.deepEqual(
      found.items.map(({ username }) => username),
      ['bob'],
    );
  });
});
