import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../../tests/eventually.ts';
import type { GrantRecord, SessionRecord } from './records.ts';
import {
  nextDigest,
  nextId,
  sampleClient,
  sampleConsent,
  sampleEnding,
  sampleGrant,
  sampleResourceServer,
  sampleSession,
  sampleSetting,
  sampleSigningKey,
  sampleTime,
  sampleUser,
} from './sample-records.ts';
import type { Change, CommitResult, EventFilter, EventRecord, NewEvent, Page, PageRequest, Store } from './store.ts';

/** An engine on an empty database: a store, more stores on the same database, and the end of all of them. */
export type OpenedEngine = { store: Store; another(): Promise<Store>; close(): Promise<void> };

const now = sampleTime;
const origin = { ip: '192.0.2.1', userAgent: 'Firefox' };
// Each case has a database of its own.
const together = { concurrency: 3 };
const nothingEnded = { outcome: 'committed', ended: { sids: [], grantIds: [] } } as const;

/**
 * The contract suite: what makes an engine a store. `open` gives each case an empty database. Cases that race use a second store on the same
 * database, with connections of its own. An engine passes all of them or it is none.
 */
export function storeContract(name: string, open: () => Promise<OpenedEngine>): void {
  const on = (title: string, body: (engine: OpenedEngine & { store: Store }) => Promise<void>): void => {
    test(title, async () => {
      const engine = await open();
      try {
        await body(engine);
      } finally {
        await engine.close();
      }
    });
  };

  describe(`${name}: records that are replaced whole`, together, () => {
    on('each kind comes back as it was put, with version 1', async ({ store }) => {
      const user = sampleUser({ email: 'ada@example.com', passwordHash: '$argon2id$' });
      const client = sampleClient({ logoUri: 'https://app.example/logo.png' });
      const server = sampleResourceServer({ accessTokenLifetime: 60 });
      const key = sampleSigningKey();
      const consent = sampleConsent();
      const setting = sampleSetting();
      const result = await store.commit([
        { change: 'put', kind: 'user', expect: 'absent', record: { ...user, version: 77 } },
        { change: 'put', kind: 'client', expect: 'absent', record: client },
        { change: 'put', kind: 'resource_server', expect: 'absent', record: server },
        { change: 'put', kind: 'signing_key', expect: 'absent', record: key },
        { change: 'put', kind: 'consent', expect: 'absent', record: consent },
        { change: 'put', kind: 'setting', expect: 'absent', record: setting },
      ]);
      assert.deepEqual(result, nothingEnded);
      assert.deepEqual(await store.get('user', user.userId), user);
      assert.deepEqual(await store.get('client', client.clientId), client);
      assert.deepEqual(await store.get('resource_server', server.resourceServerId), server);
      assert.deepEqual(await store.get('signing_key', key.kid), key);
      assert.deepEqual(await store.get('consent', consent.consentId), consent);
      assert.deepEqual(await store.get('setting', setting.name), setting);
      assert.equal(await store.get('client', user.userId), undefined);
    });

    on('a put that expects "absent" conflicts with a record that is there', async ({ store }) => {
      const client = sampleClient();
      await committed(store, [{ change: 'put', kind: 'client', expect: 'absent', record: client }]);
      await conflicts(store, [{ change: 'put', kind: 'client', expect: 'absent', record: { ...client, name: 'B' } }]);
      assert.deepEqual(await store.get('client', client.clientId), client);
    });

    on('a put that expects a version raises it by one and conflicts with any other', async ({ store }) => {
      const client = sampleClient();
      const put = (expect: 'absent' | number, label: string): Change[] => [
        { change: 'put', kind: 'client', expect, record: { ...client, name: label } },
      ];
      await conflicts(store, put(1, 'too early'));
      await committed(store, put('absent', 'first'));
      await committed(store, put(1, 'second'));
      await conflicts(store, put(1, 'stale'));
      await conflicts(store, put(3, 'ahead'));
      assert.deepEqual(await store.get('client', client.clientId), { ...client, name: 'second', version: 2 });
    });

    on('a remove expects the version and frees the id', async ({ store }) => {
      const setting = sampleSetting();
      const remove = (expect: number): Change[] => [{ change: 'remove', kind: 'setting', id: setting.name, expect }];
      await conflicts(store, remove(1));
      await committed(store, [{ change: 'put', kind: 'setting', expect: 'absent', record: setting }]);
      await conflicts(store, remove(2));
      await committed(store, remove(1));
      assert.equal(await store.get('setting', setting.name), undefined);
      await committed(store, [{ change: 'put', kind: 'setting', expect: 'absent', record: setting }]);
    });

    on('a check writes nothing and conflicts unless the version is the expected one', async ({ store }) => {
      const setting = sampleSetting();
      const check = (expect: number): Change[] => [{ change: 'check', kind: 'setting', id: setting.name, expect }];
      await conflicts(store, check(1));
      await committed(store, [{ change: 'put', kind: 'setting', expect: 'absent', record: setting }]);
      await committed(store, check(1));
      await conflicts(store, check(2));
      assert.deepEqual(await store.get('setting', setting.name), setting);
    });

    on('a list is in the order of ids, in pages, and keeps to a prefix', async ({ store }) => {
      const names = ['a/1', 'a/2', 'a/10', 'b/1', 'a%', 'a_', 'a'];
      for (const name of names) await put(store, sampleSetting({ name }));
      const list = (page: PageRequest & { prefix?: string }) => store.list('setting', page);
      const all = await pages((page) => list(page), 2);
      assert.deepEqual(
        all.map((setting) => setting.name),
        [...names].sort(),
      );
      const some = await pages((page) => list({ ...page, prefix: 'a/' }), 2);
      assert.deepEqual(
        some.map((setting) => setting.name),
        ['a/1', 'a/10', 'a/2'],
      );
      assert.deepEqual(await list({ prefix: 'c', limit: 5 }), { items: [] });
      assert.equal((await list({ prefix: 'a/', limit: 3 })).next, undefined);
    });
  });

  describe(`${name}: names of users`, together, () => {
    on(
      'a user is found by username and by e-mail address, whatever the case and width of letters',
      async ({ store }) => {
        const ada = sampleUser({ username: 'Ada', email: 'Ada.L@Example.com' });
        await putUser(store, ada);
        for (const name of ['Ada', 'aDA', '\uff21\uff24\uff21', 'ada.l@example.com', 'ADA.L@EXAMPLE.COM']) {
          assert.equal((await store.findUser(name))?.userId, ada.userId, name);
        }
        assert.equal(await store.findUser('ad'), undefined);
        assert.equal(await store.findUser(''), undefined);
      },
    );

    on('usernames and e-mail addresses share one name space', async ({ store }) => {
      await putUser(store, sampleUser({ username: 'ada', email: 'ada@example.com' }));
      const taken: [string, string | undefined][] = [
        ['ADA', undefined],
        ['Ada@example.com', undefined],
        ['grace', 'ada@EXAMPLE.com'],
        ['grace', 'Ada'],
      ];
      for (const [username, email] of taken) {
        const record = sampleUser({ username, ...(email !== undefined && { email }) });
        await conflicts(store, [{ change: 'put', kind: 'user', expect: 'absent', record }]);
        assert.equal(await store.get('user', record.userId), undefined);
      }
      assert.equal(await store.findUser('grace'), undefined);
    });

    on('a user may have the e-mail address as username, and keep both through changes', async ({ store }) => {
      const ada = sampleUser({ username: 'ada@example.com', email: 'Ada@example.com' });
      await putUser(store, ada);
      await committed(store, [{ change: 'put', kind: 'user', expect: 1, record: { ...ada, roles: ['admin'] } }]);
      assert.deepEqual((await store.findUser('ada@example.com'))?.roles, ['admin']);
    });

    on('a change of name and a removal free the old names', async ({ store }) => {
      const ada = sampleUser({ username: 'ada', email: 'ada@example.com' });
      await putUser(store, ada);
      const { email: _, ...renamed } = { ...ada, username: 'countess' };
      await committed(store, [{ change: 'put', kind: 'user', expect: 1, record: renamed }]);
      assert.equal(await store.findUser('ada'), undefined);
      assert.equal(await store.findUser('ada@example.com'), undefined);
      await putUser(store, sampleUser({ username: 'ada' }));
      await committed(store, [{ change: 'remove', kind: 'user', id: ada.userId, expect: 2 }]);
      assert.equal(await store.findUser('countess'), undefined);
      await putUser(store, sampleUser({ username: 'Countess' }));
    });

    on('two stores that give one name at once: one wins', async ({ store, another }) => {
      const stores = [store, await another()];
      const results = await Promise.all(
        times(20, (index) =>
          stores[index % 2]!.commit([
            { change: 'put', kind: 'user', expect: 'absent', record: sampleUser({ username: 'wanted' }) },
          ]),
        ),
      );
      assert.equal(countCommitted(results), 1);
    });

    on('a search finds users by the beginning of either name, each once, in pages', async ({ store }) => {
      await putUser(store, sampleUser({ username: 'Anna', email: 'anna@example.com' }));
      await putUser(store, sampleUser({ username: 'bob', email: 'ann.other@example.com' }));
      await putUser(store, sampleUser({ username: 'annika' }));
      await putUser(store, sampleUser({ username: 'hannah', email: 'h@example.com' }));
      const found = await pages((page) => store.searchUsers('ANN', page), 1);
      assert.deepEqual(
        found.map((user) => user.username),
        ['bob', 'Anna', 'annika'],
      );
      assert.equal((await store.searchUsers('', { limit: 10 })).items.length, 4);
      assert.deepEqual(await store.searchUsers('x', { limit: 10 }), { items: [] });
    });

    on('an audience belongs to one resource server', async ({ store }) => {
      const orders = sampleResourceServer({ audiences: ['https://orders.example', 'https://orders2.example'] });
      const rival = sampleResourceServer({ audiences: ['https://other.example', 'https://orders2.example'] });
      await committed(store, [{ change: 'put', kind: 'resource_server', expect: 'absent', record: orders }]);
      await conflicts(store, [{ change: 'put', kind: 'resource_server', expect: 'absent', record: rival }]);
      const fewer = { ...orders, audiences: ['https://orders.example'] };
      await committed(store, [{ change: 'put', kind: 'resource_server', expect: 1, record: fewer }]);
      await committed(store, [{ change: 'put', kind: 'resource_server', expect: 'absent', record: rival }]);
      await committed(store, [
        { change: 'remove', kind: 'resource_server', id: rival.resourceServerId, expect: 1 },
        { change: 'put', kind: 'resource_server', expect: 2, record: orders },
      ]);
    });
  });

  describe(`${name}: sessions`, together, () => {
    on('a session comes back by its sid and by its cookie', async ({ store }) => {
      const session = sampleSession();
      await committed(store, [{ change: 'create-session', session: { ...session, version: 9 } }]);
      assert.deepEqual(await store.getSession(session.sid), session);
      assert.deepEqual((await store.getSignIn({ cookieDigest: session.cookieDigest })).session, session);
      assert.equal(await store.getSession(session.cookieDigest), undefined);
      assert.equal((await store.getSignIn({ cookieDigest: session.sid })).session, undefined);
    });

    on('ids may be any text', async ({ store }) => {
      const session = sampleSession({ sid: 'sid of a test', userId: 'ada', cookieDigest: 'a'.repeat(43) });
      const grant = sampleGrant(session, { grantId: `${'b'.repeat(21)}~`, secretDigest: 's', jkt: 'ü' });
      await committed(store, [
        { change: 'create-session', session },
        { change: 'create-grant', grant },
      ]);
      assert.deepEqual(await store.getSession(session.sid), session);
      assert.deepEqual((await store.getSignIn({ cookieDigest: session.cookieDigest })).session, session);
      assert.deepEqual(await store.getGrant(grant.grantId), grant);
      const ended = await committed(store, [endSessions({ userId: 'ada' })]);
      assert.deepEqual(ended, { sids: [session.sid], grantIds: [grant.grantId] });
    });

    on('a sid or a cookie that is taken is a conflict', async ({ store }) => {
      const session = sampleSession();
      await committed(store, [{ change: 'create-session', session }]);
      await conflicts(store, [{ change: 'create-session', session: sampleSession({ sid: session.sid }) }]);
      const sameCookie = sampleSession({ cookieDigest: session.cookieDigest });
      await conflicts(store, [{ change: 'create-session', session: sameCookie }]);
      assert.equal(await store.getSession(sameCookie.sid), undefined);
    });

    on('renewing replaces the cookie and the sign-in and raises the version', async ({ store }) => {
      const session = await newSession(store);
      const renewed = {
        cookieDigest: nextDigest(),
        authTime: now + 5,
        amr: ['hwk'],
        acr: 'urn:example:3',
        origin: { ip: '2001:db8::1', userAgent: 'Safari' },
        lastSeenAt: now + 5,
        ssoIdle: 60,
        ssoUntil: now + 65,
        endsAt: now + 100_000,
      };
      await committed(store, [{ change: 'renew-session', sid: session.sid, expect: 1, renewed }]);
      assert.deepEqual(await store.getSession(session.sid), { ...session, ...renewed, version: 2 });
      assert.equal((await store.getSignIn({ cookieDigest: session.cookieDigest })).session, undefined);
      assert.equal((await store.getSignIn({ cookieDigest: renewed.cookieDigest })).session?.sid, session.sid);
    });

    on(
      'renewing conflicts: another version, another session with that cookie, no session, ended',
      async ({ store }) => {
        const [session, other] = [await newSession(store), await newSession(store)];
        const renew = (sid: string, expect: number, cookieDigest: string): Change[] => [
          { change: 'renew-session', sid, expect, renewed: { ...session, cookieDigest } },
        ];
        await conflicts(store, renew(session.sid, 2, nextDigest()));
        await conflicts(store, renew(session.sid, 1, other.cookieDigest));
        await conflicts(store, renew(nextId(), 1, nextDigest()));
        // Its own cookie is nobody else's.
        await committed(store, renew(session.sid, 1, session.cookieDigest));
        await committed(store, [endSessions({ sid: session.sid })]);
        await conflicts(store, renew(session.sid, 3, nextDigest()));
        assert.equal((await store.getSession(session.sid))?.endedAt, sampleEnding().at);
      },
    );

    on('a touch moves times forward only, keeps the version and never conflicts', async ({ store }) => {
      const session = await newSession(store);
      const touch = (sid: string, lastSeenAt: number, ssoUntil: number): Change[] => [
        { change: 'touch-session', sid, lastSeenAt, ssoUntil },
      ];
      await committed(store, touch(session.sid, now + 100, now + 3700));
      await committed(store, touch(session.sid, now + 50, now + 9999));
      await committed(store, touch(session.sid, now + 60, now + 60));
      await committed(store, touch(session.sid, now + 110, now + 70));
      const touched = { ...session, lastSeenAt: now + 110, ssoUntil: now + 9999 };
      assert.deepEqual(await store.getSession(session.sid), touched);
      await committed(store, touch(nextId(), now, now));
      await committed(store, [endSessions({ sid: session.sid })]);
      await committed(store, touch(session.sid, now + 5000, now + 50_000));
      assert.equal((await store.getSession(session.sid))?.lastSeenAt, now + 110);
    });

    on('sessions are listed newest first, in pages, by user, client and state', async ({ store }) => {
      const userId = nextId();
      const mine = await Promise.all([]).then(() => inOrder(5, () => newSession(store, { userId })));
      const others = await inOrder(2, () => newSession(store));
      await newGrant(store, mine[1]!, { clientId: 'cli' });
      await newGrant(store, mine[3]!, { clientId: 'web' });
      await newGrant(store, others[0]!, { clientId: 'cli' });
      await committed(store, [endSessions({ sid: mine[3]!.sid })]);
      const list = (filter: object) => pages((page) => store.listSessions({ now: now + 10, ...filter }, page), 2);
      const sids = (sessions: SessionRecord[]) => sessions.map((session) => session.sid);
      assert.deepEqual(sids(await list({})), sids([...mine, ...others].reverse()));
      assert.deepEqual(sids(await list({ userId })), sids([...mine].reverse()));
      assert.deepEqual(sids(await list({ clientId: 'cli' })), sids([others[0]!, mine[1]!]));
      assert.deepEqual(sids(await list({ clientId: 'web' })), sids([mine[3]!]), 'also when the grant has ended');
      assert.deepEqual(sids(await list({ userId, state: 'ended' })), sids([mine[3]!]));
      assert.equal((await list({ userId, state: 'live' })).length, 4);
      assert.deepEqual(await list({ userId, clientId: 'nobody' }), []);
      assert.deepEqual(await store.listSessions({ now }, { limit: 5, after: 'no cursor of ours' }), { items: [] });
    });

    on('a session is live while its cookie or one of its grants is, and until its end', async ({ store }) => {
      const userId = nextId();
      const cookie = await newSession(store, { userId, ssoUntil: now + 500 });
      const grant = await newSession(store, { userId, ssoUntil: now + 50 });
      await newGrant(store, grant, { idleAt: now + 500 });
      const lapsed = await newSession(store, { userId, ssoUntil: now + 50 });
      await newGrant(store, lapsed, { idleAt: now + 50 });
      const over = await newSession(store, { userId, endsAt: now + 100, ssoUntil: now + 500 });
      const list = async (state: 'live' | 'ended') =>
        (await store.listSessions({ userId, state, now: now + 100 }, { limit: 9 })).items.map((session) => session.sid);
      assert.deepEqual(await list('live'), [grant.sid, cookie.sid]);
      assert.deepEqual(await list('ended'), [over.sid, lapsed.sid]);
    });
  });

  describe(`${name}: grants`, together, () => {
    on('a grant comes back as it was created, whatever may be null in it', async ({ store }) => {
      const session = await newSession(store);
      const full = await newGrant(store, session);
      const bare = await newGrant(store, session, {
        kind: 'offline',
        scopes: [],
        resources: [],
        claims: null,
        jkt: null,
        secretDigest: null,
        idleLimit: null,
        idleAt: null,
        generation: 0,
        sealKeyId: '',
      });
      assert.deepEqual(await store.getGrant(full.grantId), full);
      assert.deepEqual(await store.getGrant(bare.grantId), bare);
      assert.equal(await store.getGrant(session.sid), undefined);
    });

    on('a grant that was read before shows what changed since, wherever it was changed', async ({ store, another }) => {
      const grant = await newGrant(store, await newSession(store));
      const elsewhere = await another();
      assert.equal((await store.getGrant(grant.grantId))?.generation, 1);
      const from = { ip: '192.0.2.77', userAgent: 'another browser' };
      const rotation: Change = {
        change: 'rotate-grant',
        grantId: grant.grantId,
        expect: 1,
        sealKeyId: 'key-2',
        at: now + 5,
        idleAt: now + 500,
        origin: from,
      };
      await committed(elsewhere, [rotation]);
      const moved = await store.getGrant(grant.grantId);
      assert.deepEqual(
        [moved?.generation, moved?.sealKeyId, moved?.idleAt, moved?.lastOrigin, moved?.scopes],
        [2, 'key-2', now + 500, from, grant.scopes],
      );
      await committed(elsewhere, [endGrants({ grantId: grant.grantId })]);
      assert.notEqual((await store.getGrant(grant.grantId))?.endedAt, null);
    });

    on('a grant needs a free id and a session that is there and has not ended', async ({ store }) => {
      const session = await newSession(store);
      const grant = await newGrant(store, session);
      const create = (record: GrantRecord): Change[] => [{ change: 'create-grant', grant: record }];
      await conflicts(store, create(sampleGrant(session, { grantId: grant.grantId })));
      await conflicts(store, create(sampleGrant(sampleSession())));
      await committed(store, [endSessions({ sid: session.sid })]);
      const late = sampleGrant(session, { kind: 'offline' });
      await conflicts(store, create(late));
      assert.equal(await store.getGrant(late.grantId), undefined);
    });

    on('a rotation writes what it says and raises generation and uses by one', async ({ store }) => {
      const grant = await newGrant(store, await newSession(store));
      await committed(store, [rotate(grant, 1, { at: now + 30, idleAt: now + 3630, sealKeyId: 'k2' })]);
      assert.deepEqual(await store.getGrant(grant.grantId), {
        ...grant,
        generation: 2,
        sealKeyId: 'k2',
        rotatedAt: now + 30,
        lastUsedAt: now + 30,
        idleAt: now + 3630,
        uses: 1,
      });
    });

    on('a rotation from elsewhere notes where', async ({ store }) => {
      const grant = await newGrant(store, await newSession(store));
      const elsewhere = { ip: '2001:db8::7', userAgent: 'Firefox' };
      await committed(store, [rotate(grant, 1, { origin: elsewhere })]);
      assert.deepEqual((await store.getGrant(grant.grantId))?.lastOrigin, elsewhere);
      await conflicts(store, [rotate(grant, 1, { origin: { ip: '198.51.100.1', userAgent: 'thief' } })]);
      assert.deepEqual((await store.getGrant(grant.grantId))?.lastOrigin, elsewhere);
      await committed(store, [rotate(grant, 2, { origin })]);
      const stored = await store.getGrant(grant.grantId);
      assert.deepEqual([stored?.lastOrigin, stored?.generation, stored?.uses], [origin, 3, 2]);
    });

    on(
      'a rotation conflicts with any other generation, and with a grant that ended or never was',
      async ({ store }) => {
        const grant = await newGrant(store, await newSession(store));
        await conflicts(store, [rotate(grant, 0)]);
        await conflicts(store, [rotate(grant, 2)]);
        await conflicts(store, [rotate({ grantId: nextId() }, 1)]);
        await committed(store, [rotate(grant, 1)]);
        await conflicts(store, [rotate(grant, 1)]);
        await committed(store, [endGrants({ grantId: grant.grantId })]);
        await conflicts(store, [rotate(grant, 2)]);
        assert.equal((await store.getGrant(grant.grantId))?.generation, 2);
      },
    );

    on('after a restore a rotation may move further than one', async ({ store }) => {
      const grant = await newGrant(store, await newSession(store));
      await committed(store, [rotate(grant, 1, { generation: 41 })]);
      await committed(store, [rotate(grant, 41)]);
      const stored = await store.getGrant(grant.grantId);
      assert.deepEqual([stored?.generation, stored?.uses], [42, 2]);
    });

    on('a touch counts a use and leaves the generation; a replay counts as such', async ({ store }) => {
      const grant = await newGrant(store, await newSession(store));
      const touch = (expect: number): Change => ({
        change: 'touch-grant',
        grantId: grant.grantId,
        expect,
        at: now + 9,
        idleAt: null,
        origin: { ip: '203.0.113.9', userAgent: 'curl' },
      });
      await committed(store, [touch(1)]);
      await committed(store, [touch(1)]);
      await conflicts(store, [touch(2)]);
      await committed(store, [{ change: 'count-replay', grantId: grant.grantId }]);
      await committed(store, [{ change: 'count-replay', grantId: nextId() }]);
      assert.deepEqual(await store.getGrant(grant.grantId), {
        ...grant,
        uses: 2,
        replays: 1,
        lastUsedAt: now + 9,
        idleAt: null,
        lastOrigin: { ip: '203.0.113.9', userAgent: 'curl' },
      });
      await committed(store, [endGrants({ grantId: grant.grantId })]);
      await conflicts(store, [touch(1)]);
    });

    on('grants are listed newest first, in pages, by user, client, session and state', async ({ store }) => {
      const [one, two] = [await newSession(store), await newSession(store)];
      const a = await newGrant(store, one, { clientId: 'web' });
      const b = await newGrant(store, two, { clientId: 'web', idleAt: now + 10 });
      const c = await newGrant(store, one, { clientId: 'cli', idleAt: null, idleLimit: null });
      const d = await newGrant(store, two, { clientId: 'cli', endsAt: now + 10 });
      await committed(store, [endGrants({ grantId: a.grantId })]);
      const list = async (filter: object) => {
        const found = await pages((page) => store.listGrants({ now: now + 10, ...filter }, page), 1);
        return found.map((grant) => grant.grantId);
      };
      const ids = (...grants: GrantRecord[]) => grants.map((grant) => grant.grantId);
      assert.deepEqual(await list({}), ids(d, c, b, a));
      assert.deepEqual(await list({ sid: one.sid }), ids(c, a));
      assert.deepEqual(await list({ userId: two.userId }), ids(d, b));
      assert.deepEqual(await list({ clientId: 'web' }), ids(b, a));
      assert.deepEqual(await list({ userId: one.userId, clientId: 'cli' }), ids(c));
      assert.deepEqual(await list({ state: 'live' }), ids(c));
      assert.deepEqual(await list({ state: 'ended' }), ids(d, b, a));
      assert.deepEqual(await list({ sid: 'unknown' }), []);
    });
  });

  describe(`${name}: what a token hangs on`, together, () => {
    const none = { clientVersion: undefined };

    on('the grant, its user and what is remembered come in one reading', async ({ store }) => {
      const { user, grant } = await addUsersGrant(store);
      const nobody = { grant: undefined, user: undefined };
      assert.deepEqual(await store.getStanding({ grantId: grant.grantId, now }), {
        grant,
        user,
        ...none,
        isRemembered: false,
      });
      await store.commit([{ change: 'remember', key: 'revoked:a', now, until: now + 10 }]);
      const asked = { grantId: grant.grantId, rememberedKey: 'revoked:a' };
      // Twice, because the second reading has what never changes at hand.
      for (let reading = 0; reading < 2; reading += 1) {
        assert.deepEqual(await store.getStanding({ ...asked, now }), { grant, user, ...none, isRemembered: true });
        assert.deepEqual(await store.getStanding({ ...asked, now: now + 10 }), {
          grant,
          user,
          ...none,
          isRemembered: false,
        });
        assert.deepEqual(await store.getStanding({ ...asked, rememberedKey: 'revoked:b', now }), {
          grant,
          user,
          ...none,
          isRemembered: false,
        });
      }
      assert.deepEqual(await store.getStanding({ rememberedKey: 'revoked:a', now }), {
        ...nobody,
        ...none,
        isRemembered: true,
      });
      assert.deepEqual(await store.getStanding({ grantId: nextId(), rememberedKey: 'revoked:a', now }), {
        ...nobody,
        ...none,
        isRemembered: true,
      });
      assert.deepEqual(await store.getStanding({ now }), { ...nobody, ...none, isRemembered: false });
    });

    on('many who ask at once get each their own', async ({ store }) => {
      const added = await addUsersGrants(store, 40);
      await store.commit([{ change: 'remember', key: 'revoked:7', now, until: now + 10 }]);
      const asked = [...added.keys(), ...added.keys()];
      const standings = await Promise.all(
        asked.map((index) =>
          index % 5 === 4
            ? store.getStanding({ grantId: nextId(), rememberedKey: `revoked:${index}`, now })
            : store.getStanding({ grantId: added[index]!.grant.grantId, rememberedKey: `revoked:${index}`, now }),
        ),
      );
      for (const [place, index] of asked.entries()) {
        const isGone = index % 5 === 4;
        assert.deepEqual(standings[place], {
          grant: isGone ? undefined : added[index]!.grant,
          user: isGone ? undefined : added[index]!.user,
          ...none,
          isRemembered: index === 7,
        });
      }
    });

    on('what another store changed is seen by the next reading', async ({ store, another }) => {
      const other = await another();
      const { user, grant } = await addUsersGrant(store);
      const asked = { grantId: grant.grantId, rememberedKey: 'revoked:c', now };
      assert.deepEqual(await store.getStanding(asked), { grant, user, ...none, isRemembered: false });

      const elsewhere = { ip: '2001:db8::7', userAgent: 'Lynx' };
      const rotation = { grantId: grant.grantId, expect: 1, sealKeyId: 'k2', at: now + 1, idleAt: now + 9 } as const;
      await other.commit([{ change: 'rotate-grant', ...rotation, origin: elsewhere }]);
      const moved = (await store.getStanding(asked)).grant;
      assert.deepEqual([moved?.generation, moved?.sealKeyId, moved?.lastOrigin], [2, 'k2', elsewhere]);

      // Read once more, so that the user is at hand beside the grant.
      assert.deepEqual((await store.getStanding(asked)).user, user);
      const disabled = { ...user, disabled: true };
      await other.commit([
        { change: 'put', kind: 'user', expect: 1, record: disabled },
        { change: 'remember', key: 'revoked:c', now, until: now + 5 },
      ]);
      const changed = await store.getStanding(asked);
      assert.deepEqual([changed.user, changed.isRemembered], [{ ...disabled, version: 2 }, true]);

      await other.commit([{ change: 'end-grants', where: { grantId: grant.grantId }, ending: sampleEnding() }]);
      assert.equal((await store.getStanding(asked)).grant?.endReason, sampleEnding().reason);
      await other.commit([{ change: 'remove', kind: 'user', id: user.userId, expect: 2 }]);
      assert.equal((await store.getStanding(asked)).user, undefined);
    });

    on('the version of the client tells whether it changed', async ({ store, another }) => {
      const other = await another();
      const { grant } = await addUsersGrant(store);
      const client = sampleClient();
      const asked = { clientId: client.clientId, now };
      const version = async (grantId?: string) => (await store.getStanding({ ...asked, grantId })).clientVersion;
      assert.equal(await version(), undefined);
      await other.commit([{ change: 'put', kind: 'client', expect: 'absent', record: client }]);
      for (const grantId of [undefined, grant.grantId, grant.grantId, nextId()])
        assert.equal(await version(grantId), 1);
      await other.commit([{ change: 'put', kind: 'client', expect: 1, record: { ...client, epoch: 1 } }]);
      assert.deepEqual([await version(), await version(grant.grantId)], [2, 2]);
      await other.commit([{ change: 'remove', kind: 'client', id: client.clientId, expect: 2 }]);
      assert.deepEqual([await version(), await version(grant.grantId)], [undefined, undefined]);
    });

    on('records that are read at once by their keys are each their own', async ({ store }) => {
      const added = await addUsersGrants(store, 12);
      const buckets = added.map((_, index) => ({
        key: `bucket:${index}`,
        level: index + 1,
        at: now,
        leakPerSecond: 0.5,
      }));
      await store.commit(
        buckets.map(({ key, level, at, leakPerSecond }) => ({
          change: 'fill-bucket',
          key,
          add: level,
          leakPerSecond,
          at,
        })),
      );
      const read = await Promise.all(
        added.map(({ user, session, grant }, index) =>
          Promise.all([
            store.get('user', user.userId),
            store.get('client', user.userId),
            store.getSession(session.sid),
            store.getSession(grant.grantId),
            store.getSignIn({ cookieDigest: session.cookieDigest }).then((signIn) => signIn.session),
            store.getGrant(grant.grantId),
            store.isRemembered(`bucket:${index}`, now),
            store.getBuckets([`bucket:${index}`, 'bucket:none', 'bucket:0']),
          ]),
        ),
      );
      for (const [index, { user, session, grant }] of added.entries()) {
        const kept = { ...session, version: 1 };
        const found = [buckets[index], buckets[0]];
        assert.deepEqual(read[index], [user, undefined, kept, undefined, kept, grant, false, found]);
      }
    });

    on('a user whose id is no random one is found too', async ({ store }) => {
      const { user, grant } = await addUsersGrant(store, 'ada');
      for (let reading = 0; reading < 2; reading += 1)
        assert.deepEqual((await store.getStanding({ grantId: grant.grantId, now })).user, user);
    });
  });

  describe(`${name}: sign-ins`, together, () => {
    const nobody = { session: undefined, user: undefined };

    on('the session comes with its user, by cookie and by sid, read for the first time or again', async ({ store }) => {
      const { user, session } = await addUsersGrant(store);
      const signIn = { session: { ...session, version: 1 }, user };
      const { cookieDigest, sid } = session;
      for (const asked of [{ cookieDigest }, { cookieDigest }, { sid }, { sid }])
        assert.deepEqual(await store.getSignIn(asked), signIn);
      assert.deepEqual(await store.getSignIn({ sid: cookieDigest }), nobody);
      assert.deepEqual(await store.getSignIn({ cookieDigest: sid }), nobody);
      const alone = await newSession(store);
      for (let reading = 0; reading < 2; reading += 1)
        assert.deepEqual(await store.getSignIn({ sid: alone.sid }), { session: alone, user: undefined });
    });

    on('a user whose id is no random one is found too', async ({ store }) => {
      const { user, session } = await addUsersGrant(store, 'ada');
      for (let reading = 0; reading < 2; reading += 1)
        assert.deepEqual((await store.getSignIn({ sid: session.sid })).user, user);
    });

    on('many who ask at once get each their own', async ({ store }) => {
      const added = await addUsersGrants(store, 30);
      const places = [...added.keys(), ...added.keys(), ...added.keys()];
      const signIns = await Promise.all(
        places.map((index, place) => {
          const { sid, cookieDigest } = added[index]!.session;
          if (index % 5 === 4) return store.getSignIn({ sid: nextId() });
          return store.getSignIn(place % 2 === 0 ? { sid } : { cookieDigest });
        }),
      );
      for (const [place, index] of places.entries()) {
        const { session, user } = added[index]!;
        assert.deepEqual(signIns[place], index % 5 === 4 ? nobody : { session: { ...session, version: 1 }, user });
      }
    });

    on('what another store changed is seen by the next reading', async ({ store, another }) => {
      const other = await another();
      const { user, session } = await addUsersGrant(store);
      const { sid, cookieDigest } = session;
      const read = async () => {
        const [bySid, byCookie] = await Promise.all([store.getSignIn({ sid }), store.getSignIn({ cookieDigest })]);
        assert.deepEqual(bySid, byCookie);
        return bySid;
      };
      let expected: SessionRecord = { ...session, version: 1 };
      assert.deepEqual(await read(), { session: expected, user });

      const seen = { lastSeenAt: session.lastSeenAt + 40, ssoUntil: session.ssoUntil + 40 };
      await other.commit([{ change: 'touch-session', sid, ...seen }]);
      expected = { ...expected, ...seen };
      assert.deepEqual(await read(), { session: expected, user });

      await other.commit([{ change: 'put', kind: 'user', expect: 1, record: { ...user, disabled: true } }]);
      assert.deepEqual(await read(), { session: expected, user: { ...user, disabled: true, version: 2 } });

      const { authTime, amr, acr, origin, ssoIdle, endsAt } = session;
      const renewed = { ...seen, authTime: authTime + 9, amr: [...amr, 'otp'], acr, origin, ssoIdle, endsAt };
      await other.commit([
        { change: 'renew-session', sid, expect: 1, renewed: { ...renewed, cookieDigest: nextDigest() } },
      ]);
      assert.deepEqual(await store.getSignIn({ cookieDigest }), nobody);
      const inNewState = (await store.getSignIn({ sid })).session;
      assert.deepEqual([inNewState?.version, inNewState?.amr], [2, renewed.amr]);
      assert.deepEqual(await store.getSignIn({ cookieDigest }), nobody);

      await other.commit([{ change: 'remove', kind: 'user', id: user.userId, expect: 2 }]);
      assert.equal((await store.getSignIn({ sid })).user, undefined);
      await other.commit([endSessions({ sid })]);
      const ended = (await store.getSignIn({ sid })).session;
      assert.deepEqual([ended?.version, ended?.endReason], [3, sampleEnding().reason]);
    });

    on('a session that was swept is nobody, also when another has come in its place', async ({ store }) => {
      const gone = await newSession(store);
      assert.equal((await store.getSignIn({ sid: gone.sid })).session?.sid, gone.sid);
      await committed(store, [endSessions({ sid: gone.sid })]);
      const swept = await store.sweep({ now: now + 5000, endedBefore: now + 5000, eventsBefore: 0, limit: 9 });
      assert.equal(swept.sessions, 1);
      const next = await newSession(store);
      for (const asked of [{ sid: gone.sid }, { cookieDigest: gone.cookieDigest }])
        assert.deepEqual(await store.getSignIn(asked), { session: undefined, user: undefined });
      assert.deepEqual((await store.getSignIn({ sid: next.sid })).session, next);
    });
  });

  describe(`${name}: endings`, together, () => {
    on('ending a session ends the grants bound to it and tells of both in one event', async ({ store }) => {
      const session = await newSession(store);
      const bound = [
        await newGrant(store, session, { resources: ['https://b.example', 'https://a.example'] }),
        await newGrant(store, session, { resources: ['https://b.example'] }),
      ];
      const offline = await newGrant(store, session, { kind: 'offline', resources: ['https://c.example'] });
      const gone = await newGrant(store, session, { resources: ['https://d.example'] });
      const bystander = await newGrant(store, await newSession(store, { userId: session.userId }));
      await committed(store, [endGrants({ grantId: gone.grantId })]);
      const before = await store.position();

      const ending = sampleEnding({ reason: 'user_signed_out', data: { why: 'button' } });
      const ended = await committed(store, [endSessions({ sid: session.sid }, false, ending)]);
      assert.deepEqual(ended, { sids: [session.sid], grantIds: bound.map((grant) => grant.grantId) });
      assert.deepEqual(await store.getSession(session.sid), {
        ...session,
        version: 2,
        endedAt: ending.at,
        endReason: 'user_signed_out',
      });
      const stored = await store.getGrant(bound[0]!.grantId);
      assert.deepEqual(stored, { ...bound[0]!, endedAt: ending.at, endReason: 'user_signed_out' });
      assert.equal((await store.getGrant(offline.grantId))?.endedAt, null);
      assert.equal((await store.getGrant(bystander.grantId))?.endedAt, null);
      assert.deepEqual(await store.readEvents({ afterPosition: before.position, limit: 9 }), [
        {
          position: before.position + 1,
          type: 'session.ended',
          at: ending.at,
          actor: ending.actor,
          userId: session.userId,
          sid: session.sid,
          data: {
            why: 'button',
            reason: 'user_signed_out',
            grants: bound.map((grant) => grant.grantId),
            grantCount: 2,
            endsAt: session.endsAt,
          },
          audiences: ['https://a.example', 'https://b.example'],
          until: ending.until,
        },
      ]);
    });

    on('with offline, the other grants end too, each with an event of its own', async ({ store }) => {
      const session = await newSession(store);
      const bound = await newGrant(store, session);
      const offline = await newGrant(store, session, {
        kind: 'offline',
        clientId: 'cli',
        resources: ['https://c.example'],
      });
      const ending = sampleEnding({ reason: 'refresh_reused' });
      const ended = await committed(store, [endSessions({ sid: session.sid }, true, ending)]);
      assert.deepEqual(ended, { sids: [session.sid], grantIds: [bound.grantId, offline.grantId] });
      const events = await store.readEvents({ limit: 9 });
      assert.deepEqual(
        events.map((event) => event.type),
        ['session.ended', 'grant.ended'],
      );
      assert.deepEqual(events[0]!.data?.grants, [bound.grantId]);
      assert.deepEqual(events[1], {
        position: 2,
        type: 'grant.ended',
        at: ending.at,
        actor: ending.actor,
        userId: session.userId,
        sid: session.sid,
        grantId: offline.grantId,
        clientId: 'cli',
        data: { reason: 'refresh_reused', endsAt: offline.endsAt },
        audiences: ['https://c.example'],
        until: ending.until,
      });
    });

    on(
      'a grant that names no resources is told to every audience, a session without grants to none',
      async ({ store }) => {
        const [empty, open] = [await newSession(store), await newSession(store)];
        await newGrant(store, open, { resources: [] });
        await newGrant(store, open, { resources: ['https://a.example'] });
        await committed(store, [endSessions({ sid: empty.sid }), endSessions({ sid: open.sid })]);
        const events = await store.readEvents({ limit: 9 });
        assert.deepEqual(
          events.map((event) => event.audiences),
          [[], null],
        );
      },
    );

    on('an event names at most 100 grants and counts all', async ({ store }) => {
      const session = await newSession(store);
      const grants = times(103, () => sampleGrant(session));
      await committed(
        store,
        grants.map((grant) => ({ change: 'create-grant', grant })),
      );
      const ended = await committed(store, [endSessions({ sid: session.sid })]);
      assert.equal(ended.grantIds.length, 103);
      const [event] = await store.readEvents({ limit: 1 });
      assert.equal(event?.data?.grantCount, 103);
      assert.deepEqual(
        event?.data?.grants,
        grants.slice(0, 100).map((grant) => grant.grantId),
      );
    });

    on('signing a user out everywhere spares other users and the session it was asked from', async ({ store }) => {
      const userId = nextId();
      const [here, there] = [await newSession(store, { userId }), await newSession(store, { userId })];
      const stranger = await newSession(store);
      const kept = await newGrant(store, here, { kind: 'offline' });
      const lost = [await newGrant(store, there), await newGrant(store, there, { kind: 'offline' })];
      const ended = await committed(store, [endSessions({ userId, exceptSid: here.sid }, true)]);
      assert.deepEqual(ended, { sids: [there.sid], grantIds: lost.map((grant) => grant.grantId) });
      assert.equal((await store.getSession(here.sid))?.endedAt, null);
      assert.equal((await store.getGrant(kept.grantId))?.endedAt, null);
      assert.equal((await store.getSession(stranger.sid))?.endedAt, null);
      assert.deepEqual(await committed(store, [endSessions({ userId }, true)]), {
        sids: [here.sid],
        grantIds: [kept.grantId],
      });
    });

    on('a grant that outlived its session ends with offline, and not without', async ({ store }) => {
      const session = await newSession(store);
      const { grantId } = await newGrant(store, session, { kind: 'offline' });
      await committed(store, [endSessions({ sid: session.sid })]);
      await committed(store, [rotate({ grantId }, 1)]);
      const nothing = { sids: [], grantIds: [] };
      assert.deepEqual(await committed(store, [endSessions({ userId: session.userId })]), nothing);
      const only = { sids: [], grantIds: [grantId] };
      assert.deepEqual(await committed(store, [endSessions({ userId: session.userId }, true)]), only);
      assert.deepEqual(
        (await store.readEvents({ limit: 9 })).map((event) => event.type),
        ['session.ended', 'grant.ended'],
      );

      const other = await newSession(store);
      const outlived = await newGrant(store, other, { kind: 'offline' });
      await committed(store, [endSessions({ sid: other.sid })]);
      const late = await committed(store, [endSessions({ sid: other.sid }, true)]);
      assert.deepEqual(late, { sids: [], grantIds: [outlived.grantId] });
    });

    on('ending a version of a session leaves one that was renewed since alone', async ({ store }) => {
      const session = await newSession(store);
      const { authTime, amr, acr, lastSeenAt, ssoIdle, ssoUntil, endsAt } = session;
      const renewed = { cookieDigest: nextDigest(), authTime, amr, acr, origin, lastSeenAt, ssoIdle, ssoUntil, endsAt };
      const before = (await store.getSession(session.sid))?.version ?? 0;
      await committed(store, [{ change: 'renew-session', sid: session.sid, expect: before, renewed }]);
      const { grantId } = await newGrant(store, session, { kind: 'offline' });
      await committed(store, [endSessions({ sid: session.sid, version: before }, true)]);
      assert.equal((await store.getSession(session.sid))?.endedAt, null);
      assert.equal((await store.getGrant(grantId))?.endedAt, null);
      await committed(store, [endSessions({ sid: session.sid, version: before + 1 })]);
      assert.notEqual((await store.getSession(session.sid))?.endedAt, null);
    });

    on('what has ended stays as it ended, without another event', async ({ store }) => {
      const session = await newSession(store);
      const grant = await newGrant(store, session);
      await committed(store, [endSessions({ sid: session.sid }, true)]);
      const first = [await store.getSession(session.sid), await store.getGrant(grant.grantId), await store.position()];
      const again = sampleEnding({ reason: 'expired', at: now + 9999 });
      const ended = await committed(store, [
        endSessions({ sid: session.sid }, true, again),
        endSessions({ userId: session.userId }, true, again),
        endSessions({ sid: nextId() }, true, again),
        endGrants({ grantId: grant.grantId }, again),
        endGrants({ grantId: nextId() }, again),
      ]);
      assert.deepEqual(ended, { sids: [], grantIds: [] });
      assert.deepEqual(
        [await store.getSession(session.sid), await store.getGrant(grant.grantId), await store.position()],
        first,
      );
    });

    on('grants end by id, by session, and by user and client', async ({ store }) => {
      const userId = nextId();
      const [one, two] = [await newSession(store, { userId }), await newSession(store, { userId })];
      const a = await newGrant(store, one, { clientId: 'web' });
      const b = await newGrant(store, one, { clientId: 'cli', kind: 'offline' });
      const c = await newGrant(store, two, { clientId: 'cli' });
      const d = await newGrant(store, two, { clientId: 'web' });
      const e = await newGrant(store, await newSession(store), { clientId: 'cli' });
      const end = (where: Parameters<typeof endGrants>[0]) => committed(store, [endGrants(where)]);
      assert.deepEqual((await end({ grantId: a.grantId })).grantIds, [a.grantId]);
      assert.deepEqual((await end({ userId, clientId: 'cli' })).grantIds, [b.grantId, c.grantId]);
      assert.deepEqual((await end({ sid: two.sid })).grantIds, [d.grantId]);
      assert.equal((await store.getGrant(e.grantId))?.endedAt, null);
      assert.equal((await store.getSession(two.sid))?.endedAt, null);
      const events = await store.readEvents({ limit: 9 });
      assert.deepEqual(
        events.map((event) => [event.type, event.grantId]),
        [
          ['grant.ended', a.grantId],
          ['grant.ended', b.grantId],
          ['grant.ended', c.grantId],
          ['grant.ended', d.grantId],
        ],
      );
    });

    on('RFC 7009 2.1: asked with its client and secret, a grant ends only for who has both', async ({ store }) => {
      const session = await newSession(store);
      const grant = await newGrant(store, session, { clientId: nextId() });
      const { grantId, clientId } = grant;
      const secretDigest = grant.secretDigest!;
      const other = await newGrant(store, session, { clientId: 'cli' });
      const end = async (proof: { clientId: string; secretDigest: string }, beside: Change[] = []) =>
        (await committed(store, [...beside, endGrants({ grantId, proof })])).grantIds;
      // An ending that is all of its commit may go another way than one beside other changes.
      for (const beside of [[], [{ change: 'empty-bucket', key: 'any' } as const]]) {
        assert.deepEqual(await end({ clientId: 'cli', secretDigest }, beside), []);
        assert.deepEqual(await end({ clientId, secretDigest: other.secretDigest! }, beside), []);
        assert.deepEqual(await end({ clientId: '', secretDigest: '' }, beside), []);
      }
      assert.deepEqual(await store.getGrant(grantId), grant);
      assert.deepEqual(await store.readEvents({ limit: 9 }), []);
      assert.deepEqual(await end({ clientId, secretDigest }), [grantId]);
      assert.deepEqual(await end({ clientId, secretDigest }), []);
      assert.equal((await store.readEvents({ limit: 9 })).length, 1);
      assert.equal((await store.getGrant(other.grantId))?.endedAt, null);
    });

    on(
      'the log tells of an ending after what was committed before it, and the commit says where',
      async ({ store, another }) => {
        const other = await another();
        const session = await newSession(store);
        const [a, b] = [await newGrant(store, session), await newGrant(store, session)];
        await store.commit([], [started(session.sid), started(session.sid)]);
        await other.commit([], [started(session.sid)]);
        const results = [
          await store.commit([endGrants({ grantId: a.grantId })]),
          await other.commit([endGrants({ grantId: b.grantId })]),
        ];
        const events = await store.readEvents({ limit: 9 });
        assert.deepEqual(
          events.map(({ position, grantId }) => [position, grantId]),
          [
            [1, undefined],
            [2, undefined],
            [3, undefined],
            [4, a.grantId],
            [5, b.grantId],
          ],
        );
        const { epoch } = await store.position();
        for (const [index, result] of results.entries())
          assert.deepEqual(result, {
            outcome: 'committed',
            ended: { sids: [], grantIds: [[a, b][index]!.grantId] },
            appended: { epoch, events: [events[3 + index]] },
          });
      },
    );

    on('commits that end many grants at once end each once, in whatever company', async ({ store, another }) => {
      const session = await newSession(store);
      const grants: GrantRecord[] = [];
      for (let index = 0; index < 12; index += 1) {
        grants.push(
          await newGrant(store, session, {
            resources: index % 2 === 0 ? [] : ['https://b.example', 'https://a.example'],
          }),
        );
      }
      const stores = [store, await another()];
      const proofOf = ({ clientId, secretDigest }: GrantRecord) => ({ clientId, secretDigest: secretDigest! });
      // Each grant three times: rightly by either, and wrongly.
      const asked = grants.flatMap((grant) => [
        { grantId: grant.grantId, proof: proofOf(grant) },
        { grantId: grant.grantId },
        { grantId: grant.grantId, proof: { ...proofOf(grant), clientId: 'other' } },
      ]);
      const ended = await Promise.all(
        asked.map(async (where, index) => (await committed(stores[index % 2]!, [endGrants(where)])).grantIds),
      );
      assert.deepEqual(ended.flat().sort(), grants.map(({ grantId }) => grantId).sort());
      assert.ok(ended.every((_, index) => index % 3 !== 2 || ended[index]!.length === 0));
      const events = await store.readEvents({ limit: 99 });
      assert.deepEqual(
        events.map(({ position }) => position),
        grants.map((_, index) => index + 1),
      );
      for (const grant of grants) {
        const event = events.find(({ grantId }) => grantId === grant.grantId);
        assert.deepEqual(
          event?.audiences,
          grant.resources.length === 0 ? null : ['https://a.example', 'https://b.example'],
        );
        assert.deepEqual(event?.data, { reason: sampleEnding().reason, endsAt: grant.endsAt });
        assert.equal((await store.getGrant(grant.grantId))?.endedAt, sampleEnding().at);
      }
    });
  });

  describe(`${name}: commits`, together, () => {
    on('a conflict undoes the whole commit, endings and events included, and says which change', async ({ store }) => {
      const session = await newSession(store);
      const grant = await newGrant(store, session);
      const setting = sampleSetting();
      const before = await store.position();
      const result = await store.commit(
        [
          { change: 'put', kind: 'setting', expect: 'absent', record: setting },
          rotate(grant, 1),
          { change: 'fill-bucket', key: 'k', add: 1, leakPerSecond: 1, at: now },
          endSessions({ sid: session.sid }, true),
          { change: 'remember', key: 'once', now, until: now + 60 },
          rotate(grant, 7),
          { change: 'check', kind: 'setting', id: 'nothing', expect: 1 },
        ],
        [started(session.sid)],
      );
      assert.deepEqual(result, { outcome: 'conflict', change: 5 });
      assert.equal(await store.get('setting', setting.name), undefined);
      assert.deepEqual(await store.getGrant(grant.grantId), grant);
      assert.deepEqual(await store.getSession(session.sid), session);
      assert.deepEqual(await store.getBuckets(['k']), []);
      assert.equal(await store.isRemembered('once', now), false);
      assert.deepEqual(await store.position(), before);
    });

    on('changes of one commit see each other, in their order', async ({ store }) => {
      const session = sampleSession();
      const grant = sampleGrant(session);
      await committed(store, [
        { change: 'create-session', session },
        { change: 'create-grant', grant },
        rotate(grant, 1),
        rotate(grant, 2),
      ]);
      assert.equal((await store.getGrant(grant.grantId))?.generation, 3);
      const late = sampleGrant(session);
      const result = await store.commit([endSessions({ sid: session.sid }), { change: 'create-grant', grant: late }]);
      assert.deepEqual(result, { outcome: 'conflict', change: 1 });
      assert.equal((await store.getSession(session.sid))?.endedAt, null);
    });

    on('one grant twice at once: the first rotates, the second conflicts', async ({ store }) => {
      const grant = await newGrant(store, await newSession(store));
      const results = await Promise.all([store.commit([rotate(grant, 1)]), store.commit([rotate(grant, 1)])]);
      assert.deepEqual(results, [nothingEnded, { outcome: 'conflict', change: 0 }]);
    });

    on('commits that wait together are written in the order they were asked for', async ({ store }) => {
      const grant = await newGrant(store, await newSession(store));
      const results = await Promise.all(times(40, (index) => store.commit([rotate(grant, index + 1)])));
      assert.equal(countCommitted(results), 40);
      assert.equal((await store.getGrant(grant.grantId))?.generation, 41);
    });

    on('a commit that cannot be written fails alone, wherever it stands in its batch', async ({ store }) => {
      const session = await newSession(store);
      const grants = await inOrder(12, () => newGrant(store, session));
      const noTime: NewEvent = { ...started(session.sid), at: Number.NaN };
      const notJson = sampleSetting({ value: 1n });
      const poisoned = [2, 5, 9];
      const outcomes = await Promise.allSettled(
        grants.map((grant, index) => {
          if (index === 2) return store.commit([rotate(grant, 1)], [started(session.sid), noTime]);
          if (index === 5) return store.commit([rotate(grant, 1, { at: Number.NaN })]);
          if (index === 9) {
            return store.commit([
              rotate(grant, 1),
              { change: 'put', kind: 'setting', expect: 'absent', record: notJson },
            ]);
          }
          return store.commit([rotate(grant, 1)], [started(session.sid)]);
        }),
      );
      for (const [index, outcome] of outcomes.entries()) {
        assert.equal(outcome.status, poisoned.includes(index) ? 'rejected' : 'fulfilled', `commit ${index}`);
        if (outcome.status === 'rejected') assert.notEqual(outcome.reason.code, 'store_unavailable');
        const generation = (await store.getGrant(grants[index]!.grantId))?.generation;
        assert.equal(generation, poisoned.includes(index) ? 1 : 2, `grant ${index}`);
      }
      const events = await store.readEvents({ limit: 99 });
      assert.deepEqual(
        events.map((event) => event.position),
        times(9, (index) => index + 1),
      );
      await committed(store, [rotate(grants[2]!, 1)]);
    });

    on(
      'grants and endings that cannot be written to their end fail alone, and what waited beside them stands',
      async ({ store }) => {
        const session = await newSession(store);
        const ended = await newSession(store);
        const noTime: NewEvent = { ...started(session.sid), at: Number.NaN };
        const grants = times(8, (index) => sampleGrant(session, index === 3 ? { uses: Number.NaN } : {}));
        const poisoned = [3, 5];
        const refused = assert.rejects(store.commit([endSessions({ sid: ended.sid })], [noTime]), TypeError);
        const outcomes = await Promise.allSettled(
          grants.map((grant, index) =>
            store.commit([{ change: 'create-grant', grant }], [index === 5 ? noTime : started(session.sid)]),
          ),
        );
        await refused;
        assert.equal((await store.getSession(ended.sid))?.endedAt, null);
        for (const [index, outcome] of outcomes.entries()) {
          const isPoisoned = poisoned.includes(index);
          assert.equal(outcome.status, isPoisoned ? 'rejected' : 'fulfilled', `commit ${index}`);
          assert.deepEqual(
            await store.getGrant(grants[index]!.grantId),
            isPoisoned ? undefined : grants[index],
            `grant ${index}`,
          );
        }
        const { items } = await store.listGrants({ sid: session.sid, now }, { limit: 99 });
        assert.equal(items.length, 6);
        const events = await store.readEvents({ limit: 99 });
        assert.deepEqual(
          events.map((event) => event.position),
          times(6, (index) => index + 1),
        );
      },
    );

    on('of a change that cannot be written nothing stays', async ({ store }) => {
      const session = await newSession(store);
      const grant = await newGrant(store, session);
      const noTime = sampleEnding({ at: Number.NaN });
      await assert.rejects(store.commit([endSessions({ sid: session.sid }, true, noTime)]), TypeError);
      assert.deepEqual(await store.getSession(session.sid), session);
      assert.deepEqual(await store.getGrant(grant.grantId), grant);
      const other = await newSession(store);
      const noCount = sampleGrant(other, { uses: Number.NaN });
      await assert.rejects(store.commit([{ change: 'create-grant', grant: noCount }]), TypeError);
      await committed(store, [endSessions({ sid: other.sid })]);
      const swept = await store.sweep({ now, endedBefore: now + 999, eventsBefore: 0, limit: 9 });
      assert.equal(swept.sessions, 1, 'no grant holds it back');
    });

    on('a commit may be empty, or events alone', async ({ store }) => {
      assert.deepEqual(await store.commit([]), nothingEnded);
      const { appended: _told, ...result } = { appended: undefined, ...(await store.commit([], [started('s')])) };
      assert.deepEqual(result, nothingEnded);
      assert.equal((await store.position()).position, 1);
    });

    on('what one store committed another sees at once', async ({ store, another }) => {
      const other = await another();
      for (let round = 0; round < 10; round += 1) {
        const session = await newSession(store);
        assert.deepEqual(await other.getSession(session.sid), session);
        const back = await newSession(other);
        assert.deepEqual(await store.getSession(back.sid), back);
      }
    });

    on('50 rotations of one generation from two stores: one wins', async ({ store, another }) => {
      const stores = [store, await another()];
      const grant = await newGrant(store, await newSession(store));
      for (let generation = 1; generation <= 5; generation += 1) {
        const results = await Promise.all(times(50, (index) => stores[index % 2]!.commit([rotate(grant, generation)])));
        assert.equal(countCommitted(results), 1);
      }
      const stored = await store.getGrant(grant.grantId);
      assert.deepEqual([stored?.generation, stored?.uses], [6, 5]);
    });

    on(
      'many grants rotated from two stores while they end: each rotates once a generation, and never after its end',
      async ({ store, another }) => {
        const stores = [store, await another()];
        const session = await newSession(store);
        const grants = times(24, () => sampleGrant(session));
        await committed(
          store,
          grants.map((grant) => ({ change: 'create-grant', grant })),
        );
        const rotations = new Map(grants.map(({ grantId }) => [grantId, 0]));
        const ended = new Set<string>();
        for (let generation = 1; generation <= 8; generation += 1) {
          // Each store has them in another order.
          const racing = stores.flatMap((one, index) =>
            (index === 0 ? grants : grants.toReversed()).map(async (grant) => {
              const mayRotate = !ended.has(grant.grantId);
              const result = await one.commit([rotate(grant, generation)]);
              if (result.outcome === 'conflict') return;
              assert.ok(mayRotate, 'rotated after its end');
              rotations.set(grant.grantId, rotations.get(grant.grantId)! + 1);
            }),
          );
          const ending = grants.slice((generation - 1) * 3, generation * 3).map(async ({ grantId }, index) => {
            const { grantIds } = await committed(stores[index % 2]!, [endGrants({ grantId })]);
            assert.deepEqual(grantIds, [grantId]);
            ended.add(grantId);
          });
          await Promise.all([...racing, ...ending]);
        }
        for (const { grantId } of grants) {
          const stored = await store.getGrant(grantId);
          assert.equal(stored?.endReason, sampleEnding().reason);
          assert.deepEqual([stored?.generation, stored?.uses], [rotations.get(grantId)! + 1, rotations.get(grantId)]);
        }
        const told = await store.readEvents({ types: ['grant.ended'], limit: 100 });
        assert.deepEqual(told.map((event) => event.grantId).sort(), grants.map(({ grantId }) => grantId).sort());
      },
    );

    on(
      'rotations that come with a proof: each proof works once, whoever brings it, and a spent one rotates nothing',
      async ({ store, another }) => {
        const stores = [store, await another()];
        const session = await newSession(store);
        const grants = times(12, () => sampleGrant(session));
        await committed(
          store,
          grants.map((grant) => ({ change: 'create-grant', grant })),
        );
        const proof = (key: string, at = now): Change => ({
          change: 'remember',
          key,
          now: at,
          until: at + 60,
          from: origin,
        });
        // Two grants with one proof, and the same again at the other store.
        const racing = stores.flatMap((one) =>
          grants.map(async (grant, index) => ({
            index,
            result: await one.commit([proof(`proof:${index >> 1}`), rotate(grant, 1)]),
          })),
        );
        const won = (await Promise.all(racing)).filter(({ result }) => result.outcome === 'committed');
        assert.deepEqual(
          won.map(({ index }) => index >> 1).sort((a, b) => a - b),
          times(6, (index) => index),
        );
        for (const [index, grant] of grants.entries()) {
          const hasWon = won.some((one) => one.index === index);
          assert.equal((await store.getGrant(grant.grantId))?.generation, hasWon ? 2 : 1);
        }
        assert.deepEqual(await store.rememberedFrom('proof:0', now), origin);

        const { grantId } = grants[won[0]!.index]!;
        assert.deepEqual(await store.commit([proof('proof:0'), rotate({ grantId }, 2)]), {
          outcome: 'conflict',
          change: 0,
        });
        assert.deepEqual(await store.commit([proof('proof:new'), rotate({ grantId }, 1)]), {
          outcome: 'conflict',
          change: 1,
        });
        assert.equal(await store.isRemembered('proof:new', now), false);
        // Lapsed, it is as good as a new one.
        await committed(store, [proof('proof:0', now + 60), rotate({ grantId }, 2, { at: now + 60 })]);
        assert.equal(await store.isRemembered('proof:0', now + 119), true);
      },
    );

    on(
      'a proof that is still remembered rotates nothing, also beside one that came when it had lapsed',
      async ({ store }) => {
        const session = await newSession(store);
        const [early, late] = [sampleGrant(session), sampleGrant(session)];
        await committed(store, [
          { change: 'create-grant', grant: early },
          { change: 'create-grant', grant: late },
          { change: 'remember', key: 'proof:spent', now, until: now + 5 },
        ]);
        const use = (grant: GrantRecord, key: string, at: number) =>
          store.commit([{ change: 'remember', key, now: at, until: at + 60 }, rotate(grant, 1, { at })]);
        const results = await Promise.all([use(early, 'proof:spent', now + 4), use(late, 'proof:late', now + 6)]);
        assert.deepEqual(results, [{ outcome: 'conflict', change: 0 }, nothingEnded]);
        assert.equal((await store.getGrant(early.grantId))?.generation, 1);
      },
    );

    on('a grant created, used and ended in one commit is left ended, and told of', async ({ store }) => {
      const session = await newSession(store);
      const grant = sampleGrant(session);
      const { grantIds } = await committed(store, [
        { change: 'create-grant', grant },
        rotate(grant, 1),
        endGrants({ grantId: grant.grantId }),
        endGrants({ grantId: grant.grantId }),
      ]);
      assert.deepEqual(grantIds, [grant.grantId]);
      const { at, reason } = sampleEnding();
      const stored = await store.getGrant(grant.grantId);
      assert.deepEqual([stored?.generation, stored?.endedAt, stored?.endReason], [2, at, reason]);
      await conflicts(store, [endGrants({ grantId: grant.grantId }), rotate(grant, 2)]);
      const told = await store.readEvents({ grantId: grant.grantId, limit: 9 });
      assert.deepEqual(
        told.map((event) => event.type),
        ['grant.ended'],
      );
    });

    on('an ending that a later change of its commit undoes has not happened', async ({ store }) => {
      const grant = await newGrant(store, await newSession(store));
      const other = await newGrant(store, await newSession(store));
      const results = await Promise.all([
        store.commit([endGrants({ grantId: grant.grantId }), rotate(grant, 1)]),
        store.commit([rotate(other, 1)]),
      ]);
      assert.deepEqual(results, [{ outcome: 'conflict', change: 1 }, nothingEnded]);
      assert.equal((await store.getGrant(grant.grantId))?.endedAt, null);
      assert.deepEqual(await store.readEvents({ grantId: grant.grantId, limit: 9 }), []);
    });

    on('no grant lives under a session that ended while it was created', async ({ store, another }) => {
      const other = await another();
      for (let round = 0; round < 40; round += 1) {
        const session = await newSession(store);
        const grants = times(6, () => sampleGrant(session));
        const creations = grants.map((grant, index) =>
          (index % 2 === 0 ? store : other).commit([{ change: 'create-grant', grant }]),
        );
        // Before, between and after the creations, by either store.
        const end = endSessions(round % 2 === 0 ? { sid: session.sid } : { userId: session.userId });
        const ending = (round % 4 < 2 ? store : other).commit([end]);
        const results = await Promise.all(creations);
        const result = await ending;
        assert.equal(result.outcome, 'committed');
        const ended = result.outcome === 'committed' ? result.ended.grantIds : [];
        for (const [index, grant] of grants.entries()) {
          const stored = await store.getGrant(grant.grantId);
          const created = results[index]!.outcome === 'committed';
          assert.equal(stored !== undefined, created);
          if (created) assert.equal(stored?.endReason, 'admin', `round ${round}, grant ${index}`);
          assert.equal(ended.includes(grant.grantId), created);
        }
      }
    });

    on(
      'grants that two stores create at once are created once, with the events of who did',
      async ({ store, another }) => {
        const stores = [store, await another()];
        for (let round = 0; round < 6; round += 1) {
          const sessions = [await newSession(store), await newSession(store), await newSession(store)];
          const over = sessions[2]!;
          await committed(store, [endSessions({ sid: over.sid })]);
          const grants = times(12, (index) => sampleGrant(sessions[index % 3]!));
          // Each store creates all of them, one from the first on, the other from the last.
          const created = await Promise.all(
            stores.flatMap((one, by) =>
              (by === 0 ? grants : grants.toReversed()).map(async (grant) => {
                const told = { ...started(grant.sid), grantId: grant.grantId, data: { by } };
                const { outcome } = await one.commit([{ change: 'create-grant', grant }], [told, told]);
                return { grantId: grant.grantId, by, outcome };
              }),
            ),
          );
          for (const { grantId, sid } of grants) {
            const winners = created.filter((one) => one.grantId === grantId && one.outcome === 'committed');
            const events = await store.readEvents({ grantId, limit: 9 });
            assert.equal(winners.length, sid === over.sid ? 0 : 1);
            assert.deepEqual(
              events.map(({ data }) => data),
              winners.flatMap(({ by }) => [{ by }, { by }]),
            );
            assert.equal((await store.getGrant(grantId))?.grantId, winners[0]?.grantId);
          }
        }
      },
    );

    on('a session that two stores end at once ends once', async ({ store, another }) => {
      const other = await another();
      for (let round = 0; round < 10; round += 1) {
        const session = await newSession(store);
        const { grantId } = await newGrant(store, session);
        const results = await Promise.all(
          times(8, (index) => (index % 2 === 0 ? store : other).commit([endSessions({ sid: session.sid })])),
        );
        const ended = results.flatMap((result) => (result.outcome === 'committed' ? result.ended.grantIds : []));
        assert.deepEqual(ended, [grantId]);
        assert.equal((await store.readEvents({ sid: session.sid, limit: 9 })).length, 1);
      }
    });
  });

  describe(`${name}: events`, together, () => {
    on('an event comes back as it was appended, absent fields absent', async ({ store }) => {
      const full: NewEvent = {
        type: 'grant.ended',
        at: now,
        actor: { kind: 'admin', clientId: 'console', userId: 'root' },
        userId: nextId(),
        sid: nextId(),
        grantId: nextId(),
        clientId: 'web',
        data: { from: origin, list: [1, null] },
        audiences: ['https://a.example'],
        until: now + 900,
      };
      const everybody: NewEvent = { type: 'client.epoch_raised', at: now, actor: { kind: 'server' }, audiences: null };
      const result = await store.commit([], [full, everybody, started('s')]);
      const events = await store.readEvents({ limit: 9 });
      assert.deepEqual(events, [
        { position: 1, ...full },
        { position: 2, ...everybody },
        { position: 3, ...started('s') },
      ]);
      // An engine that tells of them without being asked tells the same.
      if (result.outcome === 'committed' && result.appended !== undefined)
        assert.deepEqual(result.appended, { epoch: (await store.position()).epoch, events });
    });

    on("the caller's events come first, then what its endings brought about, change by change", async ({ store }) => {
      const [one, two] = [await newSession(store), await newSession(store)];
      const offline = await newGrant(store, one, { kind: 'offline' });
      const changes = [endSessions({ sid: two.sid }), endSessions({ sid: one.sid }, true)];
      await store.commit(changes, [{ type: 'refresh.reused', at: now, actor: { kind: 'server' }, sid: one.sid }]);
      const events = await store.readEvents({ limit: 9 });
      assert.deepEqual(
        events.map((event) => [event.position, event.type, event.grantId ?? event.sid]),
        [
          [1, 'refresh.reused', one.sid],
          [2, 'session.ended', two.sid],
          [3, 'session.ended', one.sid],
          [4, 'grant.ended', offline.grantId],
        ],
      );
    });

    on('positions are dense and in the order of commits, with two stores appending', async ({ store, another }) => {
      const stores = [store, await another()];
      const grants = await inOrder(2, async () => newGrant(store, await newSession(store)));
      await Promise.all(
        times(60, (index) => {
          const grant = grants[index % 2]!;
          const expect = index % 3 === 0 ? 99 : 1;
          const events = [started(`first-${index}`), started(`second-${index}`)];
          // A third of them conflicts, and takes no position.
          const changes: Change[] = index % 3 === 0 ? [rotate(grant, expect)] : [];
          return stores[index % 2]!.commit(changes, events);
        }),
      );
      const events = await store.readEvents({ limit: 999 });
      assert.deepEqual(
        events.map((event) => event.position),
        times(80, (index) => index + 1),
      );
      for (let index = 0; index < events.length; index += 2) {
        assert.equal(
          events[index]!.sid?.replace('first', 'second'),
          events[index + 1]!.sid,
          'one commit, side by side',
        );
      }
      assert.equal((await stores[1]!.position()).position, 80);
      assert.equal((await stores[1]!.position()).epoch, (await store.position()).epoch);
    });

    on('a reader that follows positions never sees a gap', async ({ store, another }) => {
      const other = await another();
      const seen: number[] = [];
      let writing = true;
      const follow = async () => {
        while (writing || seen.length < (await other.position()).position) {
          const events = await other.readEvents({ afterPosition: seen.at(-1) ?? 0, limit: 7 });
          seen.push(...events.map((event) => event.position));
          await delay(1);
        }
      };
      const following = follow();
      await Promise.all(times(100, (index) => store.commit([], [started(`s${index}`)])));
      writing = false;
      await following;
      assert.deepEqual(
        seen,
        times(100, (index) => index + 1),
      );
    });

    on('events are filtered by what they concern, by type, time and position, either way round', async ({ store }) => {
      const about = { userId: 'u1', sid: 's1', grantId: 'g1', clientId: 'c1' };
      const events: NewEvent[] = [
        { type: 'session.started', at: now, actor: { kind: 'server' }, userId: 'u1', sid: 's1' },
        { type: 'grant.started', at: now + 1, actor: { kind: 'server' }, ...about },
        { type: 'sign_in.failed', at: now + 2, actor: { kind: 'server' }, userId: 'u2' },
        { type: 'grant.ended', at: now + 3, actor: { kind: 'server' }, ...about, audiences: null, until: now + 100 },
        {
          type: 'session.ended',
          at: now + 4,
          actor: { kind: 'server' },
          userId: 'u1',
          sid: 's1',
          audiences: [],
          until: now + 200,
        },
        { type: 'client.changed', at: now + 5, actor: { kind: 'cli' }, clientId: 'c1' },
      ];
      await store.commit([], events);
      const cases: [Partial<EventFilter>, number[]][] = [
        [{}, [1, 2, 3, 4, 5, 6]],
        [{ newestFirst: true }, [6, 5, 4, 3, 2, 1]],
        [{ userId: 'u1' }, [1, 2, 4, 5]],
        [{ sid: 's1', newestFirst: true }, [5, 4, 2, 1]],
        [{ grantId: 'g1' }, [2, 4]],
        [{ clientId: 'c1' }, [2, 4, 6]],
        [{ userId: 'u1', clientId: 'c1' }, [2, 4]],
        [{ types: ['session.started', 'session.ended'] }, [1, 5]],
        [{ types: [] }, []],
        [{ from: now + 2, to: now + 4 }, [3, 4, 5]],
        [{ afterPosition: 2 }, [3, 4, 5, 6]],
        [{ beforePosition: 3, newestFirst: true }, [2, 1]],
        [{ afterPosition: 1, beforePosition: 5, userId: 'u1' }, [2, 4]],
        [{ afterPosition: 6 }, []],
        [{ mattersAt: now }, [4, 5]],
        [{ mattersAt: now + 100 }, [5]],
        [{ mattersAt: now + 200 }, []],
        [{ limit: 2 }, [1, 2]],
        [{ limit: 2, newestFirst: true }, [6, 5]],
        [{ limit: 1, userId: 'u1', afterPosition: 2 }, [4]],
      ];
      for (const [filter, expected] of cases) {
        const found = await store.readEvents({ limit: 99, ...filter });
        assert.deepEqual(
          found.map((event) => event.position),
          expected,
          JSON.stringify(filter),
        );
      }
    });

    on('long logs are read whole, in order', async ({ store }) => {
      const many = times(1000, (index) => started(`s${index % 3}`));
      for (let round = 0; round < 20; round += 1) await store.commit([], many);
      const all = await readAll(store, {});
      assert.deepEqual(
        all.map((event) => event.position),
        times(20_000, (index) => index + 1),
      );
      const backwards = await store.readEvents({ newestFirst: true, limit: 12_000 });
      assert.deepEqual(
        backwards.map((event) => event.position),
        times(12_000, (index) => 20_000 - index),
      );
      assert.equal((await readAll(store, { sid: 's2' })).length, 20 * 333);
      assert.deepEqual(await store.readEvents({ from: now + 1, limit: 1 }), []);
    });
  });

  describe(`${name}: what is remembered for a while`, together, () => {
    on('a key can be remembered once, until it lapses', async ({ store }) => {
      const remember = (at: number, until: number): Change[] => [{ change: 'remember', key: 'jti', now: at, until }];
      assert.equal(await store.isRemembered('jti', now), false);
      await committed(store, remember(now, now + 60));
      assert.equal(await store.isRemembered('jti', now + 59), true);
      assert.equal(await store.isRemembered('jti', now + 60), false);
      await conflicts(store, remember(now + 59, now + 500));
      await committed(store, remember(now + 60, now + 120));
      assert.equal(await store.isRemembered('jti', now + 119), true);
      await conflicts(store, [{ change: 'remember', key: 'k', now, until: now + 9 }, ...remember(now + 61, now + 99)]);
    });

    on('a remembered key tells where it was used first', async ({ store }) => {
      const first = { ip: '192.0.2.1', userAgent: 'first' };
      const change: Change = { change: 'remember', key: 'proof', now, until: now + 60, from: first };
      await committed(store, [change]);
      await conflicts(store, [{ ...change, from: { ip: '192.0.2.2', userAgent: 'second' } }]);
      assert.deepEqual(await store.rememberedFrom('proof', now), first);
      assert.equal(await store.rememberedFrom('proof', now + 60), undefined);
      assert.equal(await store.rememberedFrom('never', now), undefined);
    });

    on('of many that remember one key at once, one wins', async ({ store, another }) => {
      const stores = [store, await another()];
      for (let round = 0; round < 5; round += 1) {
        const change: Change = { change: 'remember', key: `code-${round}`, now, until: now + 60 };
        const results = await Promise.all(times(30, (index) => stores[index % 2]!.commit([change])));
        assert.equal(countCommitted(results), 1);
      }
    });

    on('a bucket fills, leaks with time, never below zero and never backwards', async ({ store }) => {
      const fill = (add: number, at: number, leakPerSecond = 0.5) =>
        committed(store, [{ change: 'fill-bucket', key: 'b', add, leakPerSecond, at }]);
      const bucket = async () => (await store.getBuckets(['b', 'none']))[0];
      await fill(3, now);
      assert.deepEqual(await bucket(), { key: 'b', level: 3, at: now, leakPerSecond: 0.5 });
      await fill(1, now + 2);
      assert.deepEqual(await bucket(), { key: 'b', level: 3, at: now + 2, leakPerSecond: 0.5 });
      await fill(1, now - 100);
      assert.deepEqual(await bucket(), { key: 'b', level: 4, at: now + 2, leakPerSecond: 0.5 });
      await fill(1, now + 1000, 2);
      assert.deepEqual(await bucket(), { key: 'b', level: 1, at: now + 1000, leakPerSecond: 2 });
      await fill(-5, now + 1000, 2);
      assert.equal((await bucket())?.level, 0);
      await committed(store, [
        { change: 'empty-bucket', key: 'b' },
        { change: 'empty-bucket', key: 'none' },
      ]);
      assert.equal(await bucket(), undefined);
    });

    on('buckets count every failure, also from two stores at once', async ({ store, another }) => {
      const stores = [store, await another()];
      const change: Change = { change: 'fill-bucket', key: 'b', add: 1, leakPerSecond: 0, at: now };
      await Promise.all(times(40, (index) => stores[index % 2]!.commit([change])));
      assert.equal((await store.getBuckets(['b']))[0]?.level, 40);
    });
  });

  describe(`${name}: lapsing and sweeping`, together, () => {
    on('findLapsed tells sessions and grants whose time is over, at the very second', async ({ store }) => {
      const alive = await newSession(store, { ssoUntil: now + 1000 });
      const over = await newSession(store, { endsAt: now + 100, ssoUntil: now + 1000 });
      const unused = await newSession(store, { ssoUntil: now + 100 });
      const carried = await newSession(store, { ssoUntil: now + 100 });
      await newGrant(store, carried, { kind: 'offline', idleAt: null, endsAt: now + 1000 });
      const left = await newSession(store, { ssoUntil: now + 100 });
      const idle = await newGrant(store, left, { idleAt: now + 100 });
      const ended = await newGrant(store, alive, { idleAt: now + 100 });
      const atEnd = await newGrant(store, alive, { idleAt: null, endsAt: now + 100 });
      await newGrant(store, alive, { idleAt: now + 101 });
      await committed(store, [endGrants({ grantId: ended.grantId })]);
      const early = await store.findLapsed(now + 99, 50);
      assert.deepEqual([early.sessions, early.grants], [[], []]);
      const { sessions, grants } = await store.findLapsed(now + 100, 50);
      assert.deepEqual(sessions.map((session) => session.sid).sort(), [over.sid, unused.sid, left.sid].sort());
      assert.deepEqual(grants.map((grant) => grant.grantId).sort(), [idle.grantId, atEnd.grantId].sort());
      assert.deepEqual(
        grants.find((grant) => grant.grantId === idle.grantId),
        idle,
      );
    });

    on('findLapsed in a loop reaches everything, whatever its limit', async ({ store }) => {
      const sessions = times(60, (index) => sampleSession({ ssoUntil: now + (index % 3 === 0 ? 10 : 9999) }));
      const grants = sessions.flatMap((session, index) =>
        times(3, (each) => sampleGrant(session, { idleAt: now + ((index + each) % 2 === 0 ? 10 : 9999) })),
      );
      await committed(store, [
        ...sessions.map((session): Change => ({ change: 'create-session', session })),
        ...grants.map((grant): Change => ({ change: 'create-grant', grant })),
      ]);
      const expected = grants.filter((grant) => grant.idleAt === now + 10).map((grant) => grant.grantId);
      const reached = new Set<string>();
      for (let found = await store.findLapsed(now + 10, 7); found.grants.length > 0; ) {
        assert.ok(found.grants.length <= 7);
        for (const grant of found.grants) reached.add(grant.grantId);
        await committed(
          store,
          found.grants.map((grant) => endGrants({ grantId: grant.grantId })),
        );
        // Lapsing goes on meanwhile: a grant the scan has passed must be found in the next round.
        found = await store.findLapsed(now + 10, 7);
      }
      assert.deepEqual([...reached].sort(), expected.sort());
      await committed(
        store,
        grants.map((grant) => endGrants({ grantId: grant.grantId })),
      );
      const closed = new Set<string>();
      for (let found = await store.findLapsed(now + 10, 7); found.sessions.length > 0; ) {
        for (const session of found.sessions) closed.add(session.sid);
        await committed(
          store,
          found.sessions.map((session) => endSessions({ sid: session.sid })),
        );
        found = await store.findLapsed(now + 10, 7);
      }
      assert.equal(closed.size, 20);
    });

    on('a grant that is used is found when its new limit comes, and not before', async ({ store }) => {
      const session = await newSession(store, { ssoUntil: now + 9000 });
      const rotated = await newGrant(store, session, { idleAt: now + 10 });
      const touched = await newGrant(store, session, { idleAt: now + 10 });
      for (let round = 1; round <= 3; round += 1) {
        const idleAt = now + 10 + round * 10;
        const touch = { change: 'touch-grant', grantId: touched.grantId, expect: 1, at: now, idleAt, origin } as const;
        await committed(store, [rotate(rotated, round, { idleAt }), touch]);
        assert.deepEqual(await lapsed(store, idleAt - 1), { sids: [], grantIds: [] });
      }
      // What was looked at and went on is found at the second its limit is over, and as often as asked while it has not ended.
      const both = [rotated.grantId, touched.grantId].sort();
      for (const at of [now + 40, now + 41]) assert.deepEqual(await lapsed(store, at), { sids: [], grantIds: both });
      await committed(store, [rotate(rotated, 4, { idleAt: now + 50 })]);
      assert.deepEqual((await lapsed(store, now + 42)).grantIds, [touched.grantId], 'used after it was found');
      await committed(store, [endGrants({ grantId: touched.grantId })]);
      assert.deepEqual((await lapsed(store, now + 49)).grantIds, []);
      assert.deepEqual((await lapsed(store, now + 50)).grantIds, [rotated.grantId]);
    });

    on('a grant without an idle limit is found at its end, one that ended never', async ({ store }) => {
      const session = await newSession(store, { ssoUntil: now + 9000 });
      const absolute = await newGrant(store, session, { idleAt: null, endsAt: now + 100 });
      const ended = await newGrant(store, session, { idleAt: now + 100 });
      await committed(store, [endGrants({ grantId: ended.grantId })]);
      assert.deepEqual((await lapsed(store, now + 99)).grantIds, []);
      assert.deepEqual((await lapsed(store, now + 100)).grantIds, [absolute.grantId]);
    });

    on('a session that is touched or renewed is found when its new time is over', async ({ store }) => {
      const touched = await newSession(store, { ssoUntil: now + 10 });
      const longer = await newSession(store, { ssoUntil: now + 10 });
      const shorter = await newSession(store, { ssoUntil: now + 500 });
      const renew = (session: SessionRecord, ssoUntil: number): Change => ({
        change: 'renew-session',
        sid: session.sid,
        expect: 1,
        renewed: { ...session, cookieDigest: nextDigest(), ssoUntil },
      });
      await committed(store, [
        { change: 'touch-session', sid: touched.sid, lastSeenAt: now + 5, ssoUntil: now + 30 },
        renew(longer, now + 40),
        renew(shorter, now + 20),
      ]);
      assert.deepEqual((await lapsed(store, now + 19)).sids, []);
      assert.deepEqual((await lapsed(store, now + 20)).sids, [shorter.sid]);
      assert.deepEqual((await lapsed(store, now + 29)).sids, [shorter.sid]);
      assert.deepEqual((await lapsed(store, now + 30)).sids, [shorter.sid, touched.sid].sort());
      assert.deepEqual((await lapsed(store, now + 40)).sids, [shorter.sid, touched.sid, longer.sid].sort());
    });

    on('a session that only its grants kept is found as soon as the last of them ends or lapses', async ({ store }) => {
      const carried = async () => {
        const session = await newSession(store, { ssoUntil: now + 10 });
        const grants = [await newGrant(store, session), await newGrant(store, session, { kind: 'offline' })];
        return { sid: session.sid, session, grants };
      };
      const [ends, lapses, carriesOn] = [await carried(), await carried(), await carried()];
      assert.deepEqual((await lapsed(store, now + 20)).sids, []);
      await newGrant(store, carriesOn.session, { idleAt: now + 5000 });
      for (const grant of ends.grants) {
        assert.deepEqual((await lapsed(store, now + 20)).sids, []);
        // An ending dated before the session's own time was over counts as any other.
        await committed(store, [endGrants({ grantId: grant.grantId }, sampleEnding({ at: now }))]);
      }
      assert.deepEqual((await lapsed(store, now + 20)).sids, [ends.sid]);
      await committed(store, [endSessions({ sid: ends.sid })]);
      await committed(store, [rotate(lapses.grants[0]!, 1, { idleAt: now + 4000 })]);
      assert.deepEqual((await lapsed(store, now + 3999)).sids, []);
      assert.deepEqual((await lapsed(store, now + 4000)).sids, [lapses.sid]);
      assert.deepEqual((await lapsed(store, now + 5000)).sids, [lapses.sid, carriesOn.sid].sort());
    });

    on('whatever happens to sessions and grants, what findLapsed tells is what has lapsed', async ({ store }) => {
      const random = randomNumbers(20_261_121);
      const sessions: SessionRecord[] = [];
      const grants: GrantRecord[] = [];
      for (let at = now; at < now + 400; at += 1) {
        const session = sessions[random(sessions.length)];
        const grant = grants[random(grants.length)];
        const live = grant && (await store.getGrant(grant.grantId));
        const held = session && (await store.getSession(session.sid));
        const soon = at + 1 + random(60);
        switch (random(9)) {
          case 0:
          case 1:
            sessions.push(await newSession(store, { ssoUntil: soon, endsAt: at + 1 + random(200) }));
            break;
          case 2:
          case 3: {
            if (held === undefined || held.endedAt !== null) break;
            const idleAt = random(3) === 0 ? null : soon;
            grants.push(await newGrant(store, held, { idleAt, endsAt: at + 1 + random(200) }));
            break;
          }
          case 4:
            if (live?.endedAt !== null || live.idleAt === null) break;
            await store.commit([rotate(live, live.generation, { idleAt: Math.max(live.idleAt, soon) })]);
            break;
          case 5:
            if (session)
              await store.commit([{ change: 'touch-session', sid: session.sid, lastSeenAt: at, ssoUntil: soon }]);
            break;
          case 6:
            if (held?.endedAt !== null) break;
            await store.commit([
              { change: 'renew-session', sid: held.sid, expect: held.version, renewed: { ...held, ssoUntil: soon } },
            ]);
            break;
          case 7:
            if (grant && random(2) === 0) await store.commit([endGrants({ grantId: grant.grantId })]);
            break;
          default:
            if (session && random(3) === 0) await store.commit([endSessions({ sid: session.sid }, random(2) === 0)]);
        }
        if (at % 5 === 0) assert.deepEqual(await lapsed(store, at), await lapsedByWalking(store, at), `at ${at - now}`);
      }
      const left = await lapsed(store, now + 9999);
      assert.ok(left.sids.length > 5 && left.grantIds.length > 5);
    });

    on('stores that look at once and end what they find end everything, each once', async ({ store, another }) => {
      const stores = [store, await another(), await another()];
      const sessions = times(40, () => sampleSession({ ssoUntil: now + 10 }));
      const grants = sessions.flatMap((session) => times(3, () => sampleGrant(session, { idleAt: now + 10 })));
      await committed(store, [
        ...sessions.map((session): Change => ({ change: 'create-session', session })),
        ...grants.map((grant): Change => ({ change: 'create-grant', grant })),
      ]);
      const ended = (
        await Promise.all(
          stores.map(async (each) => {
            const results: string[] = [];
            for (let quiet = 0; quiet < 3; ) {
              const found = await each.findLapsed(now + 10, 25);
              if (found.grants.length + found.sessions.length === 0) quiet += 1;
              const changes = [
                ...found.sessions.map((session) => endSessions({ sid: session.sid })),
                ...found.grants.map((grant) => endGrants({ grantId: grant.grantId })),
              ];
              const { sids, grantIds } = await committed(each, changes);
              results.push(...sids, ...grantIds);
            }
            return results;
          }),
        )
      ).flat();
      const all = [...sessions.map(({ sid }) => sid), ...grants.map(({ grantId }) => grantId)];
      assert.deepEqual(ended.sort(), all.sort());
    });

    on(
      'a sweep removes what ended before, its sessions once no grant is left, and nothing that lives',
      async ({ store }) => {
        const [old, young, alive] = [await newSession(store), await newSession(store), await newSession(store)];
        const offline = await newGrant(store, old, { kind: 'offline' });
        const bound = await newGrant(store, old);
        await newGrant(store, alive);
        await committed(store, [endSessions({ sid: old.sid }, false, sampleEnding({ at: now + 10 }))]);
        await committed(store, [endSessions({ sid: young.sid }, false, sampleEnding({ at: now + 20 }))]);
        const sweep = (endedBefore: number) =>
          store.sweep({ now: now + 5000, endedBefore, eventsBefore: 0, limit: 100 });
        const none = { sessions: 0, grants: 0, remembered: 0, buckets: 0, events: 0 };
        assert.deepEqual(await sweep(now + 10), none);
        assert.deepEqual(await sweep(now + 20), { ...none, grants: 1 });
        assert.equal(await store.getGrant(bound.grantId), undefined);
        assert.equal((await store.getSession(old.sid))?.sid, old.sid, 'its offline grant still has a session to show');
        await committed(store, [endGrants({ grantId: offline.grantId }, sampleEnding({ at: now + 15 }))]);
        assert.deepEqual(await sweep(now + 20), { ...none, grants: 1, sessions: 1 });
        assert.equal(await store.getSession(old.sid), undefined);
        assert.equal((await store.getSignIn({ cookieDigest: old.cookieDigest })).session, undefined);
        assert.deepEqual(await sweep(now + 21), { ...none, sessions: 1 });
        assert.equal((await store.listSessions({ now }, { limit: 9 })).items.length, 1);
        assert.equal((await store.listGrants({ now }, { limit: 9 })).items.length, 1);
      },
    );

    on('a sweep removes remembered keys and buckets that have lapsed', async ({ store }) => {
      await committed(store, [
        { change: 'remember', key: 'old', now, until: now + 10 },
        { change: 'remember', key: 'young', now, until: now + 11 },
        { change: 'fill-bucket', key: 'leaked', add: 5, leakPerSecond: 0.5, at: now },
        { change: 'fill-bucket', key: 'leaking', add: 6, leakPerSecond: 0.5, at: now },
        { change: 'fill-bucket', key: 'tight', add: 1, leakPerSecond: 0, at: now },
      ]);
      const swept = await store.sweep({ now: now + 10, endedBefore: 0, eventsBefore: 0, limit: 100 });
      assert.deepEqual(swept, { sessions: 0, grants: 0, remembered: 1, buckets: 1, events: 0 });
      assert.equal(await store.isRemembered('young', now + 10), true);
      const left = await store.getBuckets(['leaked', 'leaking', 'tight']);
      assert.deepEqual(
        left.map((bucket) => bucket.key),
        ['leaking', 'tight'],
      );
    });

    on('a sweep removes old events but none that still matters, and positions go on', async ({ store }) => {
      const old = times(4, () => started('s'));
      const matters: NewEvent = { ...started('s'), type: 'session.ended', audiences: null, until: now + 1000 };
      await store.commit([], [...old, { ...matters, until: now + 5 }, matters, ...old]);
      const sweep = (at: number, eventsBefore: number) =>
        store.sweep({ now: at, endedBefore: 0, eventsBefore, limit: 100 });
      assert.equal((await sweep(now + 10, now)).events, 0);
      assert.equal((await sweep(now + 10, now + 1)).events, 5);
      assert.deepEqual(
        (await store.readEvents({ limit: 99 })).map((event) => event.position),
        [6, 7, 8, 9, 10],
      );
      assert.equal((await sweep(now + 1000, now + 1)).events, 5);
      assert.equal((await store.position()).position, 10);
      await store.commit([], [started('s')]);
      assert.deepEqual(
        (await store.readEvents({ limit: 99 })).map((event) => event.position),
        [11],
      );
    });

    on('a sweep keeps to its limit, row by kind', async ({ store }) => {
      const sessions = times(30, () => sampleSession());
      await committed(
        store,
        sessions.map((session): Change => ({ change: 'create-session', session })),
      );
      await committed(
        store,
        sessions.map((session): Change => ({ change: 'create-grant', grant: sampleGrant(session) })),
      );
      await committed(
        store,
        sessions.map((session) => endSessions({ sid: session.sid })),
      );
      const sweep = (limit: number) =>
        store.sweep({ now: now + 5000, endedBefore: now + 5000, eventsBefore: now + 5000, limit });
      const first = await sweep(20);
      assert.deepEqual([first.grants, first.events], [20, 20]);
      assert.ok(first.sessions <= 20);
      const rest = await sweep(1000);
      assert.deepEqual([rest.grants, first.sessions + rest.sessions, rest.events], [10, 30, 10]);
    });
  });

  describe(`${name}: hearing of events`, together, () => {
    on('a listener hears of events of its own store and of another', async ({ store, another }) => {
      const other = await another();
      const heard = listen(store);
      await store.commit([], [started('s')]);
      await heard.once('its own');
      await other.commit([], [started('s')]);
      await heard.once("the other's");
    });

    on('a listener sees what it is told of, and hears nothing after its end', async ({ store }) => {
      const positions: Promise<number>[] = [];
      const stop = store.onEvents(() => positions.push(store.position().then(({ position }) => position)));
      await store.commit([], [started('s')]);
      await eventually(
        () => positions.length > 0,
        20_000,
        () => 'a call',
      );
      assert.equal(await positions[0], 1);
      stop();
      await delay(120);
      const calls = positions.length;
      await store.commit([], [started('s')]);
      await delay(120);
      assert.equal(positions.length, calls);
    });

    on('nothing is told when nothing was committed', async ({ store }) => {
      await delay(60);
      const heard = listen(store);
      await conflicts(store, [rotate({ grantId: nextId() }, 1)]);
      await delay(150);
      assert.equal(heard.count(), 0);
    });
  });

  describe(`${name}: closing`, together, () => {
    on('close waits for the commits that were asked for', async ({ store, another }) => {
      const other = await another();
      const session = await newSession(store);
      const grants = times(30, () => sampleGrant(session));
      const commits = Promise.all(grants.map((grant) => store.commit([{ change: 'create-grant', grant }])));
      await store.close();
      assert.equal(countCommitted(await commits), 30);
      for (const grant of grants) assert.deepEqual(await other.getGrant(grant.grantId), grant);
    });

    on('a closed store is unavailable, for reads and writes, and may be closed again', async ({ store }) => {
      await newSession(store);
      await store.close();
      await store.close();
      const isUnavailable = { code: 'store_unavailable' };
      await assert.rejects(store.commit([]), isUnavailable);
      await assert.rejects(store.get('user', 'x'), isUnavailable);
      await assert.rejects(store.getGrant('x'), isUnavailable);
      await assert.rejects(store.listSessions({ now }, { limit: 1 }), isUnavailable);
      await assert.rejects(store.readEvents({ limit: 1 }), isUnavailable);
      await assert.rejects(store.findLapsed(now, 1), isUnavailable);
      await assert.rejects(store.sweep({ now, endedBefore: now, eventsBefore: now, limit: 1 }), isUnavailable);
    });
  });
}

