import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RememberedTokens } from './remembered-tokens.ts';

const prefix = new Uint8Array(32).fill(1);
const tokens = (count: number, salt = '') => Array.from({ length: count }, (_, i) => `header.${salt}${i}.signature`);

test('a token is remembered under the key that verified it and under no other', () => {
  const remembered = new RememberedTokens({ sizeBytes: 4096, prefix });
  assert.equal(remembered.has('a', 1), false);
  remembered.add('a', 1);
  assert.equal(remembered.has('a', 1), true);
  assert.equal(remembered.has('a', 2), false);
  assert.equal(remembered.has('b', 1), false);
  assert.deepEqual([remembered.status().hits, remembered.status().misses], [1, 3]);
});

test('an empty table knows nothing, not even under key 0', () => {
  const remembered = new RememberedTokens({ sizeBytes: 4096, prefix });
  assert.equal(remembered.has('a', 0), false);
  assert.throws(() => remembered.add('a', 0), TypeError);
});

test('the table is of fixed size, outside the heap, and holds as much as it says', () => {
  const sizeBytes = 4 * 1024 * 1024;
  const remembered = new RememberedTokens({ sizeBytes, prefix });
  const { places, sizeBytes: taken } = remembered.status();
  assert.ok(taken <= sizeBytes && taken > sizeBytes - 4096);
  assert.ok(places > 170_000);
  const some = tokens(places / 8);
  for (const token of some) remembered.add(token, 1);
  const lost = some.filter((token) => !remembered.has(token, 1)).length;
  assert.ok(lost < some.length / 100, `an eighth full it must hold nearly all, lost ${lost} of ${some.length}`);
});

test('a full set overwrites its oldest; the newest of a flood are there', () => {
  const remembered = new RememberedTokens({ sizeBytes: 192, prefix });
  assert.equal(remembered.status().places, 8);
  const all = tokens(20);
  for (const token of all) remembered.add(token, 1);
  assert.deepEqual(
    all.map((token) => remembered.has(token, 1)),
    [...Array(12).fill(false), ...Array(8).fill(true)],
  );
});

test('adding what is there takes no second place', () => {
  const remembered = new RememberedTokens({ sizeBytes: 192, prefix });
  const all = tokens(8);
  for (const token of all) for (let i = 0; i < 3; i++) remembered.add(token, 1);
  assert.equal(
    all.every((token) => remembered.has(token, 1)),
    true,
  );
});

test('a revoked key takes along what was verified with it, and nothing else', () => {
  const remembered = new RememberedTokens({ sizeBytes: 65_536, prefix });
  for (const token of tokens(50, 'a')) remembered.add(token, 1);
  for (const token of tokens(50, 'b')) remembered.add(token, 2);
  remembered.forgetKey(1);
  assert.equal(
    tokens(50, 'a').some((token) => remembered.has(token, 1)),
    false,
  );
  assert.equal(
    tokens(50, 'b').every((token) => remembered.has(token, 2)),
    true,
  );
});

test('two processes place the same token differently, so nobody can aim at a set', () => {
  const one = new RememberedTokens({ sizeBytes: 192 * 16, prefix });
  const other = new RememberedTokens({ sizeBytes: 192 * 16, prefix: new Uint8Array(32).fill(2) });
  const aimed = tokens(2000);
  for (const token of aimed) one.add(token, 1);
  for (const token of aimed) other.add(token, 1);
  const heldBy = (table: RememberedTokens) => aimed.filter((token) => table.has(token, 1)).join();
  assert.notEqual(heldBy(one), heldBy(other));
});

test('a table too small for one set is refused', () => {
  assert.throws(() => new RememberedTokens({ sizeBytes: 100, prefix }), /at least 192/);
});
