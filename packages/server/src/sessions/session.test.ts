import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleSession } from '../store/sample-records.ts';
import { isSessionLive, signedIn, skipsSignIn, touchSession } from './session.ts';

const now = 1_800_000_000;

describe('a session', () => {
  const cases = [
    { name: 'inside both limits', of: { ssoUntil: now + 1, endsAt: now + 1 }, live: true, skips: true },
    {
      name: 'at the moment its cookie lapses lives on, but asks for a sign-in',
      of: { ssoUntil: now, endsAt: now + 1 },
      live: true,
      skips: false,
    },
    { name: 'at its absolute limit is dead', of: { ssoUntil: now + 1, endsAt: now }, live: false, skips: false },
    {
      name: 'that ended is dead, whatever its limits',
      of: { ssoUntil: now + 1, endsAt: now + 1, endedAt: now - 1 },
      live: false,
      skips: false,
    },
    {
      name: 'that ended in the future of a clock that ran backwards is dead',
      of: { ssoUntil: now + 1, endsAt: now + 1, endedAt: now + 2 },
      live: false,
      skips: false,
    },
  ];
  for (const { name, of, live, skips } of cases)
    it(name, () => {
      const session = sampleSession(of);
      assert.equal(isSessionLive(session, now), live);
      assert.equal(skipsSignIn(session, now), skips);
    });
});

describe('a sign-in', () => {
  const lifetimes = {
    accessToken: 900,
    idToken: 900,
    authorizationCode: 60,
    idle: 1,
    absolute: 1,
    session: 1000,
    sso: 100,
    ssoRemembered: 600,
    retryWindow: 30,
  };
  const how = {
    amr: ['pwd'],
    acr: 'urn:tessera:acr:password',
    cookieDigest: 'digest',
    origin: { ip: '192.0.2.1', userAgent: 'Firefox' },
  };
  const set = {
    cookieDigest: 'digest',
    authTime: now,
    amr: ['pwd'],
    acr: 'urn:tessera:acr:password',
    origin: { ip: '192.0.2.1', userAgent: 'Firefox' },
    lastSeenAt: now,
    endsAt: now + 1000,
  };

  it('sets every field that a sign-in sets, with the short cookie', () =>
    assert.deepEqual(signedIn({ lifetimes }, { ...how, remembered: false }, now), {
      ...set,
      ssoIdle: 100,
      ssoUntil: now + 100,
    }));
  it('A15: "keep me signed in" sets the long one', () =>
    assert.deepEqual(signedIn({ lifetimes }, { ...how, remembered: true }, now), {
      ...set,
      ssoIdle: 600,
      ssoUntil: now + 600,
    }));
  it('the cookie never skips the sign-in page beyond the end of the session', () =>
    assert.equal(
      signedIn({ lifetimes: { ...lifetimes, session: 50 } }, { ...how, remembered: true }, now).ssoUntil,
      now + 50,
    ));
});

describe('a use of the session cookie', () => {
  const cases = [
    {
      name: 'soon after the last one writes nothing',
      of: { ssoIdle: 100, ssoUntil: now + 95, endsAt: now + 1000 },
      expected: undefined,
    },
    {
      name: 'that moves it by more than a twentieth is written',
      of: { ssoIdle: 100, ssoUntil: now + 94, endsAt: now + 1000 },
      expected: { lastSeenAt: now, ssoUntil: now + 100 },
    },
    {
      name: 'moves it never beyond the end of the session',
      of: { ssoIdle: 100, ssoUntil: now + 10, endsAt: now + 40 },
      expected: { lastSeenAt: now, ssoUntil: now + 40 },
    },
    {
      name: 'at the end of the session writes nothing',
      of: { ssoIdle: 100, ssoUntil: now + 40, endsAt: now + 40 },
      expected: undefined,
    },
    {
      name: 'under a clock that ran backwards writes nothing',
      of: { ssoIdle: 100, ssoUntil: now + 102, endsAt: now + 1000 },
      expected: undefined,
    },
  ];
  for (const { name, of, expected } of cases)
    it(name, () => assert.deepEqual(touchSession(sampleSession(of), now), expected));
});