async function committed(store: Store, changes: readonly Change[]): Promise<{ sids: string[]; grantIds: string[] }> {
  const result = await store.commit(changes);
  assert.equal(result.outcome, 'committed', JSON.stringify({ result, changes }));
  return result.outcome === 'committed' ? result.ended : assert.fail();
}

/** The last change conflicts. */
async function conflicts(store: Store, changes: readonly Change[]): Promise<void> {
  assert.deepEqual(await store.commit(changes), { outcome: 'conflict', change: changes.length - 1 });
}

async function newSession(store: Store, changes: Partial<SessionRecord> = {}): Promise<SessionRecord> {
  const session = sampleSession(changes);
  await committed(store, [{ change: 'create-session', session }]);
  return session;
}

async function newGrant(
  store: Store,
  session: SessionRecord,
  changes: Partial<GrantRecord> = {},
): Promise<GrantRecord> {
  const grant = sampleGrant(session, changes);
  await committed(store, [{ change: 'create-grant', grant }]);
  return grant;
}

async function put(store: Store, record: ReturnType<typeof sampleSetting>): Promise<void> {
  await committed(store, [{ change: 'put', kind: 'setting', expect: 'absent', record }]);
}

async function putUser(store: Store, record: ReturnType<typeof sampleUser>): Promise<void> {
  await committed(store, [{ change: 'put', kind: 'user', expect: 'absent', record }]);
}

