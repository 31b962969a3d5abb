import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authOf, groupHeaders } from './answers.ts';

test('a route that was forgotten to protect is found at its first request', () => {
  assert.throws(() => authOf({}), { name: 'TypeError', message: /put protect\(edge\) in front/ });
});

test('a header that stands twice stays two', () => {
  const grouped = groupHeaders([
    ['WWW-Authenticate', 'Bearer'],
    ['Retry-After', '1'],
    ['WWW-Authenticate', 'DPoP'],
  ]);
  assert.deepEqual(grouped, [
    ['WWW-Authenticate', ['Bearer', 'DPoP']],
    ['Retry-After', '1'],
  ]);
});
