import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { removeUser, setPassword, updateUser } from '../../packages/server/src/admin/users.ts';
import {
  findPostgres,
  howToInstall,
  openEngine,
  startTestPostgres,
  type TestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import type { Store } from '../../packages/server/src/store/store.ts';
import { eventsOf, password, startTestServer, type TestServer } from '../test-server.ts';

const actor = { kind: 'cli' } as const;
const bin = findPostgres();

/** What an operator does to the account between the look at the password and the commit of the session. */
type Meanwhile = (test: TestServer, userId: string) => Promise<unknown>;

const nothingIsLeft: Record<string, Meanwhile> = {
  'gets another password': ({ server }, userId) =>
    setPassword(server.context, actor, { userId, body: { password: 'another horse, another staple' } }),
  'is disabled': ({ server }, userId) => updateUser(server.context, actor, { userId, changes: { disabled: true } }),
  'is disabled and enabled with another password': async ({ server }, userId) => {
    await updateUser(server.context, actor, { userId, changes: { disabled: true } });
    await setPassword(server.context, actor, { userId, body: { password: 'another horse, another staple' } });
    await updateUser(server.context, actor, { userId, changes: { disabled: false } });
  },
  'is removed': ({ server }, userId) => removeUser(server.context, actor, { userId }),
};

for (const engine of ['sqlite', 'postgres'] as const)
  describe(`a sign-in and a change of its account at the same moment: ${engine}`, {
    skip: engine === 'postgres' && bin === undefined ? howToInstall : false,
  }, () => {
    let postgres: TestPostgres | undefined;
    let meanwhile: (() => Promise<unknown>) | undefined;
    let test: TestServer;
    let closeEngine: (() => Promise<void>) | undefined;
    before(async () => {
      if (engine === 'postgres' && bin !== undefined) postgres = await startTestPostgres(bin);
      const opened = postgres && (await openEngine(postgres));
      closeEngine = opened?.close;
      const store = opened?.store ?? (await openSqliteStore({ file: ':memory:' }));
      test = await startTestServer({ store: interrupted(store, () => meanwhile) });
    });
    after(async () => {
      await test.close();
      await closeEngine?.();
      await postgres?.remove();
    });

    /** Signs a new user in while `change` happens. Returns the answer and how many of their sessions live afterwards. */
    async function signInWhile(name: string, change: Meanwhile, isSecond: boolean) {
      const { context } = test.server;
      const passwordHash = await context.passwords.hash(password);
      const at = context.now();
      const record = { userId: name, version: 0, username: name, passwordHash, roles: [], claims: {} };
      await test.store.commit([
        {
          change: 'put',
          kind: 'user',
          expect: 'absent',
          record: { ...record, emailVerified: false, disabled: false, createdAt: at, updatedAt: at },
        },
      ]);
      const browser = test.browser();
      const signIn = async () =>
        browser.submit(await browser.go(`${test.issuer}/sign-in`), { username: name, password });
      if (isSecond) assert.equal((await signIn()).status, 200);
      meanwhile = () => change(test, name);
      const page = await signIn();
      const live = await test.store.listSessions({ userId: name, state: 'live', now: test.now() }, { limit: 10 });
      return { page, sessions: live.items.length };
    }

    for (const [what, change] of Object.entries(nothingIsLeft))
      it(`A9: whoever knew the old password is out when the account ${what}`, async () => {
        // Every other one in a browser that is signed in already: its session is renewed instead of created.
        const isSecond = what.startsWith('is disabled');
        const { page, sessions } = await signInWhile(what.replaceAll(/\W/g, ''), change, isSecond);
        assert.equal(page.status, 401);
        assert.equal(sessions, 0);
      });

    it('a change that leaves the password as it is refuses nobody', async () => {
      const { page, sessions } = await signInWhile(
        'renamed',
        ({ server }, userId) => updateUser(server.context, actor, { userId, changes: { name: 'Another Name' } }),
        false,
      );
      assert.equal(page.status, 200);
      assert.equal(sessions, 1);
      await test.server.context.refusals.flush();
      assert.equal((await eventsOf(test, 'sign_in.failed')).filter(({ userId }) => userId === 'renamed').length, 0);
    });
  });

/** A store in which something happens, once, just before a session is written. */
function interrupted(store: Store, take: () => (() => Promise<unknown>) | undefined): Store {
  let last: unknown;
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value;
      const commit: Store['commit'] = async (changes, events) => {
        const meanwhile = take();
        const writesSession = changes.some(({ change }) => change === 'create-session' || change === 'renew-session');
        if (writesSession && meanwhile !== undefined && meanwhile !== last) {
          last = meanwhile;
          await meanwhile();
        }
        return target.commit(changes, events);
      };
      return commit;
    },
  });
}
