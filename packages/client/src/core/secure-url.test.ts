import assert from 'node:assert/strict';
import test from 'node:test';
import { isSecureUrl, parseRedirectUri, parseSecureUrl } from './secure-url.ts';

const cases: [url: string, secure: boolean][] = [
  ['https://auth.example.com', true],
  ['http://localhost:8080', true],
  ['http://app.localhost', true],
  ['http://127.0.0.1:1', true],
  ['http://127.8.9.10', true],
  ['http://[::1]:3000', true],
  ['http://auth.example.com', false],
  ['http://localhost.evil.example', false],
  ['http://127.0.0.1.evil.example', false],
  ['http://notlocalhost', false],
  ['http://10.0.0.1', false],
  ['http://0.0.0.0', false],
  ['ftp://localhost', false],
  ['ws://localhost', false],
  ['file:///etc', false],
];

for (const [url, secure] of cases) {
  test(`B16: secrets ${secure ? 'may' : 'may not'} go to ${url}`, () => {
    assert.equal(isSecureUrl(new URL(url)), secure);
    if (!secure) assert.throws(() => parseSecureUrl(url, 'issuer'), { code: 'insecure_url' });
  });
}

test('an address that is none is a mistake of the caller', () => {
  assert.throws(() => parseSecureUrl('auth.example.com', 'issuer'), TypeError);
});

test('RFC 8252 section 7.1: a native app comes back by a scheme of its own, which holds a dot', () => {
  assert.equal(parseRedirectUri('com.example.app:/callback', 'redirect_uri').href, 'com.example.app:/callback');
  for (const uri of ['myapp:/callback', 'javascript:alert(1)', 'data:text/html,x', 'http://com.example.app/callback'])
    assert.throws(() => parseRedirectUri(uri, 'redirect_uri'), { code: 'insecure_url' });
});

test('a message shows what was given, without what may be secret in it', () => {
  assert.throws(
    () => parseSecureUrl('auth.example.com?a=b', 'issuer'),
    /issuer must be a whole URL .* got "auth.example.com"$/,
  );
});
