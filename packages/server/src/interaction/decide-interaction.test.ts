import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuthorizationRequest } from '../authorize/authorization-request.ts';
import type { ClientRecord, ConsentRecord, SessionRecord, UserRecord } from '../store/records.ts';
import { sampleClient, sampleConsent, sampleSession, sampleUser } from '../store/sample-records.ts';
import { decideInteraction, type Interaction } from './decide-interaction.ts';

const now = 1_800_000_000;
const ada = sampleUser({ userId: 'ada' });

/** Signed in a hundred seconds ago, cookie and session far from their limits. */
const signedIn = {
  sid: 'sid-1',
  userId: 'ada',
  authTime: now - 100,
  acr: 'urn:example:1',
  ssoUntil: now + 1000,
  endsAt: now + 10_000,
};

type Case = {
  name: string;
  request?: Partial<AuthorizationRequest>;
  client?: Partial<ClientRecord>;
  session?: Partial<SessionRecord> | null;
  user?: Partial<UserRecord> | null;
  consent?: Partial<ConsentRecord>;
  /** Of the scopes asked for, those this user may have; default: all of them. */
  scopes?: string[];
  expected: string;
};

function decide({ request, client, session, user, consent, scopes }: Case): Interaction {
  return decideInteraction(
    {
      request: {
        clientId: 'web',
        redirectUri: 'https://web.example.com/callback',
        redirectUriGiven: true,
        responseMode: 'query',
        scopes: ['openid'],
        resources: ['https://api.example.com'],
        prompt: [],
        receivedAt: now,
        ...request,
      },
      client: sampleClient({ clientId: 'web', consent: 'skip', ...client }),
      session: session === null ? undefined : sampleSession({ ...signedIn, ...session }),
      user: user === null || session === null ? undefined : { ...ada, ...user },
      consent:
        consent &&
        sampleConsent({
          userId: 'ada',
          clientId: 'web',
          scopes: ['openid'],
          resources: ['https://api.example.com'],
          ...consent,
        }),
      scopes: scopes ?? request?.scopes ?? ['openid'],
    },
    now,
  );
}

/** The outcome in one line. */
function shown(next: Interaction): string {
  if (next.kind === 'refuse') return `${next.error} ${next.reason}`;
  return next.kind === 'sign-in' && next.reauthenticate ? 'sign-in again' : next.kind;
}

function table(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const one of cases) it(one.name, () => assert.equal(shown(decide(one)), one.expected));
  });
}

const silent = { prompt: ['none'] };
const ask = { consent: 'ask' } as const;

table('C23: who is not signed in', [
  { name: 'signs in', session: null, expected: 'sign-in' },
  { name: 'is not asked silently', session: null, request: silent, expected: 'login_required login_required' },
  { name: 'one second before the cookie lapses is signed in', session: { ssoUntil: now + 1 }, expected: 'issue' },
  { name: 'when the cookie has lapsed signs in', session: { ssoUntil: now }, expected: 'sign-in' },
  {
    name: 'when the cookie has lapsed is not asked silently',
    session: { ssoUntil: now },
    request: silent,
    expected: 'login_required login_required',
  },
  { name: 'at the absolute limit signs in', session: { endsAt: now }, expected: 'sign-in' },
  { name: 'whose session ended signs in', session: { endedAt: now - 1 }, expected: 'sign-in' },
  { name: 'who was disabled signs in, and will not succeed', user: { disabled: true }, expected: 'sign-in' },
  {
    name: 'who was disabled is refused silently',
    user: { disabled: true },
    request: silent,
    expected: 'login_required login_required',
  },
  { name: 'who was removed signs in', user: null, expected: 'sign-in' },
  {
    name: 'signs in before anything else is asked',
    session: null,
    request: { prompt: ['login', 'consent', 'select_account'], maxAge: 0 },
    expected: 'sign-in',
  },
]);

