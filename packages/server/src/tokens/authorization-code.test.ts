import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemRandom } from '../secrets/random.ts';
import { RootKeys } from '../secrets/root-keys.ts';
import { seal } from '../secrets/sealed.ts';
import { type AuthorizationCode, openAuthorizationCode, sealAuthorizationCode } from './authorization-code.ts';

const first = { id: 'AAAAAA', secret: new Uint8Array(32).fill(1) };
const second = { id: 'BBBBBA', secret: new Uint8Array(32).fill(2) };
const keys = new RootKeys([{ ...first, state: 'current' }]);

const code: AuthorizationCode = {
  grantId: 'grantgrantgrantgrantgQ',
  clientId: 'spa',
  userId: 'user-1',
  sid: 'sid-1',
  redirectUri: 'https://spa.example.com/callback',
  scopes: ['openid', 'orders:read'],
  resources: ['https://api.example.com/orders'],
  kind: 'session',
  authTime: 1_800_000_000,
  amr: ['pwd'],
  acr: 'urn:tessera:acr:password',
  codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  nonce: 'n-0S6_WzA2Mj',
  claims: { userinfo: { email: null } },
  dpopJkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
  clientEpoch: 1,
  issuerEpoch: 2,
  expiresAt: 1_800_000_060,
};

describe('an authorization code', () => {
  it('carries all that its redemption needs: to who made it, to who sees it again, and to another node', () => {
    const another = new RootKeys([{ ...first, state: 'current' }]);
    for (const made of [code, { ...code, redirectUri: undefined }]) {
      const text = sealAuthorizationCode(keys, made, systemRandom);
      for (const opener of [keys, keys, another, keys])
        assert.deepEqual({ redirectUri: undefined, ...openAuthorizationCode(opener, text) }, made);
    }
  });

  it('is told from others made before and after it, however many', () => {
    const codes = Array.from({ length: 3000 }, (_, index) => ({ ...code, nonce: `n-${index}` }));
    const texts = codes.map((one) => sealAuthorizationCode(keys, one, systemRandom));
    for (const [index, text] of texts.entries()) assert.deepEqual(openAuthorizationCode(keys, text), codes[index]);
    // Of two with one salt, which only a broken source of randomness makes, each is still its own.
    const salt = (size: number) => new Uint8Array(size).fill(7);
    const twins = [sealAuthorizationCode(keys, code, salt), sealAuthorizationCode(keys, { ...code, nonce: 'b' }, salt)];
    const nonces = twins.map((text) => openAuthorizationCode(keys, text)?.nonce);
    assert.deepEqual(nonces, [code.nonce, 'b']);
  });

  it('fits a URL and shows nothing of what it carries', () => {
    const text = sealAuthorizationCode(keys, code, systemRandom);
    assert.match(text, /^[A-Za-z0-9_-]+$/);
    const bytes = Buffer.from(text, 'base64url').toString('latin1');
    for (const part of ['spa', 'user-1', 'sid-1', 'openid', 'E9Melhoa', 'n-0S6'])
      assert.ok(!bytes.includes(part), part);
  });

  it('is another text each time', () =>
    assert.notEqual(sealAuthorizationCode(keys, code, systemRandom), sealAuthorizationCode(keys, code, systemRandom)));

  it('opens after a rotation of the root key, and not once that key is refused', () => {
    const text = sealAuthorizationCode(keys, code, systemRandom);
    const ring = (state: 'accepted' | 'refused') =>
      new RootKeys([
        { ...second, state: 'current' },
        { ...first, state },
      ]);
    assert.deepEqual(openAuthorizationCode(ring('accepted'), text), code);
    assert.equal(openAuthorizationCode(ring('refused'), text), undefined);
  });

  it('is not something else that the server sealed', () => {
    for (const purpose of ['access-token', 'authorization-request', 'stored-secret', 'known-browser'] as const)
      assert.equal(openAuthorizationCode(keys, seal(keys, purpose, code, systemRandom)), undefined, purpose);
  });

  it('with any byte changed does not open', () => {
    const bytes = Buffer.from(sealAuthorizationCode(keys, code, systemRandom), 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      const forged = Buffer.from(bytes);
      forged[at] = (forged[at] as number) ^ 0x10;
      assert.equal(openAuthorizationCode(keys, forged.toString('base64url')), undefined, `byte ${at}`);
    }
    assert.deepEqual(openAuthorizationCode(keys, bytes.toString('base64url')), code);
  });
});
