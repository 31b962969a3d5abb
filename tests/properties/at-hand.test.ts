import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  findPostgres,
  howToInstall,
  openEngine,
  startTestPostgres,
  type TestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import type { GrantRecord, SessionRecord, UserRecord } from '../../packages/server/src/store/records.ts';
import {
  nextDigest,
  sampleClient,
  sampleEnding,
  sampleGrant,
  sampleSession,
  sampleTime,
  sampleUser,
} from '../../packages/server/src/store/sample-records.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import type { Change, CommitResult, Store } from '../../packages/server/src/store/store.ts';
import { pick, seeded, seedOf } from '../seeded.ts';

const now = sampleTime;
const steps = Number(process.env.TESSERA_ROUNDS ?? 50);
const clientId = 'at-hand';
const origins = ['Firefox', 'Safari', 'curl'].map((userAgent) => ({ ip: '192.0.2.1', userAgent }));

const bin = findPostgres();
let postgres: TestPostgres | undefined;
before(async () => {
  if (bin !== undefined) postgres = await startTestPostgres(bin);
});
after(() => postgres?.remove());

// What two nodes keep at hand never shows: after each of many changes at random, made side by side by both, both answer what is asked of a token and of a sign-in as
// the lists say it, which keep nothing.

test('SQLite: two processes that change the same things answer as if they kept nothing at hand', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
  const nodes = [];
  try {
    for (let node = 0; node < 2; node++) nodes.push(await openSqliteStore({ file: join(folder, 'store.db') }));
    await changeAtRandom(nodes, seeded(seedOf(t)));
  } finally {
    for (const node of nodes) await node.close();
    await rm(folder, { recursive: true });
  }
});

test('Postgres: two nodes that change the same things answer as if they kept nothing at hand', {
  skip: bin === undefined ? howToInstall : false,
}, async (t) => {
  const engine = await openEngine(postgres as TestPostgres);
  try {
    await changeAtRandom([engine.store, await engine.another()], seeded(seedOf(t)));
  } finally {
    await engine.close();
  }
});

async function changeAtRandom(nodes: readonly Store[], random: () => number): Promise<void> {
  const store = nodes[0] as Store;
  const world = await createWorld(store);
  for (let step = 0; step < steps; step++) {
    const commits = Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
      pick(nodes, random).commit(somethingTo(world, random)),
    );
    for (const result of await Promise.all(commits)) await checkTold(store, result);
    await Promise.all(nodes.map((node) => checkNode(node, world)));
  }
}

/** All there is: records as they were first made, for their ids. */
type World = { users: UserRecord[]; sessions: SessionRecord[]; grants: GrantRecord[] };

async function createWorld(store: Store): Promise<World> {
  const users = [sampleUser(), sampleUser()];
  const sessions = users.flatMap(({ userId }) => [sampleSession({ userId }), sampleSession({ userId })]);
  const grants = sessions.flatMap((session) =>
    (['session', 'offline'] as const).map((kind) => sampleGrant(session, { kind, clientId })),
  );
  const result = await store.commit([
    ...users.map((record): Change => ({ change: 'put', kind: 'user', expect: 'absent', record })),
    { change: 'put', kind: 'client', expect: 'absent', record: sampleClient({ clientId }) },
    ...sessions.map((session): Change => ({ change: 'create-session', session })),
    ...grants.map((grant): Change => ({ change: 'create-grant', grant })),
  ]);
  assert.equal(result.outcome, 'committed');
  return { users, sessions, grants };
}

