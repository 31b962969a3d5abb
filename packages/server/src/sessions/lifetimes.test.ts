import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ClientRecord, GrantRecord } from '../store/records.ts';
import { accessTokenExpiry, type GrantLimits, grantLimits, isTouchDue, slide, touchInterval } from './lifetimes.ts';

const now = 1_800_000_000;
const lifetimes = {
  accessToken: 900,
  idToken: 900,
  authorizationCode: 60,
  idle: 1000,
  absolute: 10_000,
  session: 20_000,
  sso: 500,
  ssoRemembered: 5000,
  retryWindow: 30,
};
const config = { lifetimes };
const sessionEndsAt = now + 20_000;

describe('the limits of a grant born now', () => {
  type Case = {
    name: string;
    client: Pick<ClientRecord, 'strategy' | 'lifetimes'>;
    kind?: GrantRecord['kind'];
    sessionEnd?: number;
    expected: GrantLimits;
  };
  const cases: Case[] = [
    {
      name: 'stateless: nothing but the session ends it',
      client: { strategy: 'stateless', lifetimes: {} },
      expected: { idleLimit: null, idleAt: null, endsAt: sessionEndsAt },
    },
    {
      name: 'stateless with an absolute limit',
      client: { strategy: 'stateless', lifetimes: { absolute: 50 } },
      expected: { idleLimit: null, idleAt: null, endsAt: now + 50 },
    },
    {
      name: "server-backed: the server's idle limit as a fixed life, which use does not extend",
      client: { strategy: 'server-backed', lifetimes: {} },
      expected: { idleLimit: null, idleAt: null, endsAt: now + 1000 },
    },
    {
      name: "server-backed with the client's own fixed life",
      client: { strategy: 'server-backed', lifetimes: { absolute: 5000 } },
      expected: { idleLimit: null, idleAt: null, endsAt: now + 5000 },
    },
    {
      name: 'sliding: idle limit, and the end of the session',
      client: { strategy: 'sliding', lifetimes: {} },
      expected: { idleLimit: 1000, idleAt: now + 1000, endsAt: sessionEndsAt },
    },
    {
      name: "sliding with the client's own idle limit",
      client: { strategy: 'sliding', lifetimes: { idle: 60 } },
      expected: { idleLimit: 60, idleAt: now + 60, endsAt: sessionEndsAt },
    },
    {
      name: 'sliding with an absolute limit of its own obeys it',
      client: { strategy: 'sliding', lifetimes: { absolute: 5000 } },
      expected: { idleLimit: 1000, idleAt: now + 1000, endsAt: now + 5000 },
    },
    {
      name: 'sliding-revocable: idle limit and cap of the server',
      client: { strategy: 'sliding-revocable', lifetimes: {} },
      expected: { idleLimit: 1000, idleAt: now + 1000, endsAt: now + 10_000 },
    },
    {
      name: 'sliding-revocable: idle limit and cap of the client',
      client: { strategy: 'sliding-revocable', lifetimes: { idle: 60, absolute: 180 } },
      expected: { idleLimit: 60, idleAt: now + 60, endsAt: now + 180 },
    },
    {
      name: 'sliding-revocable with idle null does not slide, and keeps its cap',
      client: { strategy: 'sliding-revocable', lifetimes: { idle: null } },
      expected: { idleLimit: null, idleAt: null, endsAt: now + 10_000 },
    },
    {
      name: 'the session ends before the cap',
      client: { strategy: 'sliding-revocable', lifetimes: {} },
      sessionEnd: now + 3000,
      expected: { idleLimit: 1000, idleAt: now + 1000, endsAt: now + 3000 },
    },
    {
      name: 'the session ends before the idle limit',
      client: { strategy: 'sliding', lifetimes: {} },
      sessionEnd: now + 400,
      expected: { idleLimit: 1000, idleAt: now + 400, endsAt: now + 400 },
    },
    {
      name: 'offline, sliding-revocable: the end of the session does not concern it',
      client: { strategy: 'sliding-revocable', lifetimes: {} },
      kind: 'offline',
      sessionEnd: now + 400,
      expected: { idleLimit: 1000, idleAt: now + 1000, endsAt: now + 10_000 },
    },
    {
      name: "offline, sliding: the server's cap, for no session caps it",
      client: { strategy: 'sliding', lifetimes: {} },
      kind: 'offline',
      sessionEnd: now + 400,
      expected: { idleLimit: 1000, idleAt: now + 1000, endsAt: now + 10_000 },
    },
    {
      name: 'offline, server-backed: its fixed life',
      client: { strategy: 'server-backed', lifetimes: {} },
      kind: 'offline',
      sessionEnd: now + 400,
      expected: { idleLimit: null, idleAt: null, endsAt: now + 1000 },
    },
  ];
  for (const { name, client, kind = 'session', sessionEnd = sessionEndsAt, expected } of cases)
    it(name, () => assert.deepEqual(grantLimits(config, client, kind, sessionEnd, now), expected));
});

