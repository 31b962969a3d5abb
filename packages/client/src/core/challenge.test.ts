import assert from 'node:assert/strict';
import test from 'node:test';
import { decideResend, type Remedies, type Resend } from './challenge.ts';

type Case = {
  name: string;
  status?: number;
  challenge?: string;
  nonce?: string;
  sentNonce?: string;
  isBound?: boolean;
  tried?: Remedies;
  expected: Resend;
};

const cases: Case[] = [
  { name: 'a 401 without reason asks for a new token', expected: 'refresh' },
  { name: 'invalid_token asks for a new token', challenge: 'DPoP error="invalid_token"', expected: 'refresh' },
  { name: 'an unquoted error counts', challenge: 'Bearer error=invalid_token', expected: 'refresh' },
  {
    name: 'a description that talks of errors does not',
    challenge: 'Bearer error_description="x"',
    expected: 'refresh',
  },
  {
    name: 'use_dpop_nonce with a nonce asks for a proof',
    challenge: 'DPoP error="use_dpop_nonce"',
    nonce: 'n',
    expected: 'nonce',
  },
  {
    name: 'use_dpop_nonce beside a bearer challenge too',
    challenge: 'Bearer realm="a", DPoP algs="ES256", error="use_dpop_nonce"',
    nonce: 'n',
    expected: 'nonce',
  },
  {
    name: 'use_dpop_nonce without a nonce is a dead end',
    challenge: 'DPoP error="use_dpop_nonce"',
    expected: 'nothing',
  },
  {
    name: 'use_dpop_nonce with the nonce just sent is a dead end',
    challenge: 'DPoP error="use_dpop_nonce"',
    nonce: 'n',
    sentNonce: 'n',
    expected: 'nothing',
  },
  { name: 'a new nonce with a hidden challenge is tried first', nonce: 'n', expected: 'nonce' },
  {
    name: 'then, still hidden, a new token',
    nonce: 'n2',
    sentNonce: 'n',
    tried: { nonce: 1, clock: 0, refresh: 0 },
    expected: 'refresh',
  },
  {
    name: 'the new token may need a nonce again',
    nonce: 'n3',
    sentNonce: 'n2',
    tried: { nonce: 1, clock: 0, refresh: 1 },
    expected: 'nonce',
  },
  {
    name: 'and that is all',
    nonce: 'n4',
    sentNonce: 'n3',
    tried: { nonce: 2, clock: 0, refresh: 1 },
    expected: 'nothing',
  },
  {
    name: 'invalid_token with a new nonce needs a token, not a proof',
    challenge: 'DPoP error="invalid_token"',
    nonce: 'n',
    expected: 'refresh',
  },
  {
    name: 'a second invalid_token ends it',
    challenge: 'DPoP error="invalid_token"',
    tried: { nonce: 0, clock: 0, refresh: 1 },
    expected: 'nothing',
  },
  { name: 'a bearer token has no use for a nonce', nonce: 'n', isBound: false, expected: 'refresh' },
  {
    name: 'a step-up is for the user, not for a new token (RFC 9470)',
    challenge: 'Bearer error="insufficient_user_authentication", acr_values="high"',
    expected: 'nothing',
  },
  {
    name: 'an invalid proof is not mended by a new token, perhaps by the right time',
    challenge: 'DPoP error="invalid_dpop_proof"',
    expected: 'clock',
  },
  {
    name: 'an invalid proof with the right time stands',
    challenge: 'DPoP error="invalid_dpop_proof"',
    tried: { nonce: 0, clock: 1, refresh: 0 },
    expected: 'nothing',
  },
  { name: 'a 403 stands (A21)', status: 403, challenge: 'Bearer error="insufficient_scope"', expected: 'nothing' },
  { name: 'a 200 stands', status: 200, nonce: 'n', expected: 'nothing' },
  { name: 'a 500 stands', status: 500, expected: 'nothing' },
];

for (const {
  name,
  status = 401,
  challenge,
  nonce,
  sentNonce,
  isBound = true,
  tried = { nonce: 0, clock: 0, refresh: 0 },
  expected,
} of cases) {
  test(`B13: ${name}`, () => {
    const headers: Record<string, string | undefined> = { 'www-authenticate': challenge, 'dpop-nonce': nonce };
    const answer = { status, header: (header: string) => headers[header], sentNonce, isBound };
    assert.equal(decideResend(answer, tried), expected);
  });
}
