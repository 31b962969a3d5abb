import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatScope, isScopeToken, missingScopes, parseScope } from './scope.ts';

test('a scope parameter is read in its order, each token once', () => {
  assert.deepEqual(parseScope('orders:read openid orders:read'), ['orders:read', 'openid']);
  assert.deepEqual(parseScope(''), []);
  assert.deepEqual(parseScope('  a   b '), ['a', 'b']);
});

test('RFC 6749 appendix A.4: characters a scope token cannot have refuse the whole parameter', () => {
  for (const text of ['a"b', 'a\\b', 'a\tb', 'a\nb', 'ä', 'a\u0000', 'ok a\u007f'])
    assert.equal(parseScope(text), undefined, JSON.stringify(text));
  for (const token of ['', ' ', 'a b']) assert.equal(isScopeToken(token), false);
  for (const token of ['a', '!', '#', '[', ']', '~', 'https://api.example.com/read'])
    assert.equal(isScopeToken(token), true);
});

test('what is formatted is read back', () => {
  const token = fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]{1,10}$/);
  fc.assert(fc.property(fc.uniqueArray(token), (scopes) => assert.deepEqual(parseScope(formatScope(scopes)), scopes)));
});

test('missing scopes are named, compared exactly', () => {
  assert.deepEqual(missingScopes(['a', 'b', 'c'], ['b']), ['a', 'c']);
  assert.deepEqual(missingScopes(['orders'], ['Orders', 'orders:read']), ['orders']);
  assert.deepEqual(missingScopes([], []), []);
});
