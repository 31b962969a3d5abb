import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideByKnowledge, type Knowledge, type StalePolicy } from './stale-policy.ts';

const current: Knowledge = { isCurrent: true };
const stale = (staleForMs: number): Knowledge => ({ isCurrent: false, staleForMs, because: '' });

test('what happens to a token that nothing known speaks against', () => {
  const cases: [Knowledge, StalePolicy, boolean, string][] = [
    [current, 'introspect', true, 'accept'],
    [current, 'refuse', false, 'accept'],
    [current, { serve: 0 }, false, 'accept'],
    [stale(1), 'introspect', true, 'introspect'],
    [stale(1), 'introspect', false, 'refuse'],
    [stale(0), 'refuse', true, 'refuse'],
    [stale(30_000), { serve: 30 }, true, 'accept'],
    [stale(30_001), { serve: 30 }, true, 'refuse'],
    [stale(1), { serve: 0 }, true, 'refuse'],
  ];
  for (const [knowledge, policy, canIntrospect, expected] of cases)
    assert.equal(
      decideByKnowledge(knowledge, policy, canIntrospect),
      expected,
      JSON.stringify([knowledge, policy, canIntrospect]),
    );
});
