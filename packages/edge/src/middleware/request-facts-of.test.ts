import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathAndQueryOf, requestUrl } from './request-facts-of.ts';

test('a target never changes the host of the URL', () => {
  const cases: [base: string, target: string, url: string][] = [
    ['https://api.example.com', '/orders?a=1', 'https://api.example.com/orders?a=1'],
    ['https://api.example.com/v1/', '/orders', 'https://api.example.com/v1/orders'],
    ['https://api.example.com', '//evil.example.com/x', 'https://api.example.com//evil.example.com/x'],
    ['https://api.example.com', 'http://evil.example.com/x?y', 'https://api.example.com/x?y'],
    ['https://api.example.com', '*', 'https://api.example.com/'],
    ['https://api.example.com', '@evil.example.com/', 'https://api.example.com/'],
    ['https://api.example.com', '', 'https://api.example.com/'],
  ];
  for (const [base, target, url] of cases) {
    assert.equal(requestUrl(base, target), url);
    assert.equal(new URL(requestUrl(base, target)).host, 'api.example.com');
  }
  assert.equal(pathAndQueryOf('https://api.example.com/a?b#c'), '/a?b');
});
