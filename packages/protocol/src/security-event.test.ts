import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventUris,
  isFeedEventUri,
  type Revocation,
  revocationOf,
  type SecurityEventClaims,
  securityEventOf,
} from './security-event.ts';

const revocations: Revocation[] = [
  { kind: 'session', sid: 's1', iss: 'https://id.example.com', sub: 'u1', until: 100 },
  { kind: 'grant', grant_id: 'g1', until: 100 },
  { kind: 'token', jti: 't1', until: 100 },
  { kind: 'client-epoch', client_id: 'web', epoch: 3, until: 100 },
  { kind: 'issuer-epoch', epoch: 2, until: 100 },
  { kind: 'key', kid: 'k1', until: 100 },
];

test('each kind of revocation survives the way over the wire', () => {
  for (const revocation of revocations) {
    const claims = JSON.parse(JSON.stringify(securityEventOf(revocation, 50)));
    assert.deepEqual(revocationOf(claims), revocation);
    const [uri] = Object.keys(claims.events);
    assert.equal(isFeedEventUri(uri as string), true);
  }
});

test('OpenID CAEP 1.0 section 3.1: a session is a complex subject of session and user, with the time of the event', () => {
  assert.deepEqual(securityEventOf(revocations[0] as Revocation, 50), {
    sub_id: {
      format: 'complex',
      session: { format: 'opaque', id: 's1' },
      user: { format: 'iss_sub', iss: 'https://id.example.com', sub: 'u1' },
    },
    events: { [eventUris.sessionRevoked]: { event_timestamp: 50, until: 100 } },
  });
});

test('an event this version does not know ends nothing, also beside one it knows', () => {
  const unknown = { sub_id: { format: 'opaque', id: 'x' }, events: { 'urn:example:later': { until: 100 } } };
  assert.equal(revocationOf(unknown), undefined);
  assert.equal(isFeedEventUri('urn:example:later'), false);
  const both = { ...unknown, events: { 'urn:example:later': {}, [eventUris.grantRevoked]: { until: 100 } } };
  assert.deepEqual(revocationOf(both), { kind: 'grant', grant_id: 'x', until: 100 });
});

test('a SET that lacks what its event needs is undefined, never thrown', () => {
  const whole = (index: number) => structuredClone(securityEventOf(revocations[index] as Revocation, 50));
  const broken: Record<string, unknown> = {
    'no claims at all': {},
    'events is null': { ...whole(1), events: null },
    'events is empty': { ...whole(1), events: {} },
    'the event is text': { ...whole(1), events: { [eventUris.grantRevoked]: 'x' } },
    'no sub_id': { events: whole(1).events },
    'sub_id is null': { ...whole(1), sub_id: null },
    'an empty id': { ...whole(1), sub_id: { format: 'opaque', id: '' } },
    'an id that is a number': { ...whole(1), sub_id: { format: 'opaque', id: 1 } },
    'until is text': { ...whole(1), events: { [eventUris.grantRevoked]: { until: '100' } } },
    'until is endless': { ...whole(1), events: { [eventUris.grantRevoked]: { until: Number.POSITIVE_INFINITY } } },
    'a session without its user': {
      ...whole(0),
      sub_id: { format: 'complex', session: { format: 'opaque', id: 's1' } },
    },
    'a session without its id': {
      ...whole(0),
      sub_id: { format: 'complex', user: { format: 'iss_sub', iss: 'i', sub: 's' } },
    },
    'a session whose parts are null': { ...whole(0), sub_id: { format: 'complex', session: null, user: null } },
    'an epoch that is text': { ...whole(3), events: { [eventUris.clientEpochRaised]: { until: 100, epoch: '3' } } },
    'no epoch': { ...whole(4), events: { [eventUris.issuerEpochRaised]: { until: 100 } } },
  };
  for (const [name, claims] of Object.entries(broken))
    assert.equal(revocationOf(claims as SecurityEventClaims), undefined, name);
});
