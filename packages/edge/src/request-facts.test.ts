import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCredentials } from './request-facts.ts';

const read = (authorization: string[], url = 'https://api.example.com/orders') => {
  const credentials = readCredentials({ method: 'GET', url, authorization, dpop: [] });
  return credentials.ok ? [credentials.scheme, credentials.token] : credentials.reason;
};

test('B1: the header is the one place a token is taken from', () => {
  const cases: [string[], string | string[]][] = [
    [['Bearer abc.def-_~+/=='], ['Bearer', 'abc.def-_~+/==']],
    [['bEaReR abc'], ['Bearer', 'abc']],
    [['DPoP abc'], ['DPoP', 'abc']],
    [['dpop   abc '], ['DPoP', 'abc']],
    [[], 'token_missing'],
    [[''], 'token_missing'],
    [['Basic YTpi'], 'token_missing'],
    [['Bearerabc'], 'token_missing'],
    [['Bearer'], 'malformed_request'],
    [['Bearer '], 'malformed_request'],
    [['Bearer a b'], 'malformed_request'],
    [['Bearer a, Bearer b'], 'malformed_request'],
    [['Bearer a=b'], 'malformed_request'],
    [['Bearer "abc"'], 'malformed_request'],
    [['Bearer ä'], 'malformed_request'],
    [['Bearer a', 'Bearer a'], 'malformed_request'],
    [['Bearer a', ''], 'malformed_request'],
    [[`Bearer ${'a'.repeat(16_385)}`], 'token_malformed'],
  ];
  for (const [authorization, expected] of cases)
    assert.deepEqual(read(authorization), expected, JSON.stringify(authorization).slice(0, 80));
});

test('B1: a token in the query is refused however it is written; a parameter of a like name is not a token', () => {
  const inQuery = [
    '?access_token=x',
    '?a=b&access_token=x',
    '?access%5Ftoken=x',
    '?%61ccess_token',
    '?access_token',
    '?access_token=x#f',
  ];
  for (const query of inQuery)
    assert.equal(read(['Bearer abc'], `https://api.example.com/${query}`), 'token_in_query', query);
  for (const query of ['?my_access_token=x', '?q=access_token', '#access_token=x', '?Access_Token=x'])
    assert.deepEqual(read(['Bearer abc'], `https://api.example.com/${query}`), ['Bearer', 'abc'], query);
});
