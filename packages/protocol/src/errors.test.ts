import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorStatus, refusalReasons } from './errors.ts';

test('every error has a status a client can act on, and none is 500', () => {
  for (const [error, status] of Object.entries(errorStatus)) {
    assert.match(error, /^[a-z_]+$/);
    assert.ok([400, 401, 403, 503].includes(status), error);
  }
});

test('every reason is a name with a sentence, each sentence once', () => {
  for (const [reason, sentence] of Object.entries(refusalReasons)) {
    assert.match(reason, /^[a-z_]+$/);
    assert.match(sentence, /^[A-Z].*\.$/, reason);
  }
  assert.equal(new Set(Object.values(refusalReasons)).size, Object.keys(refusalReasons).length);
});