function rotate(
  grant: { grantId: string },
  expect: number,
  changes: Partial<Extract<Change, { change: 'rotate-grant' }>> = {},
): Change {
  return {
    change: 'rotate-grant',
    grantId: grant.grantId,
    expect,
    sealKeyId: 'k1',
    at: now + 1,
    idleAt: now + 3601,
    origin,
    ...changes,
  };
}

function endSessions(
  where: Extract<Change, { change: 'end-sessions' }>['where'],
  offline = false,
  ending = sampleEnding(),
): Change {
  return { change: 'end-sessions', where, offline, ending };
}

function endGrants(where: Extract<Change, { change: 'end-grants' }>['where'], ending = sampleEnding()): Change {
  return { change: 'end-grants', where, ending };
}

function started(sid: string): NewEvent {
  return { type: 'session.started', at: now, actor: { kind: 'server' }, sid };
}

function countCommitted(results: readonly CommitResult[]): number {
  return results.filter((result) => result.outcome === 'committed').length;
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** The ids of what findLapsed tells, sorted. */
async function lapsed(store: Store, at: number): Promise<{ sids: string[]; grantIds: string[] }> {
  const { sessions, grants } = await store.findLapsed(at, 10_000);
  return { sids: sessions.map(({ sid }) => sid).sort(), grantIds: grants.map(({ grantId }) => grantId).sort() };
}

/** The same, by looking at everything. */
async function lapsedByWalking(store: Store, at: number): Promise<{ sids: string[]; grantIds: string[] }> {
  const over = { state: 'ended', now: at } as const;
  const sessions = (await store.listSessions(over, { limit: 10_000 })).items.filter(({ endedAt }) => endedAt === null);
  const grants = (await store.listGrants(over, { limit: 10_000 })).items.filter(({ endedAt }) => endedAt === null);
  return { sids: sessions.map(({ sid }) => sid).sort(), grantIds: grants.map(({ grantId }) => grantId).sort() };
}

/** Whole numbers below a bound, the same in every run. Source: the mulberry32 generator. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, below);
  };
}

async function inOrder<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let index = 0; index < count; index += 1) made.push(await make());
  return made;
}

/** All items of a list, page by page; every page but the last is full. */
async function pages<T>(list: (page: PageRequest) => Promise<Page<T>>, limit: number): Promise<T[]> {
  const items: T[] = [];
  let after: string | undefined;
  do {
    const page: Page<T> = await list({ limit, ...(after !== undefined && { after }) });
    items.push(...page.items);
    assert.ok(page.next === undefined || page.items.length === limit, 'a page before the last is full');
    after = page.next;
  } while (after !== undefined);
  return items;
}

async function readAll(store: Store, filter: Partial<EventFilter>): Promise<EventRecord[]> {
  const events: EventRecord[] = [];
  for (;;) {
    const page = await store.readEvents({ ...filter, afterPosition: events.at(-1)?.position ?? 0, limit: 3000 });
    if (page.length === 0) return events;
    events.push(...page);
  }
}

function listen(store: Store): { count(): number; once(what: string): Promise<void> } {
  let calls = 0;
  store.onEvents(() => {
    calls += 1;
  });
  return {
    count: () => calls,
    async once(what) {
      await eventually(
        () => calls > 0,
        20_000,
        () => what,
      );
      // Its own commits may be told a second time, by the look for others'.
      await delay(120);
      calls = 0;
    },
  };
}

/** A user with a session and a grant, as the store gives them back. */
async function addUsersGrant(store: Store, userId = nextId()) {
  const user = { ...sampleUser({ userId, username: `user-${userId}` }), version: 1 };
  const session = sampleSession({ userId });
  const grant = sampleGrant(session);
  const result = await store.commit([
    { change: 'put', kind: 'user', expect: 'absent', record: user },
    { change: 'create-session', session },
    { change: 'create-grant', grant },
  ]);
  assert.equal(result.outcome, 'committed');
  return { user, session, grant };
}

/** That many of them, one after the other: a slow disk would send away who waits for all in front. */
async function addUsersGrants(store: Store, howMany: number) {
  const added: Awaited<ReturnType<typeof addUsersGrant>>[] = [];
  while (added.length < howMany) added.push(await addUsersGrant(store));
  return added;
}
