import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorStatus, type RefusalReason, refusalReasons } from '@tessera/protocol';
import { type ChallengeContext, refusalOf } from './challenge.ts';

const context: ChallengeContext = { id: 'r1', requirement: {}, isDpopRequired: false };

test('no reason, detail or id of a token ever reaches the wire', () => {
  for (const reason of Object.keys(refusalReasons) as RefusalReason[])
    for (const scheme of [undefined, 'Bearer', 'DPoP'] as const) {
      const refused = { ok: false, reason, detail: 'only for the operator' } as const;
      const about = { clientId: 'web', sessionId: 'sid-secret' };
      const { status, error, headers, body } = refusalOf(refused, { ...context, about, ...(scheme ? { scheme } : {}) });
      const wire = JSON.stringify([status, error, headers, body]);
      assert.doesNotMatch(wire, /operator|sid-secret|web/i, reason);
      if (reason !== 'malformed_request') assert.equal(wire.includes(reason), false, reason);
      assert.ok(error === undefined || error in errorStatus);
    }
});

test('what ended, was forged or is for another API looks the same from outside', () => {
  const alike: RefusalReason[] = [
    'session_ended',
    'grant_ended',
    'token_revoked',
    'client_cut_off',
    'issuer_cut_off',
    'key_revoked',
    'token_inactive',
    'token_signature_wrong',
    'token_audience_wrong',
    'token_key_unknown',
  ];
  const [first, ...others] = alike.map((reason) => {
    const { status, headers, body } = refusalOf({ ok: false, reason }, { ...context, scheme: 'Bearer' });
    return { status, headers, body };
  });
  for (const other of others) assert.deepEqual(other, first);
  assert.equal(first?.status, 401);
});

test('RFC 6750 section 3: the challenge of a refused token', () => {
  const { headers } = refusalOf(
    { ok: false, reason: 'token_expired' },
    {
      ...context,
      scheme: 'Bearer',
      requirement: { scopes: ['a', 'b'] },
      metadataUrl: 'https://api.example.com/.well-known/oauth-protected-resource',
    },
  );
  assert.deepEqual(headers.at(-1), [
    'WWW-Authenticate',
    'Bearer error="invalid_token", error_description="The access token expired", scope="a b", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"',
  ]);
});

test('where DPoP is required only DPoP is offered', () => {
  const { headers } = refusalOf(
    { ok: false, reason: 'token_missing' },
    { ...context, isDpopRequired: true, dpopNonce: 'n1' },
  );
  const challenges = headers.filter(([name]) => name === 'WWW-Authenticate').map(([, value]) => value);
  assert.equal(challenges.length, 1);
  assert.match(String(challenges[0]), /^DPoP algs="ES256/);
  assert.deepEqual(headers.at(-1), ['DPoP-Nonce', 'n1']);
});

test('RFC 9449 section 7.1: a bound token sent as Bearer is answered with a DPoP challenge', () => {
  const { status, headers } = refusalOf({ ok: false, reason: 'dpop_missing' }, { ...context, scheme: 'Bearer' });
  assert.equal(status, 401);
  assert.match(String(headers.at(-1)?.[1]), /^DPoP error="invalid_token"/);
});

test('503 is no challenge: the client is to come back, not to sign in again', () => {
  for (const reason of ['revocations_stale', 'introspection_failed', 'keys_unavailable', 'overloaded'] as const) {
    const { status, headers } = refusalOf({ ok: false, reason }, { ...context, scheme: 'Bearer' });
    assert.equal(status, 503);
    assert.equal(
      headers.some(([name]) => name === 'WWW-Authenticate'),
      false,
    );
    assert.deepEqual(headers.at(-1), ['Retry-After', '1']);
  }
});
