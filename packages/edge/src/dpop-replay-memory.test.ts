import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DpopReplayMemory } from './dpop-replay-memory.ts';

const proof = (replayKey: string, forgetAt = 100) => ({ replayKey, forgetAt });

test('C13: the same proof twice is a replay, with the source of the first', () => {
  const memory = new DpopReplayMemory({ capacity: 10 });
  assert.deepEqual(memory.remember(proof('a'), { source: '10.0.0.1' }, 0), { verdict: 'fresh' });
  assert.deepEqual(memory.remember(proof('a'), { source: '10.0.0.2' }, 1), {
    verdict: 'replayed',
    firstSource: '10.0.0.1',
  });
  assert.deepEqual(memory.remember(proof('b'), { source: '10.0.0.2' }, 1), { verdict: 'fresh' });
  assert.deepEqual(
    memory.remember(proof('a', 130), { source: '10.0.0.3' }, 1),
    { verdict: 'replayed', firstSource: '10.0.0.1' },
    'the same jti with another iat',
  );
});

test('a proof is remembered until it could not be accepted any more, and then forgotten', () => {
  const memory = new DpopReplayMemory({ capacity: 10 });
  memory.remember(proof('a', 100), { source: '' }, 0);
  assert.equal(memory.remember(proof('a', 100), { source: '' }, 100).verdict, 'replayed');
  assert.equal(memory.remember(proof('b', 200), { source: '' }, 110).verdict, 'fresh');
  assert.equal(memory.size, 1);
});

test('a full memory refuses what it could not remember, and recovers as proofs lapse', () => {
  const memory = new DpopReplayMemory({ capacity: 2 });
  memory.remember(proof('a', 100), { source: '' }, 0);
  memory.remember(proof('b', 150), { source: '' }, 0);
  assert.equal(memory.remember(proof('c', 150), { source: '' }, 0).verdict, 'full');
  assert.equal(memory.remember(proof('a', 100), { source: '' }, 0).verdict, 'replayed', 'nothing was pushed out');
  assert.equal(memory.remember(proof('c', 150), { source: '' }, 110).verdict, 'fresh');
});

test('a request that is judged twice is no replay of itself, and its copy is one', () => {
  const memory = new DpopReplayMemory({ capacity: 1 });
  const request = { source: '10.0.0.1' };
  assert.equal(memory.remember(proof('a'), request, 0).verdict, 'fresh');
  assert.equal(memory.remember(proof('a'), request, 0).verdict, 'fresh');
  assert.equal(memory.size, 1);
  assert.equal(memory.remember(proof('a'), { ...request }, 0).verdict, 'replayed');
  assert.equal(memory.remember(proof('b'), request, 0).verdict, 'full', 'another proof is judged anew');
});