describe('the sliding of a grant', () => {
  const cases = [
    {
      name: 'a use moves the idle limit',
      grant: { idleLimit: 100, idleAt: now + 20, endsAt: now + 1000 },
      slid: now + 100,
      due: true,
    },
    {
      name: 'never beyond the absolute limit',
      grant: { idleLimit: 100, idleAt: now + 20, endsAt: now + 60 },
      slid: now + 60,
      due: true,
    },
    {
      name: 'a use that moves it by exactly the touch interval is not written alone',
      grant: { idleLimit: 100, idleAt: now + 95, endsAt: now + 1000 },
      slid: now + 100,
      due: false,
    },
    {
      name: 'one second more is',
      grant: { idleLimit: 100, idleAt: now + 94, endsAt: now + 1000 },
      slid: now + 100,
      due: true,
    },
    {
      name: 'at the absolute limit nothing moves any more',
      grant: { idleLimit: 100, idleAt: now + 60, endsAt: now + 60 },
      slid: now + 60,
      due: false,
    },
    {
      name: 'a grant that does not slide has nothing to move',
      grant: { idleLimit: null, idleAt: null, endsAt: now + 60 },
      slid: null,
      due: false,
    },
    {
      name: 'a short idle limit is written at each second',
      grant: { idleLimit: 19, idleAt: now + 18, endsAt: now + 60 },
      slid: now + 19,
      due: true,
    },
    {
      name: 'a clock that ran backwards takes nothing away',
      grant: { idleLimit: 100, idleAt: now + 102, endsAt: now + 1000 },
      slid: now + 102,
      due: false,
    },
  ];
  for (const { name, grant, slid, due } of cases)
    it(name, () => {
      assert.equal(slide(grant, now), slid);
      assert.equal(isTouchDue(grant, now), due);
    });

  it('A6: the touch interval is at most a twentieth of the idle limit', () => {
    for (const [idle, expected] of [
      [1, 0],
      [19, 0],
      [20, 1],
      [39, 1],
      [60, 3],
      [604_800, 30_240],
    ] as const)
      assert.equal(touchInterval(idle), expected, String(idle));
  });
});

describe('the expiry of an access token', () => {
  const far = { idleAt: now + 5000, endsAt: now + 5000 };
  const cases = [
    {
      name: "B2: the server's lifetime where nobody says otherwise",
      client: {},
      servers: [],
      hangsOn: far,
      expected: 900,
    },
    { name: "A16: the client's own", client: { accessToken: 300 }, servers: [], hangsOn: far, expected: 300 },
    {
      name: "A16: the client's own may be longer than the server's",
      client: { accessToken: 3600 },
      servers: [],
      hangsOn: far,
      expected: 3600,
    },
    {
      name: "A16: the resource server's own",
      client: {},
      servers: [{ accessTokenLifetime: 120 }],
      hangsOn: far,
      expected: 120,
    },
    {
      name: 'the shorter of client and resource server',
      client: { accessToken: 300 },
      servers: [{ accessTokenLifetime: 400 }],
      hangsOn: far,
      expected: 300,
    },
    {
      name: 'the shortest of several resource servers',
      client: {},
      servers: [{ accessTokenLifetime: 400 }, {}, { accessTokenLifetime: 200 }],
      hangsOn: far,
      expected: 200,
    },
    {
      name: 'never beyond the idle limit',
      client: {},
      servers: [],
      hangsOn: { idleAt: now + 60, endsAt: now + 5000 },
      expected: 60,
    },
    {
      name: 'never beyond the absolute limit',
      client: {},
      servers: [],
      hangsOn: { idleAt: now + 600, endsAt: now + 200 },
      expected: 200,
    },
    {
      name: 'never beyond the absolute limit of a grant that does not slide',
      client: {},
      servers: [],
      hangsOn: { idleAt: null, endsAt: now + 200 },
      expected: 200,
    },
    { name: 'a client acting for itself hangs on nothing', client: {}, servers: [], hangsOn: undefined, expected: 900 },
  ];
  for (const { name, client, servers, hangsOn, expected } of cases)
    it(name, () =>
      assert.equal(accessTokenExpiry(config, { lifetimes: client }, servers, hangsOn, now), now + expected),
    );

  it('nothing outlives what it hangs on, whatever the settings and the pattern of use', () => {
    const seconds = fc.integer({ min: 1, max: 100_000 });
    const client = fc.record({
      strategy: fc.constantFrom(
        'stateless' as const,
        'server-backed' as const,
        'sliding' as const,
        'sliding-revocable' as const,
      ),
      lifetimes: fc.record({ accessToken: seconds, idle: fc.option(seconds), absolute: seconds }, { requiredKeys: [] }),
    });
    const facts = fc.record({
      client,
      server: fc.record({ accessToken: seconds, idle: seconds, absolute: seconds }),
      kind: fc.constantFrom('session' as const, 'offline' as const),
      sessionLeft: seconds,
      uses: fc.array(fc.nat(50_000), { maxLength: 10 }),
    });
    fc.assert(
      fc.property(facts, ({ client, server, kind, sessionLeft, uses }) => {
        const settings = { lifetimes: { ...lifetimes, ...server } };
        let grant: Pick<GrantLimits, 'idleLimit' | 'idleAt' | 'endsAt'> = grantLimits(
          settings,
          client,
          kind,
          now + sessionLeft,
          now,
        );
        assert.ok(Number.isFinite(grant.endsAt));
        if (kind === 'session') assert.ok(grant.endsAt <= now + sessionLeft);
        let at = now;
        for (const pause of uses) {
          at += pause;
          if (at >= grant.endsAt || (grant.idleAt !== null && at >= grant.idleAt)) return;
          const idleAt = slide(grant, at);
          if (idleAt !== null) assert.ok(idleAt >= (grant.idleAt as number) && idleAt <= grant.endsAt);
          grant = { ...grant, idleAt };
          const exp = accessTokenExpiry(settings, client, [], grant, at);
          assert.ok(exp > at);
          assert.ok(exp <= grant.endsAt && exp <= (grant.idleAt ?? grant.endsAt));
        }
      }),
    );
  });
});
