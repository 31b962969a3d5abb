import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { type RootKey, RootKeys } from './root-keys.ts';

const first: RootKey = { id: 'AAAAAA', secret: new Uint8Array(32).fill(1), state: 'accepted' };
const second: RootKey = { id: 'BBBBBA', secret: new Uint8Array(32).fill(2), state: 'current' };
const third: RootKey = { id: 'CCCCCA', secret: new Uint8Array(32).fill(3), state: 'refused' };
const keys = new RootKeys([first, second, third]);

describe('root keys', () => {
  it('seal with the current one', () => assert.equal(keys.currentId, 'BBBBBA'));

  it('list what opens, the current one first, and never a refused one', () =>
    assert.deepEqual(keys.acceptedIds, ['BBBBBA', 'AAAAAA']));

  it('without a current one are a mistake', () => {
    assert.throws(() => new RootKeys([first, third]), TypeError);
    assert.throws(() => new RootKeys([]), TypeError);
    assert.throws(() => new RootKeys([{ ...first, id: 'root' }]), TypeError);
  });

  it('derive one key for each purpose by HKDF (RFC 5869), none of them the root key', () => {
    const purposes = [
      'refresh-token',
      'authorization-code',
      'access-token',
      'form',
      'client-secret',
      'stored-secret',
    ] as const;
    const derived = purposes.map((purpose) => keys.derive('AAAAAA', purpose)?.export().toString('hex'));
    assert.equal(new Set(derived).size, purposes.length);
    assert.ok(!derived.includes(Buffer.from(first.secret).toString('hex')));
    assert.equal(
      derived[0],
      Buffer.from(hkdfSync('sha256', first.secret, '', 'tessera/refresh-token/v1', 32)).toString('hex'),
    );
  });

  it('derive the same key each time, and another under another root key', () => {
    const bytes = (id: string) => keys.derive(id, 'form')?.export().toString('hex');
    assert.equal(bytes('AAAAAA'), bytes('AAAAAA'));
    assert.notEqual(bytes('AAAAAA'), bytes('BBBBBA'));
    assert.equal(keys.deriveCurrent('form').export().toString('hex'), bytes('BBBBBA'));
  });

  it('derive nothing from a refused or unknown one', () => {
    for (const id of ['CCCCCA', 'DDDDDA', '', '__proto__', 'AAAAAA/refresh-token'])
      assert.equal(keys.derive(id, 'form'), undefined, id);
  });

  it('authenticate a text under the current key or a named one', () => {
    const tag = createHmac('sha256', keys.deriveCurrent('form')).update('text').digest('base64url');
    assert.equal(keys.authenticate('form', 'text'), `BBBBBA.${tag}`);
    assert.match(keys.authenticate('form', 'text', 'AAAAAA'), /^AAAAAA\.[A-Za-z0-9_-]{43}$/);
    assert.notEqual(keys.authenticate('form', 'text'), keys.authenticate('client-secret', 'text'));
    assert.throws(() => keys.authenticate('form', 'text', 'CCCCCA'), TypeError);
  });
});
