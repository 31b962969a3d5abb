import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathAndQuery } from './request-target.ts';

test('the absolute form of a target is read as its path and query, any other as it is', () => {
  const cases = {
    '/token': '/token',
    '//token': '//token',
    '/authorize?redirect_uri=http://localhost/cb': '/authorize?redirect_uri=http://localhost/cb',
    'http://auth.example.com/token': '/token',
    'HTTPS://auth.example.com:8443/authorize?a=b': '/authorize?a=b',
    'http://auth.example.com': '/',
    'http://auth.example.com?a=b': '/?a=b',
    '*': '*',
    'ftp://auth.example.com/token': 'ftp://auth.example.com/token',
  };
  for (const [target, expected] of Object.entries(cases)) assert.equal(pathAndQuery(target), expected, target);
});