/** A commit that may conflict: what it expects is as likely as not. */
function somethingTo(world: World, random: () => number): Change[] {
  const grant = pick(world.grants, random);
  const { grantId } = grant;
  const session = pick(world.sessions, random);
  const user = pick(world.users, random);
  const expect = 1 + Math.floor(random() * 3);
  const at = now + Math.floor(random() * 50);
  const use = { grantId, expect, at, idleAt: at + 3600, origin: pick(origins, random) };
  const ending = sampleEnding();
  const proof = { clientId: pick([clientId, 'another'], random), secretDigest: grant.secretDigest ?? '' };
  const remember: Change = { change: 'remember', key: `revoked:${Math.floor(random() * 9)}`, now, until: now + 60 };
  const rotate: Change = { change: 'rotate-grant', sealKeyId: 'k2', ...use };
  const renewed = { ...session, cookieDigest: nextDigest(), lastSeenAt: at };
  const born = sampleGrant(session, { clientId });
  return pick<() => Change[]>(
    [
      () => [rotate],
      () => [rotate],
      () => [remember, rotate],
      () => [{ change: 'touch-grant', ...use }],
      () => [{ change: 'count-replay', grantId }],
      () => [{ change: 'end-grants', where: { grantId, proof }, ending }],
      () => [remember],
      () => [{ change: 'touch-session', sid: session.sid, lastSeenAt: at, ssoUntil: session.ssoUntil + at - now }],
      () => {
        // Those that ended never live again: others take their place.
        const another = sampleSession({ userId: user.userId });
        const first = sampleGrant(another, { clientId });
        world.sessions.push(another);
        world.grants.push(first);
        return [
          { change: 'create-session', session: another },
          { change: 'create-grant', grant: first },
        ];
      },
      () => [{ change: 'renew-session', sid: session.sid, expect, renewed }],
      () => [
        { change: 'check', kind: 'user', id: user.userId, expect },
        { change: 'create-grant', grant: born },
      ],
      () => [{ change: 'put', kind: 'user', expect, record: { ...user, roles: [String(at)] } }],
      () => [{ change: 'put', kind: 'client', expect, record: sampleClient({ clientId, name: String(at) }) }],
      () => [
        // Seldom, because it ends so much.
        { change: 'remove', kind: 'user', id: user.userId, expect: random() < 0.3 ? expect : 99 },
        { change: 'end-sessions', where: { userId: user.userId }, offline: true, ending },
      ],
      () => [{ change: 'put', kind: 'user', expect: 'absent', record: { ...user, roles: ['anew'] } }],
      () => [{ change: 'end-sessions', where: { sid: session.sid, version: expect }, offline: random() < 0.5, ending }],
    ],
    random,
  )();
}

/** What a commit says that it appended is what the log holds there. */
async function checkTold(store: Store, result: CommitResult): Promise<void> {
  if (result.outcome === 'conflict' || result.appended === undefined) return;
  for (const event of result.appended.events) {
    const [kept] = await store.readEvents({ afterPosition: event.position - 1, limit: 1 });
    assert.deepEqual(JSON.parse(JSON.stringify(event)), kept);
  }
}

async function checkNode(node: Store, { users, sessions }: World): Promise<void> {
  const clientVersion = (await node.get('client', clientId))?.version;
  for (const { userId } of users) {
    const user = await node.get('user', userId);
    const [grants, listed] = await Promise.all([
      node.listGrants({ userId, now }, { limit: 500 }),
      node.listSessions({ userId, now }, { limit: 500 }),
    ]);
    await Promise.all([
      ...grants.items.map(async (grant) => {
        const { grantId } = grant;
        assert.deepEqual(await node.getGrant(grantId), grant);
        const standing = { grant, user, clientVersion, isRemembered: false };
        assert.deepEqual(await node.getStanding({ grantId, clientId, now }), standing);
      }),
      ...listed.items.map(async (session) => {
        const { sid, cookieDigest } = session;
        assert.deepEqual(await node.getSignIn({ sid }), { session, user });
        assert.deepEqual(await node.getSignIn({ cookieDigest }), { session, user });
      }),
    ]);
  }
  for (let index = 0; index < 9; index++) {
    const rememberedKey = `revoked:${index}`;
    const { isRemembered } = await node.getStanding({ rememberedKey, now });
    assert.equal(isRemembered, await node.isRemembered(rememberedKey, now));
  }
  // A cookie that was replaced opens nothing, whatever is at hand of it.
  for (const { sid, cookieDigest } of sessions) {
    const isCurrent = (await node.getSession(sid))?.cookieDigest === cookieDigest;
    assert.equal((await node.getSignIn({ cookieDigest })).session !== undefined, isCurrent);
  }
}
