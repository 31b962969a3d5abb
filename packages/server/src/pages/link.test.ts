import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appLink, landingOf, webLink } from './link.ts';

test('where one lands is said in words one can check', () => {
  const cases = [
    ['https://app.example/cb?x=1', { kind: 'host', place: 'app.example' }],
    ['https://app.example:8443/cb', { kind: 'host', place: 'app.example:8443' }],
    ['https://bank.example@evil.example/cb', { kind: 'host', place: 'evil.example' }],
    ['https://аррӏе.example/cb', { kind: 'host', place: 'xn--80ak6aa92e.example' }],
    ['http://127.0.0.1:49152/cb', { kind: 'program' }],
    ['http://[::1]/cb', { kind: 'program' }],
    ['com.example.app:/cb', { kind: 'app', place: 'com.example.app' }],
    ['not a uri', undefined],
  ] as const;
  for (const [redirectUri, landing] of cases) assert.deepEqual(landingOf(redirectUri), landing, redirectUri);
});

test('an address that would run script here becomes no link', () => {
  for (const address of [
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc',
    '/relative',
    '',
  ]) {
    assert.equal(webLink(address), undefined, address);
    assert.equal(appLink(address), undefined, address);
  }
  assert.equal(webLink(undefined), undefined);
});

test('an app may be gone back to by its own scheme, but its policy is on the web', () => {
  assert.equal(appLink('com.example.app:/done'), 'com.example.app:/done');
  assert.equal(webLink('com.example.app:/done'), undefined);
  assert.equal(webLink('https://app.example/terms'), 'https://app.example/terms');
});
