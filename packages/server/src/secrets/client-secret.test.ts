import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestClientSecret, matchesClientSecret } from './client-secret.ts';
import { RootKeys } from './root-keys.ts';

const first = { id: 'AAAAAA', secret: new Uint8Array(32).fill(1) };
const second = { id: 'BBBBBA', secret: new Uint8Array(32).fill(2) };
const keys = new RootKeys([{ ...first, state: 'current' }]);
const secret = 'nOt7a-R3al.secret_0123456789abcdefghijkl';
const digest = digestClientSecret(keys, secret);

describe('a client secret', () => {
  it('C20: is not in its digest', () => {
    assert.match(digest, /^AAAAAA\.[A-Za-z0-9_-]{43}$/);
    assert.ok(!digest.includes(secret));
  });

  const cases: { name: string; presented: string; digest: string; expected: boolean }[] = [
    { name: 'matches its digest', presented: secret, digest, expected: true },
    { name: 'another one does not', presented: `${secret}x`, digest, expected: false },
    { name: 'a shorter one does not', presented: secret.slice(1), digest, expected: false },
    { name: 'an empty one does not', presented: '', digest, expected: false },
    { name: 'in other case it does not', presented: secret.toUpperCase(), digest, expected: false },
    { name: 'the digest itself is no secret', presented: digest, digest, expected: false },
    { name: 'nothing matches a digest without key', presented: secret, digest: digest.slice(7), expected: false },
    {
      name: 'nothing matches a digest of an unknown key',
      presented: secret,
      digest: `CCCCCA${digest.slice(6)}`,
      expected: false,
    },
    { name: 'nothing matches an empty digest', presented: secret, digest: '', expected: false },
    { name: 'nothing matches a digest that is cut off', presented: secret, digest: 'AAAAAA.', expected: false },
    {
      name: 'not even the empty secret matches a digest that is cut off',
      presented: '',
      digest: 'AAAAAA.',
      expected: false,
    },
  ];
  for (const { name, presented, digest, expected } of cases)
    it(name, () => assert.equal(matchesClientSecret(keys, presented, digest), expected));

  it('matches after a rotation of the root key, and not once that key is refused', () => {
    const current = { ...second, state: 'current' } as const;
    assert.equal(matchesClientSecret(new RootKeys([current, { ...first, state: 'accepted' }]), secret, digest), true);
    assert.equal(matchesClientSecret(new RootKeys([current, { ...first, state: 'refused' }]), secret, digest), false);
  });

  it('cannot be checked with the digest alone: another root key gives another digest', () =>
    assert.notEqual(digestClientSecret(new RootKeys([{ ...second, id: 'AAAAAA', state: 'current' }]), secret), digest));
});
