import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DpopNonces } from './dpop-nonce.ts';

const secret = new Uint8Array(32).fill(1);

test('RFC 9449 section 9: a nonce is good in its minute and the next, then foreign', () => {
  const nonces = new DpopNonces(secret);
  const nonce = nonces.current(600);
  assert.equal(nonces.judge(nonce, 600), 'current');
  assert.equal(nonces.judge(nonce, 659), 'current');
  assert.equal(nonces.judge(nonce, 660), 'previous');
  assert.equal(nonces.judge(nonce, 719), 'previous');
  assert.equal(nonces.judge(nonce, 720), 'foreign');
  assert.equal(nonces.judge(nonce, 599), 'foreign', 'nobody can have one from the future');
});

test('a nonce cannot be guessed, and is shared by who shares the secret', () => {
  const nonces = new DpopNonces(secret);
  assert.equal(new DpopNonces(secret).judge(nonces.current(600), 600), 'current');
  assert.equal(new DpopNonces(new Uint8Array(32)).judge(nonces.current(600), 600), 'foreign');
  for (const guess of ['', '10', nonces.current(600).slice(1), `${nonces.current(600)}a`, 'ä'.repeat(11)])
    assert.equal(nonces.judge(guess, 600), 'foreign', guess);
  assert.match(nonces.current(600), /^[A-Za-z0-9_-]{22}$/);
});
