import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DpopClient } from './testing/dpop-client.ts';
import { type EdgeUnderTest, edgeUnderTest } from './testing/edge-under-test.ts';

const url = 'https://api.example.com/orders';

describe('a token bound to a key', () => {
  let at: EdgeUnderTest;
  let client: DpopClient;
  let accessToken: string;
  before(async () => {
    at = await edgeUnderTest({ allowRevokedUntilExpiry: true });
    client = await DpopClient.create();
    accessToken = await at.issuer.accessToken({ cnf: { jkt: client.jkt } });
  });
  after(() => at.close());

  const proof = (changes: Record<string, unknown> = {}) =>
    client.proof({ method: 'GET', url, accessToken, now: at.clock.seconds }, changes);
  const judge = async (edge: EdgeUnderTest, dpop: string[], token = accessToken, scheme = 'DPoP') => {
    const verification = await edge.judge('', { authorization: [`${scheme} ${token}`], dpop });
    return verification.ok ? 'accepted' : verification.reason;
  };

  test('is accepted with a fresh proof by its key, which the result names', async () => {
    const verification = await at.judge('', { authorization: [`DPoP ${accessToken}`], dpop: [await proof()] });
    assert.ok(verification.ok);
    assert.equal(verification.token.keyThumbprint, client.jkt);
  });

  test('RFC 9449 section 7.2: sent as Bearer it is refused, with and without a proof', async () => {
    assert.equal(await judge(at, [], accessToken, 'Bearer'), 'dpop_missing');
    assert.equal(await judge(at, [await proof()], accessToken, 'Bearer'), 'dpop_missing');
  });

  test('an unbound token is refused with the DPoP scheme, since the proof would prove nothing', async () => {
    const unbound = await at.issuer.accessToken();
    const dpop = [await client.proof({ method: 'GET', url, accessToken: unbound, now: at.clock.seconds })];
    assert.equal(await judge(at, dpop, unbound), 'dpop_key_mismatch');
  });

  test('RFC 7800 section 3.1: a confirmation that cannot be checked refuses under either scheme', async () => {
    for (const cnf of [{ 'x5t#S256': 'a' }, {}, null, 'text', { jkt: 5 }]) {
      const token = await at.issuer.accessToken({ cnf });
      assert.equal(await judge(at, [], token, 'Bearer'), 'dpop_key_mismatch', JSON.stringify(cnf));
      assert.equal(await judge(at, [await proof()], token), 'dpop_key_mismatch', JSON.stringify(cnf));
    }
  });

  test('a proof for another token, method or URL is refused', async () => {
    for (const changes of [
      { ath: 'x' },
      { ath: undefined },
      { htm: 'POST' },
      { htu: 'https://api.example.com/other' },
      { iat: at.clock.seconds + 6, htm: 'POST' },
    ])
      assert.equal(await judge(at, [await proof(changes)]), 'dpop_invalid', JSON.stringify(changes));
  });

  test('RFC 9449 section 4.3, check 11: a proof of another time is refused, unless a nonce tells that it was made just now', async () => {
    for (const iat of [at.clock.seconds - 66, at.clock.seconds + 6, at.clock.seconds + 7200]) {
      const asked = await at.judge('', { authorization: [`DPoP ${accessToken}`], dpop: [await proof({ iat })] });
      assert.ok(!asked.ok && asked.reason === 'dpop_nonce_required' && asked.error === 'use_dpop_nonce');
      const nonce = asked.headers.find(([name]) => name === 'DPoP-Nonce')?.[1];
      const dpop = [await proof({ iat, nonce })];
      assert.equal(await judge(at, dpop), 'accepted');
      assert.equal(await judge(at, dpop), 'dpop_replayed');
      assert.equal(await judge(at, [await proof({ iat, nonce: 'made-up' })]), 'dpop_nonce_required');
      assert.equal(await judge(at, [await proof({ nonce: 'made-up' })]), 'accepted', 'none is demanded of the others');
    }
  });

  test('a replayed proof is refused also when the first call lacked a scope', async () => {
    const dpop = [await proof()];
    const request = { authorization: [`DPoP ${accessToken}`], dpop };
    const first = await at.judge('', request, { scopes: ['orders:write'] });
    assert.ok(!first.ok && first.reason === 'scope_missing');
    assert.equal(await judge(at, dpop), 'dpop_replayed');
  });

  test('a refused proof uses up nothing', async () => {
    const dpop = [await proof()];
    const wrong = await at.judge('', { method: 'POST', authorization: [`DPoP ${accessToken}`], dpop });
    assert.ok(!wrong.ok);
    assert.equal(await judge(at, dpop), 'accepted');
  });

  test('where binding is required an unbound token is refused', async () => {
    const strict = at.another({ dpop: { isRequired: true } });
    assert.equal(await judge(strict, [], await at.issuer.accessToken(), 'Bearer'), 'dpop_missing');
    assert.equal(await judge(strict, [await proof()]), 'accepted');
  });

  test('when the memory is full the next proof is refused with 503, not accepted unremembered', async () => {
    const small = at.another({ dpop: { replayCapacity: 1 } });
    assert.equal(await judge(small, [await proof()]), 'accepted');
    assert.equal(await judge(small, [await proof()]), 'overloaded');
    at.clock.seconds += 90;
    assert.equal(await judge(small, [await proof()]), 'accepted');
  });

  test('RFC 9449 section 9: nonces are asked for, renewed and not outlived', async () => {
    const strict = at.another({ dpop: { nonces: true } });
    const nonceOf = async (dpop: string[]) => {
      const verification = await strict.judge('', { authorization: [`DPoP ${accessToken}`], dpop });
      const headers = verification.ok ? verification.responseHeaders : verification.headers;
      return {
        reason: verification.ok ? 'accepted' : verification.reason,
        nonce: headers.find(([name]) => name === 'DPoP-Nonce')?.[1],
      };
    };
    const asked = await nonceOf([await proof()]);
    assert.equal(asked.reason, 'dpop_nonce_required');
    const { nonce } = asked;
    assert.deepEqual(await nonceOf([await proof({ nonce })]), { reason: 'accepted', nonce: undefined });
    at.clock.seconds += 60;
    const renewed = await nonceOf([await proof({ nonce })]);
    assert.equal(renewed.reason, 'accepted');
    assert.ok(renewed.nonce && renewed.nonce !== nonce, 'a new one comes along before the old one ends');
    at.clock.seconds += 60;
    assert.equal((await nonceOf([await proof({ nonce })])).reason, 'dpop_nonce_required');
    assert.equal((await nonceOf([await proof({ nonce: 'made-up' })])).reason, 'dpop_nonce_required');
  });
});