table('C23: prompt=login and max_age', [
  { name: 'prompt=login asks again', request: { prompt: ['login'] }, expected: 'sign-in again' },
  {
    name: 'prompt=login is content with the sign-in it caused',
    request: { prompt: ['login'], signedInSid: 'sid-1' },
    expected: 'issue',
  },
  {
    name: 'prompt=login is not content with the sign-in of another session',
    request: { prompt: ['login'], signedInSid: 'sid-2' },
    expected: 'sign-in again',
  },
  { name: 'max_age that is not reached', request: { maxAge: 101 }, expected: 'issue' },
  { name: 'max_age that is reached exactly', request: { maxAge: 100 }, expected: 'issue' },
  { name: 'max_age that is exceeded by a second', request: { maxAge: 99 }, expected: 'sign-in again' },
  {
    name: 'max_age that is exceeded, silently',
    request: { maxAge: 99, ...silent },
    expected: 'login_required login_required',
  },
  { name: 'max_age that is reached exactly, silently', request: { maxAge: 100, ...silent }, expected: 'issue' },
  {
    name: 'max_age is content with the sign-in it caused, however long the user took',
    request: { maxAge: 10, signedInSid: 'sid-1' },
    expected: 'issue',
  },
  {
    name: 'max_age=0 asks again like prompt=login (section 3.1.2.1)',
    request: { maxAge: 0 },
    session: { authTime: now - 1 },
    expected: 'sign-in again',
  },
  {
    name: 'max_age=0 asks again also in the second of another sign-in',
    request: { maxAge: 0 },
    session: { authTime: now },
    expected: 'sign-in again',
  },
  {
    name: 'max_age=0 is content with the sign-in it caused',
    request: { maxAge: 0, signedInSid: 'sid-1' },
    session: { authTime: now },
    expected: 'issue',
  },
  {
    name: 'max_age=0 silently can never be',
    request: { maxAge: 0, ...silent },
    session: { authTime: now },
    expected: 'login_required login_required',
  },
  {
    name: 'under a clock that ran backwards max_age is not exceeded',
    request: { maxAge: 10 },
    session: { authTime: now + 2 },
    expected: 'issue',
  },
]);

table('the user that the request expects (id_token_hint, claims)', [
  { name: 'is the one signed in', request: { expectedSub: 'ada' }, expected: 'issue' },
  { name: 'is another: sign in as that one', request: { expectedSub: 'bob' }, expected: 'sign-in' },
  {
    name: 'is another, silently',
    request: { expectedSub: 'bob', ...silent },
    expected: 'login_required user_mismatch',
  },
  {
    name: 'is another, and the user has just signed in as somebody else: no loop',
    request: { expectedSub: 'bob', signedInSid: 'sid-1' },
    expected: 'login_required user_mismatch',
  },
  { name: 'is the one signed in, silently', request: { expectedSub: 'ada', ...silent }, expected: 'issue' },
]);

table('prompt=select_account', [
  { name: 'lets the user choose', request: { prompt: ['select_account'] }, expected: 'choose-account' },
  {
    name: 'is content with the choice',
    request: { prompt: ['select_account'], chosenSid: 'sid-1' },
    expected: 'issue',
  },
  {
    name: 'is not content with a choice of before another sign-in',
    request: { prompt: ['select_account'], chosenSid: 'sid-2' },
    expected: 'choose-account',
  },
  {
    name: 'who has just signed in has chosen',
    request: { prompt: ['select_account'], signedInSid: 'sid-1' },
    expected: 'issue',
  },
  { name: 'comes after prompt=login', request: { prompt: ['login', 'select_account'] }, expected: 'sign-in again' },
]);

table('an essential acr (section 5.5.1.1)', [
  { name: 'that the session has', request: { essentialAcr: ['urn:example:2', 'urn:example:1'] }, expected: 'issue' },
  {
    name: 'that it has not',
    request: { essentialAcr: ['urn:example:2'] },
    expected: 'unmet_authentication_requirements authentication_level_unmet',
  },
  {
    name: 'that it has not, silently',
    request: { essentialAcr: ['urn:example:2'], ...silent },
    expected: 'unmet_authentication_requirements authentication_level_unmet',
  },
  {
    name: 'an empty list is met by nothing',
    request: { essentialAcr: [] },
    expected: 'unmet_authentication_requirements authentication_level_unmet',
  },
]);

