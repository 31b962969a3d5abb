import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomId, systemRandom, timeOrderedId, withoutDash } from './random.ts';

describe('ids', () => {
  it('never begin with a dash, which a command line would take for an option', () => {
    assert.equal(withoutDash('-abc'), 'Aabc');
    assert.equal(withoutDash('a-bc'), 'a-bc');
    // 0xf8 in front is a dash in base64url.
    assert.match(
      randomId((size) => new Uint8Array(size).fill(0xfb), 16),
      /^A/,
    );
    assert.ok(!timeOrderedId(Date.UTC(2100, 0), systemRandom).startsWith('-'));
  });

  it('are handed out once, also from the pool', () => {
    const seen = new Set(Array.from({ length: 2000 }, () => randomId(systemRandom, 16)));
    assert.equal(seen.size, 2000);
    assert.equal(systemRandom(4096).length, 4096);
  });

  it('of a later time come later', () => {
    const ids = [1_800_000_000_000, 1_800_000_000_001, 1_900_000_000_000].map((ms) => timeOrderedId(ms, systemRandom));
    const bytes = ids.map((id) => Buffer.from(id, 'base64url').toString('hex'));
    assert.deepEqual([...bytes].sort(), bytes);
  });
});
