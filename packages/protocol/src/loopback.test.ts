import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopbackHost, isSecureUrl } from './loopback.ts';

test('loopback is localhost, names under it, 127.0.0.0/8 and ::1, nothing that looks like them', () => {
  for (const host of ['localhost', 'LOCALHOST', 'app.localhost', '127.0.0.1', '127.1.2.3', '[::1]', '::1'])
    assert.equal(isLoopbackHost(host), true, host);
  for (const host of [
    '',
    'localhost.example.com',
    'notlocalhost',
    '127.0.0.1.example.com',
    '128.0.0.1',
    '1127.0.0.1',
    '0.0.0.0',
    '[::2]',
    '10.0.0.1',
  ])
    assert.equal(isLoopbackHost(host), false, host);
});

test('RFC 8252 section 8.3: tokens travel by https, or by http on loopback only', () => {
  for (const url of ['https://id.example.com', 'http://localhost:3000/a', 'http://127.1:80', 'http://[::1]:8080'])
    assert.equal(isSecureUrl(new URL(url)), true, url);
  for (const url of [
    'http://id.example.com',
    'http://localhost.example.com',
    'ftp://localhost',
    'http://127.0.0.1@example.com/',
  ])
    assert.equal(isSecureUrl(new URL(url)), false, url);
});
