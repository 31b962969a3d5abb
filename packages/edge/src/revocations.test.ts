import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Revocation } from '@tessera/protocol';
import { RevocationSet } from './revocations.ts';

const claims = { sid: 's1', grant_id: 'g1', jti: 't1', client_id: 'web', client_epoch: 2, issuer_epoch: 1 };
const session = (sid: string, until = 100): Revocation => ({ kind: 'session', sid, iss: 'i', sub: 'u', until });

test('each kind of ending refuses exactly the tokens it is about', () => {
  const cases: [Revocation, string | undefined][] = [
    [session('s1'), 'session_ended'],
    [session('s2'), undefined],
    [{ kind: 'grant', grant_id: 'g1', until: 100 }, 'grant_ended'],
    [{ kind: 'grant', grant_id: 's1', until: 100 }, undefined],
    [{ kind: 'token', jti: 't1', until: 100 }, 'token_revoked'],
    [{ kind: 'token', jti: 'g1', until: 100 }, undefined],
    [{ kind: 'client-epoch', client_id: 'web', epoch: 3, until: 100 }, 'client_cut_off'],
    [{ kind: 'client-epoch', client_id: 'web', epoch: 2, until: 100 }, undefined],
    [{ kind: 'client-epoch', client_id: 'cli', epoch: 3, until: 100 }, undefined],
    [{ kind: 'issuer-epoch', epoch: 2, until: 100 }, 'issuer_cut_off'],
    [{ kind: 'issuer-epoch', epoch: 1, until: 100 }, undefined],
    [{ kind: 'key', kid: 's1', until: 100 }, undefined],
  ];
  for (const [revocation, expected] of cases) {
    const set = new RevocationSet({ capacity: 10 });
    set.add(revocation, 0);
    assert.equal(set.find(claims)?.reason, expected, JSON.stringify(revocation));
  }
});

test('a token without epochs counts as of epoch 0, and one without session or grant is met by neither', () => {
  const set = new RevocationSet({ capacity: 10 });
  set.add(session('undefined'), 0);
  set.add({ kind: 'client-epoch', client_id: 'web', epoch: 1, until: 100 }, 0);
  assert.equal(set.find({ client_id: 'web', jti: 'x' })?.reason, 'client_cut_off');
  assert.equal(set.find({ client_id: 'cli', jti: 'x' }), undefined);
  for (const odd of ['3', null, {}, Number.NaN])
    assert.equal(
      set.find({ client_id: 'web', client_epoch: odd })?.reason,
      Number.isNaN(odd) ? undefined : 'client_cut_off',
    );
});

test('a lower epoch, or an earlier until, that comes later changes nothing', () => {
  const set = new RevocationSet({ capacity: 10 });
  set.add({ kind: 'client-epoch', client_id: 'web', epoch: 5, until: 100 }, 0);
  set.add({ kind: 'client-epoch', client_id: 'web', epoch: 3, until: 50 }, 0);
  set.add(session('s9', 100), 0);
  set.add(session('s9', 50), 0);
  set.add(session('later', 200), 70);
  assert.equal(set.find(claims)?.reason, 'client_cut_off');
  assert.equal(set.find({ sid: 's9' })?.reason, 'session_ended');
});

test('C12: an entry goes when no token it could concern passes any check, and not before', () => {
  const set = new RevocationSet({ capacity: 10 });
  set.add(session('s1', 100), 0);
  set.add({ kind: 'issuer-epoch', epoch: 9, until: 100 }, 0);
  set.add(session('other', 300), 99);
  assert.equal(set.find({ sid: 's1', issuer_epoch: 9 })?.reason, 'session_ended');
  set.add(session('other2', 300), 160);
  assert.equal(set.find({ sid: 's1', issuer_epoch: 9 }), undefined);
  assert.equal(set.find({ sid: 'x' }), undefined, 'the cut-off has lapsed too');
  assert.equal(set.size, 2);
  set.add(session('lapsed', 150), 160);
  assert.equal(set.size, 2, 'what has lapsed is not entered');
});

