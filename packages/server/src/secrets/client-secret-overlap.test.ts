import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesClientSecret } from './client-secret.ts';
import { liveSecretDigests, replaceSecret, secretEnds } from './client-secret-overlap.ts';
import { RootKeys } from './root-keys.ts';

test('a replaced secret is good for the overlap and no longer, and an end is never moved back', () => {
  const first = ['k.one'];
  const second = replaceSecret(first, 'k.two', 60, 1000);
  const third = replaceSecret(second, 'k.three', 3600, 1030);
  assert.deepEqual(secretEnds(third, 1030), [null, 4630, 1060]);
  assert.deepEqual(liveSecretDigests(third, 1059), ['k.three', 'k.two', 'k.one']);
  assert.deepEqual(liveSecretDigests(third, 1060), ['k.three', 'k.two']);
  assert.deepEqual(liveSecretDigests(third, 4630), ['k.three']);
});

test('without an overlap the old secret is gone at once', () => {
  assert.deepEqual(replaceSecret(['k.one', '2000~k.zero'], 'k.two', 0, 1000), ['k.two']);
});

test('no more than five secrets are good at once', () => {
  let kept: string[] = [];
  for (let round = 0; round < 9; round++) kept = replaceSecret(kept, `k.${round}`, 60, 1000);
  assert.deepEqual(liveSecretDigests(kept, 1000), ['k.8', 'k.7', 'k.6', 'k.5', 'k.4']);
});

test('a digest with an end matches nothing where its end is not looked at', () => {
  const keys = new RootKeys([{ id: 'AAAAAA', secret: new Uint8Array(32), state: 'current' }]);
  const digest = keys.authenticate('client-secret', 'the secret');
  const [, old = ''] = replaceSecret([digest], 'AAAAAA.new', 60, 1000);
  assert.equal(matchesClientSecret(keys, 'the secret', old), false);
  assert.equal(matchesClientSecret(keys, 'the secret', liveSecretDigests([old], 1000)[0] ?? ''), true);
});
