import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { systemRandom } from '../secrets/random.ts';
import { RootKeys } from '../secrets/root-keys.ts';
import { seal } from '../secrets/sealed.ts';
import { sampleSigningKey } from '../store/sample-records.ts';
import { SigningKeys } from './signing-keys.ts';

const rootKeys = new RootKeys([{ id: 'AAAAAA', secret: new Uint8Array(32).fill(1), state: 'current' }]);

/** Keys that sign with one new ES256 key, and its public half. */
function newKeys(): { keys: SigningKeys; publicKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keys = new SigningKeys(rootKeys);
  keys.load([
    sampleSigningKey({
      publicJwk: { ...publicKey.export({ format: 'jwk' }) },
      encryptedPrivateJwk: seal(rootKeys, 'stored-secret', privateKey.export({ format: 'jwk' }), systemRandom),
      state: 'current',
    }),
  ]);
  return { keys, publicKey };
}

describe('an ES256 signature', () => {
  it('has r and s of 32 bytes each, also where one of them begins with zeros (RFC 7518 section 3.4)', () => {
    const { keys, publicKey } = newKeys();
    const met = { r: false, s: false };
    // One in 256 begins with a zero.
    for (let signed = 0; !(met.r && met.s); signed++) {
      assert.ok(signed < 20_000, 'no number that begins with a zero');
      const token = keys.sign('ES256', 'JWT', { signed });
      const end = token.lastIndexOf('.');
      const raw = Buffer.from(token.slice(end + 1), 'base64url');
      assert.equal(raw.length, 64);
      const isGood = verify(
        'sha256',
        Buffer.from(token.slice(0, end)),
        { key: publicKey, dsaEncoding: 'ieee-p1363' },
        raw,
      );
      assert.ok(isGood, raw.toString('hex'));
      met.r ||= raw[0] === 0;
      met.s ||= raw[32] === 0;
    }
  });
});
