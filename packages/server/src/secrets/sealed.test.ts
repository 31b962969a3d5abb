import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { systemRandom } from './random.ts';
import { type Purpose, RootKeys } from './root-keys.ts';
import { sameText, seal, unseal } from './sealed.ts';

const first = { id: 'AAAAAA', secret: new Uint8Array(32).fill(1) };
const second = { id: 'BBBBBA', secret: new Uint8Array(32).fill(2) };
const keys = new RootKeys([{ ...first, state: 'current' }]);
const purposes: Purpose[] = [
  'refresh-token',
  'authorization-code',
  'access-token',
  'authorization-request',
  'form',
  'known-browser',
  'dpop-nonce',
  'client-secret',
  'stored-secret',
];

describe('a sealed value', () => {
  it('comes back as it was, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const back = unseal(keys, 'form', seal(keys, 'form', value, systemRandom));
        assert.deepEqual(back, JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('opens for the purpose it was sealed for and for no other', () => {
    for (const purpose of purposes) {
      const text = seal(keys, purpose, 'value', systemRandom);
      for (const other of purposes)
        assert.equal(unseal(keys, other, text), purpose === other ? 'value' : undefined, `${purpose} as ${other}`);
    }
  });

  it('never has the same text twice, and never the same key', () => {
    const texts = new Set(Array.from({ length: 100 }, () => seal(keys, 'form', 'value', systemRandom)));
    assert.equal(texts.size, 100);
    // The nonce is constant, so two texts under one salt would give the plaintexts away: the salt must come from `random`.
    const salted = seal(keys, 'form', 'value', (size) => new Uint8Array(size).fill(3));
    assert.equal(
      seal(keys, 'form', 'value', (size) => new Uint8Array(size).fill(3)),
      salted,
    );
    assert.notEqual(seal(keys, 'form', 'value', (size) => new Uint8Array(size).fill(4)).slice(28), salted.slice(28));
  });

  it('with any bit of any byte changed does not open', () => {
    const bytes = Buffer.from(seal(keys, 'form', { a: 1 }, systemRandom), 'base64url');
    for (let at = 0; at < bytes.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        const forged = Buffer.from(bytes);
        forged[at] = (forged[at] as number) ^ (1 << bit);
        assert.equal(unseal(keys, 'form', forged.toString('base64url')), undefined, `byte ${at}, bit ${bit}`);
      }
  });

  it('cut short, grown or empty does not open', () => {
    const bytes = Buffer.from(seal(keys, 'form', { a: 1 }, systemRandom), 'base64url');
    for (let length = 0; length < bytes.length; length++)
      assert.equal(unseal(keys, 'form', bytes.subarray(0, length).toString('base64url')), undefined, `${length} bytes`);
    assert.equal(unseal(keys, 'form', Buffer.concat([bytes, Buffer.alloc(1)]).toString('base64url')), undefined);
  });

  it('has one spelling: other base64 of the same bytes does not open', () => {
    // Value lengths of which the text ends in unused bits, so that other last characters decode to the same bytes.
    for (const value of ['', 'x', 'xx', 'xxx']) {
      const text = seal(keys, 'form', value, systemRandom);
      const bytes = Buffer.from(text, 'base64url');
      assert.equal(unseal(keys, 'form', text), value);
      for (const spelling of [
        `${text}=`,
        `${text}==`,
        `${text}\n`,
        ` ${text}`,
        `${text.slice(0, 5)}.${text.slice(5)}`,
        bytes.toString('base64'),
      ])
        if (spelling !== text) assert.equal(unseal(keys, 'form', spelling), undefined, spelling);
      for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
        if (!text.endsWith(last)) assert.equal(unseal(keys, 'form', text.slice(0, -1) + last), undefined, last);
    }
  });

  it('opens after a rotation of the root key, and not once that key is refused or unknown', () => {
    const text = seal(keys, 'form', 'value', systemRandom);
    const current = { ...second, state: 'current' } as const;
    assert.equal(unseal(new RootKeys([current, { ...first, state: 'accepted' }]), 'form', text), 'value');
    assert.equal(unseal(new RootKeys([current, { ...first, state: 'refused' }]), 'form', text), undefined);
    assert.equal(unseal(new RootKeys([current]), 'form', text), undefined);
    assert.equal(unseal(new RootKeys([{ ...second, id: 'AAAAAA', state: 'current' }]), 'form', text), undefined);
  });

  it('nothing that a stranger makes up opens or throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(unseal(keys, 'form', text), undefined)),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const text = Buffer.concat([Buffer.from('AAAAAA', 'base64url'), bytes]).toString('base64url');
        assert.equal(unseal(keys, 'form', text), undefined);
      }),
    );
  });
});

describe('comparing two texts', () => {
  const cases: [string, string, boolean][] = [
    ['', '', true],
    ['abc', 'abc', true],
    ['abc', 'abd', false],
    ['abc', 'ab', false],
    ['abc', 'abcd', false],
    ['é', 'e\u0301', false],
    ['ab', 'é', false],
  ];
  for (const [a, b, expected] of cases)
    it(`${JSON.stringify(a)} and ${JSON.stringify(b)} are ${expected ? 'the same' : 'not the same'}`, () =>
      assert.equal(sameText(a, b), expected));
});
