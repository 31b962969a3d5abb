import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminEvent, AdminGrant, AdminSession, AdminStory } from './admin-api.ts';
import { viewSession } from './session-view.ts';

const origin = { ip: '127.0.0.1', userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0' };
const thief = { ip: '192.0.2.7', userAgent: 'Unknown-laptop/1.0' };

const session: AdminSession = {
  sid: 'S1',
  userId: 'U1',
  state: 'live',
  authTime: 1000,
  amr: ['pwd'],
  origin,
  endsAt: 9000,
  endedAt: null,
  endReason: null,
};

const grant: AdminGrant = {
  grantId: 'G1',
  clientId: 'demo-legacy',
  state: 'ended',
  jkt: null,
  generation: 3,
  replays: 0,
  createdAt: 1000,
  lastUsedAt: 1010,
  idleAt: null,
  lastOrigin: origin,
  endedAt: 1020,
  endReason: 'refresh_reused',
};

const stolen: AdminEvent = {
  position: 7,
  type: 'refresh.reused',
  at: 1020,
  actor: { kind: 'client' },
  clientId: 'demo-legacy',
  data: { reason: 'refresh_reused', presentedFrom: thief, lastUsedFrom: origin },
};

test('D7 a theft shows both origins and why the grant ended', () => {
  const view = viewSession({ session, grants: [grant], events: [stolen] }, [session]);
  assert.equal(view.events[0]?.text, 'A stolen token of Old app without a key came');
  assert.equal(
    view.events[0]?.detail,
    'from Unknown laptop, 192.0.2.7; its owner was last seen from Firefox on Linux, 127.0.0.1',
  );
  assert.equal(view.events[0]?.tone, 'refused');
  assert.equal(view.grants[0]?.because, 'a spent refresh token came again: somebody has a copy');
  assert.equal(view.grants[0]?.isBound, false);
});

test('the session itself is not among the other devices', () => {
  const other = { ...session, sid: 'S2', origin: thief };
  assert.deepEqual(
    viewSession({ session, grants: [], events: [] }, [session, other]).otherDevices.map(({ name }) => name),
    ['Unknown laptop'],
  );
});

test('an ended session says when and why', () => {
  const ended: AdminStory = {
    session: { ...session, state: 'ended', endedAt: 1500, endReason: 'admin' },
    grants: [],
    events: [],
  };
  const view = viewSession(ended, []);
  assert.equal(view.isLive, false);
  assert.deepEqual(view.ended, { at: 1500, because: 'the operator ended it' });
});

test('what the demo has no words for is shown by its name, never left out', () => {
  const odd: AdminEvent = { position: 1, type: 'key.revoked', at: 1, actor: { kind: 'server' } };
  const refusal: AdminEvent = {
    ...stolen,
    type: 'request.refused',
    data: { reason: 'something_new', description: 'said so', origin },
  };
  const { events } = viewSession({ session, grants: [], events: [odd, refusal] }, []);
  assert.equal(events[0]?.text, 'key revoked: an app');
  assert.equal(events[1]?.detail, 'Said so. From Firefox on Linux, 127.0.0.1.');
});
