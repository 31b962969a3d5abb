import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RootKeys } from '../secrets/root-keys.ts';
import {
  digestGrantSecret,
  highestGeneration,
  openRefreshToken,
  type RefreshToken,
  sealRefreshToken,
} from './refresh-token.ts';

const first = { id: 'AAAAAA', secret: new Uint8Array(32).fill(1) };
const second = { id: 'BBBBBA', secret: new Uint8Array(32).fill(2) };
const keys = new RootKeys([{ ...first, state: 'current' }]);
const rotated = new RootKeys([
  { ...first, state: 'accepted' },
  { ...second, state: 'current' },
]);
const refusing = new RootKeys([
  { ...first, state: 'refused' },
  { ...second, state: 'current' },
]);

const token: RefreshToken = {
  keyId: 'AAAAAA',
  grantId: 'AYgrantgrantgrantgranQ',
  generation: 7,
  secret: new Uint8Array(16).fill(9),
};

function sealed(changes: Partial<RefreshToken> = {}, ring = keys): string {
  const text = sealRefreshToken(ring, { ...token, ...changes });
  assert.ok(text);
  return text;
}

function opened(text: string, ring = keys): RefreshToken | undefined {
  const found = openRefreshToken(ring, text);
  return found && { ...found, secret: new Uint8Array(found.secret) };
}

describe('a refresh token', () => {
  it('A11 B4: is opaque, of one width, and no JWT', () => {
    for (const generation of [0, 1, 255, 65_536, highestGeneration])
      assert.match(sealed({ generation }), /^tsr_[A-Za-z0-9_-]{96}$/);
  });

  it('says when it is opened what it was sealed with', () => {
    const tokens = fc.record({
      keyId: fc.constant('AAAAAA'),
      grantId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
      generation: fc.nat({ max: highestGeneration }),
      secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    });
    fc.assert(
      fc.property(tokens, (one) => {
        assert.deepEqual(opened(sealed(one)), { ...one, secret: new Uint8Array(one.secret) });
      }),
    );
  });

  it('is the same text again from the same input, whoever computes it and whatever key is current by then', () => {
    const before = sealed();
    assert.equal(sealed(), before);
    assert.equal(sealed({}, new RootKeys([{ ...first, state: 'current' }])), before);
    assert.equal(sealed({}, rotated), before);
    assert.notEqual(sealed({ keyId: 'BBBBBA' }, rotated), before);
  });

  it('differs in every part that differs', () => {
    const texts = new Set([
      sealed(),
      sealed({ generation: 8 }),
      sealed({ grantId: 'AYgrantgrantgrantgraoQ' }),
      sealed({ secret: new Uint8Array(16).fill(8) }),
    ]);
    assert.equal(texts.size, 4);
  });

  it('opens while its key is accepted, and not once it is refused', () => {
    assert.deepEqual(opened(sealed(), rotated), token);
    assert.equal(opened(sealed(), refusing), undefined);
    assert.equal(sealRefreshToken(refusing, token), undefined);
  });

  it('is not sealed under a key that nobody has', () => {
    assert.equal(sealRefreshToken(keys, { ...token, keyId: 'CCCCCA' }), undefined);
  });
});

describe('a forged refresh token', () => {
  it('with any bit of any byte changed does not open', () => {
    const bytes = Buffer.from(sealed().slice(4), 'base64url');
    assert.equal(bytes.length, 72);
    for (let at = 0; at < bytes.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        const forged = Buffer.from(bytes);
        forged[at] = (forged[at] as number) ^ (1 << bit);
        assert.equal(opened(`tsr_${forged.toString('base64url')}`, rotated), undefined, `byte ${at}, bit ${bit}`);
      }
  });

  it('with any character changed does not open: one token has one text', () => {
    const text = sealed();
    for (let at = 0; at < text.length; at++)
      for (const other of ['A', 'b', '-', '_', '=', '+', ' ', '\n', 'é'])
        if (text[at] !== other)
          assert.equal(opened(text.slice(0, at) + other + text.slice(at + 1)), undefined, `${at}: ${other}`);
  });

  it('of another width or prefix does not open', () => {
    const text = sealed();
    const forms = [
      '',
      'tsr_',
      text.slice(0, -1),
      `${text}A`,
      `${text}==`,
      ` ${text}`,
      `${text}\n`,
      text.toUpperCase(),
      text.slice(4),
      `tsa_${text.slice(4)}`,
    ];
    for (const form of forms) assert.equal(opened(form), undefined, JSON.stringify(form));
  });

  it('made of two right ones does not open', () => {
    const [mine, other] = [
      Buffer.from(sealed().slice(4), 'base64url'),
      Buffer.from(sealed({ generation: 8 }).slice(4), 'base64url'),
    ];
    const spliced = Buffer.concat([other.subarray(0, 40), mine.subarray(40)]);
    assert.equal(opened(`tsr_${spliced.toString('base64url')}`), undefined);
  });

  it('moved to another accepted key does not open', () => {
    const bytes = Buffer.from(sealed().slice(4), 'base64url');
    bytes.write('BBBBBA', 0, 4, 'base64url');
    assert.equal(opened(`tsr_${bytes.toString('base64url')}`, rotated), undefined);
  });

  it('sealed with the root key itself, or with the key of another purpose, does not open', () => {
    const body = Buffer.from(sealed().slice(4), 'base64url').subarray(0, 40);
    for (const key of [
      first.secret,
      keys.deriveCurrent('form'),
      keys.deriveCurrent('client-secret'),
      keys.deriveCurrent('access-token'),
    ]) {
      const forged = Buffer.concat([body, createHmac('sha256', key).update(body).digest()]);
      assert.equal(opened(`tsr_${forged.toString('base64url')}`), undefined);
    }
    const right = Buffer.concat([
      body,
      createHmac('sha256', keys.deriveCurrent('refresh-token')).update(body).digest(),
    ]);
    assert.deepEqual(opened(`tsr_${right.toString('base64url')}`), token);
  });
});

describe('the digest of a grant secret', () => {
  it('is not the secret, and differs with every bit of it', () => {
    const digest = digestGrantSecret(token.secret);
    assert.match(digest, /^[A-Za-z0-9_-]{43}$/);
    for (let at = 0; at < 16; at++) {
      const other = new Uint8Array(token.secret);
      other[at] = (other[at] as number) ^ 1;
      assert.notEqual(digestGrantSecret(other), digest);
    }
  });
});
