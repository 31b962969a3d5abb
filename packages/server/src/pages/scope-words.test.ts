import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupScopes, scopeWords } from './scope-words.ts';

test('standard scopes are said in plain words, in the language of the page', () => {
  assert.equal(scopeWords({ scope: 'offline_access' }, 'en'), 'Keep access when you are away');
  assert.equal(scopeWords({ scope: 'email' }, 'de'), 'Ihre E-Mail-Adresse sehen');
});

test('an operator cannot reword what a standard scope gives away', () => {
  assert.equal(scopeWords({ scope: 'email', description: 'Nothing at all' }, 'en'), 'See your e-mail address');
});

test('a scope of a resource server is said in its own description, or not at all', () => {
  assert.equal(scopeWords({ scope: 'orders:read', description: 'Read your orders' }, 'en'), 'Read your orders');
  assert.equal(scopeWords({ scope: 'orders:read', description: '  ' }, 'en'), undefined);
  assert.equal(scopeWords({ scope: 'constructor' }, 'en'), undefined, 'a name JavaScript knows is no standard scope');
});

test('C7: scopes are grouped by resource server, identity first, absence last, and none is lost', () => {
  const groups = groupScopes(
    [
      { scope: 'offline_access' },
      { scope: 'orders:read', description: 'Read your orders', resourceServer: 'Shop' },
      { scope: 'openid' },
      { scope: 'stock:read', resourceServer: 'Store' },
      { scope: 'orders:write', description: 'Order for you', resourceServer: 'Shop' },
      { scope: 'loose' },
    ],
    'en',
  );
  assert.deepEqual(groups, [
    { heading: 'About you', lines: [{ scope: 'openid', words: "Know that it's you" }] },
    {
      heading: 'Shop',
      lines: [
        { scope: 'orders:read', words: 'Read your orders' },
        { scope: 'orders:write', words: 'Order for you' },
      ],
    },
    { heading: 'Store', lines: [{ scope: 'stock:read', words: undefined }] },
    { heading: 'In this app', lines: [{ scope: 'loose', words: undefined }] },
    { heading: 'When you are away', lines: [{ scope: 'offline_access', words: 'Keep access when you are away' }] },
  ]);
});

test('a resource server named like a group of ours hides nothing and repeats nothing', () => {
  const groups = groupScopes([{ scope: 'openid' }, { scope: 'all', resourceServer: 'About you' }], 'en');
  assert.deepEqual(groups.flatMap(({ lines }) => lines.map(({ scope }) => scope)).sort(), ['all', 'openid']);
});