test('a full set refuses the next live entry and says so; nothing live is evicted', () => {
  const set = new RevocationSet({ capacity: 3 });
  for (const sid of ['a', 'b', 'c']) set.add(session(sid, 100), 0);
  assert.equal(set.isIncomplete, false);
  set.add(session('a', 200), 0);
  assert.equal(set.isIncomplete, false, 'one that is there needs no room');
  set.add(session('d', 100), 1);
  assert.equal(set.isIncomplete, true);
  for (const sid of ['a', 'b', 'c']) assert.equal(set.find({ sid })?.reason, 'session_ended');
  assert.equal(set.size, 3);
});

test('the cut-off of a client takes a place like every other ending, once', () => {
  const set = new RevocationSet({ capacity: 1 });
  const cutOff = (client_id: string, epoch: number): Revocation => ({
    kind: 'client-epoch',
    client_id,
    epoch,
    until: 100,
  });
  set.add(cutOff('a', 1), 0);
  set.add(cutOff('a', 2), 0);
  assert.equal(set.isIncomplete, false);
  assert.equal(set.find({ client_id: 'a', client_epoch: 1 })?.reason, 'client_cut_off');
  set.add(cutOff('b', 1), 0);
  assert.equal(set.isIncomplete, true);
  assert.equal(set.size, 1);
});

test('lapsed entries make room before anything is refused', () => {
  const set = new RevocationSet({ capacity: 2 });
  set.add(session('a', 10), 0);
  set.add(session('b', 100), 0);
  set.add(session('c', 100), 10);
  assert.equal(set.isIncomplete, false);
  assert.equal(set.find({ sid: 'a' }), undefined);
  assert.equal(set.find({ sid: 'c' })?.reason, 'session_ended');
});

test('during a replacement the old picture and the new one both count; then only the new one', () => {
  const set = new RevocationSet({ capacity: 2 });
  set.add(session('old'), 0);
  set.add(session('both'), 0);
  set.add(session('dropped'), 0);
  assert.equal(set.isIncomplete, true);
  set.beginReplacement();
  set.add(session('both'), 0);
  set.add(session('new'), 0);
  for (const sid of ['old', 'both', 'new']) assert.equal(set.find({ sid })?.reason, 'session_ended', sid);
  set.completeReplacement();
  assert.equal(set.find({ sid: 'old' }), undefined);
  for (const sid of ['both', 'new']) assert.equal(set.find({ sid })?.reason, 'session_ended', sid);
  assert.equal(set.isIncomplete, false, 'the new picture is whole');
});

test('a great many that lapse together go part by part, so that no call of the API waits for all of them', () => {
  const random = (number: number) => createHash('sha256').update(`${number}`).digest('base64url').slice(0, 22);
  const set = new RevocationSet({ capacity: 50_000 });
  for (let number = 0; number < 50_000; number++) set.add(session(random(number), 100), 0);
  let adds = 0;
  for (let before = set.size; set.size > adds; before = set.size) {
    set.add(session(`later${adds++}`, 1000), 200);
    assert.ok(before - set.size < 3000, `${before - set.size} at once`);
    assert.ok(adds < 200, 'but all of them go');
  }
  assert.equal(set.isIncomplete, false);
});

test('a full set finds the places of what has lapsed one part at a time, and all of them', () => {
  const set = new RevocationSet({ capacity: 10_000 });
  for (let number = 0; number < 10_000; number++) set.add(session(`s${number}`, number < 5000 ? 10 : 100), 0);
  let most = 0;
  for (let number = 0; number < 5000; number++) {
    const before = set.size;
    set.add(session(`t${number}`, 100), 11);
    most = Math.max(most, before - set.size);
  }
  assert.ok(most < 1000, `${most} at once`);
  assert.deepEqual([set.isIncomplete, set.size], [false, 10_000]);
  set.add(session('one more', 100), 11);
  assert.equal(set.isIncomplete, true);
});