table('consent', [
  { name: "an app of the operator's own asks nobody", expected: 'issue' },
  { name: 'an app that asks, the first time', client: ask, expected: 'consent' },
  { name: 'an app that asks, silently', client: ask, request: silent, expected: 'consent_required consent_required' },
  { name: 'what was allowed before is not asked again', client: ask, consent: {}, expected: 'issue' },
  { name: 'what was allowed before, silently', client: ask, consent: {}, request: silent, expected: 'issue' },
  { name: 'less than was allowed before', client: ask, consent: { scopes: ['openid', 'email'] }, expected: 'issue' },
  { name: 'one scope more', client: ask, consent: {}, request: { scopes: ['openid', 'email'] }, expected: 'consent' },
  {
    name: 'one scope more that this user may not have is not asked about',
    client: ask,
    consent: {},
    request: { scopes: ['openid', 'orders:write'] },
    scopes: ['openid'],
    expected: 'issue',
  },
  {
    name: 'offline_access not yet allowed',
    client: ask,
    consent: {},
    request: { scopes: ['openid', 'offline_access'] },
    expected: 'consent',
  },
  {
    name: 'one resource more',
    client: ask,
    consent: {},
    request: { resources: ['https://api.example.com', 'https://other.example'] },
    expected: 'consent',
  },
  {
    name: 'one resource more, silently',
    client: ask,
    consent: {},
    request: { resources: ['https://other.example'], ...silent },
    expected: 'consent_required consent_required',
  },
  {
    name: 'a request for nothing at all still needs a consent',
    client: ask,
    request: { scopes: [], resources: [] },
    expected: 'consent',
  },
  {
    name: 'given a moment ago in this session',
    client: ask,
    consent: {},
    request: { consentedSid: 'sid-1' },
    expected: 'issue',
  },
  {
    name: 'given a moment ago and withdrawn since',
    client: ask,
    request: { consentedSid: 'sid-1' },
    expected: 'consent',
  },
  {
    name: 'given a moment ago for less than the user may have by now',
    client: ask,
    consent: {},
    request: { consentedSid: 'sid-1', scopes: ['openid', 'orders:read'] },
    expected: 'consent',
  },
  {
    name: 'given in another session: another user may sit there now',
    client: ask,
    request: { consentedSid: 'sid-2' },
    expected: 'consent',
  },
  {
    name: 'prompt=consent asks again',
    client: ask,
    consent: {},
    request: { prompt: ['consent'] },
    expected: 'consent',
  },
  {
    name: "prompt=consent asks for an app of the operator's own too",
    request: { prompt: ['consent'] },
    expected: 'consent',
  },
  {
    name: 'prompt=consent is content with the consent it caused',
    request: { prompt: ['consent'], consentedSid: 'sid-1' },
    expected: 'issue',
  },
  {
    name: 'comes after the sign-in',
    client: ask,
    request: { prompt: ['login', 'consent'] },
    expected: 'sign-in again',
  },
  {
    name: 'comes after the choice of account',
    client: ask,
    request: { prompt: ['select_account', 'consent'] },
    expected: 'choose-account',
  },
]);

describe('a code', () => {
  it('is issued for the session and the user of the cookie', () => {
    const next = decide({ name: '', expected: '' });
    assert.ok(next.kind === 'issue');
    assert.equal(next.session.sid, 'sid-1');
    assert.equal(next.user.userId, 'ada');
  });
  it('a refusal names client, user and session to the operator', () => {
    const next = decide({ name: '', request: { maxAge: 99, ...silent }, expected: '' });
    assert.ok(next.kind === 'refuse');
    assert.deepEqual(next.facts, { clientId: 'web', sid: 'sid-1', userId: 'ada' });
  });
});
