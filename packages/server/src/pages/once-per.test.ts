import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oncePer } from './once-per.ts';

test('what is kept for one key is not given for another, and is made once', () => {
  const made: string[] = [];
  const lengths = oncePer((key: string) => {
    made.push(key);
    return key.length;
  });
  assert.deepEqual(['en', 'de-AT', 'en', 'de-AT'].map(lengths), [2, 5, 2, 5]);
  assert.deepEqual(made, ['en', 'de-AT']);
});
