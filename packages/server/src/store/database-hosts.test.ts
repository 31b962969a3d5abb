import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitHosts } from './database-hosts.ts';

test('a connection string that names several hosts is one for each, in their order', () => {
  const cases: [string, string[]][] = [
    ['postgres://u:p@h/db', ['postgres://u:p@h/db']],
    ['postgres://u:p@a,b/db?x=1', ['postgres://u:p@a/db?x=1', 'postgres://u:p@b/db?x=1']],
    ['postgresql://a:5432,b:5433/db', ['postgresql://a:5432/db', 'postgresql://b:5433/db']],
    ['postgres://u:p,q@h/db', ['postgres://u:p,q@h/db']],
    ['postgres:///db?user=u&host=%2Fa%2C%2Fb', ['postgres:///db?user=u&host=%2Fa', 'postgres:///db?user=u&host=%2Fb']],
    ['postgres:///db?host=a,b&port=1,2', ['postgres:///db?host=a&port=1', 'postgres:///db?host=b&port=2']],
    ['postgres:///db?host=a,b&port=1', ['postgres:///db?host=a&port=1', 'postgres:///db?host=b&port=1']],
  ];
  for (const [given, expected] of cases) assert.deepEqual(splitHosts(given), expected, given);
});
