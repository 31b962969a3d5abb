import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RefusalReason } from '@tessera/protocol';
import type { EndReason } from '../store/records.ts';
import { sampleGrant, sampleSession } from '../store/sample-records.ts';
import { type GrantFacts, grantEnd } from './grant-end.ts';

const now = 1_800_000_000;

function factsWith(changes: Partial<GrantFacts> & { of?: Partial<GrantFacts['grant']> } = {}): GrantFacts {
  const { of, ...rest } = changes;
  return {
    grant: sampleGrant(sampleSession(), {
      clientEpoch: 2,
      issuerEpoch: 3,
      idleAt: now + 10,
      endsAt: now + 100,
      ...of,
    }),
    client: { disabled: false, epoch: 2 },
    user: { disabled: false },
    issuerEpoch: 3,
    ...rest,
  };
}

describe('a grant', () => {
  const cases: { name: string; facts: GrantFacts; at?: number; expected: RefusalReason | undefined }[] = [
    { name: 'is live while nothing of it has ended', facts: factsWith(), expected: undefined },
    { name: 'of a removed client', facts: factsWith({ client: undefined }), expected: 'client_disabled' },
    {
      name: 'of a disabled client',
      facts: factsWith({ client: { disabled: true, epoch: 2 } }),
      expected: 'client_disabled',
    },
    { name: 'of a removed user', facts: factsWith({ user: undefined }), expected: 'user_disabled' },
    { name: 'of a disabled user', facts: factsWith({ user: { disabled: true } }), expected: 'user_disabled' },
    {
      name: 'of a client cut off since',
      facts: factsWith({ client: { disabled: false, epoch: 3 } }),
      expected: 'client_cut_off',
    },
    {
      name: 'of a client whose epoch is lower than its own is live',
      facts: factsWith({ client: { disabled: false, epoch: 1 } }),
      expected: undefined,
    },
    { name: 'of an issuer cut off since', facts: factsWith({ issuerEpoch: 4 }), expected: 'issuer_cut_off' },
    { name: 'one second before its idle limit is live', facts: factsWith(), at: now + 9, expected: undefined },
    { name: 'at its idle limit', facts: factsWith(), at: now + 10, expected: 'grant_idle' },
    {
      name: 'that does not slide has no idle limit',
      facts: factsWith({ of: { idleLimit: null, idleAt: null } }),
      at: now + 99,
      expected: undefined,
    },
    {
      name: 'one second before its absolute limit is live',
      facts: factsWith({ of: { idleAt: now + 100 } }),
      at: now + 99,
      expected: undefined,
    },
    {
      name: 'at its absolute limit, though its idle limit is the same',
      facts: factsWith({ of: { idleAt: now + 100 } }),
      at: now + 100,
      expected: 'grant_expired',
    },
    {
      name: 'that ended says how it ended, whatever else is wrong',
      facts: factsWith({
        of: { endedAt: now - 1, endReason: 'refresh_reused' },
        client: undefined,
        user: undefined,
        issuerEpoch: 9,
      }),
      at: now + 1000,
      expected: 'refresh_reused',
    },
    {
      name: 'that ended in the future of a clock that ran backwards has ended',
      facts: factsWith({ of: { endedAt: now + 5, endReason: 'admin' } }),
      expected: 'grant_ended',
    },
  ];
  for (const { name, facts, at = now, expected } of cases) it(name, () => assert.equal(grantEnd(facts, at), expected));
});

describe('the reason a grant ended with', () => {
  const told: Record<EndReason, RefusalReason> = {
    user_signed_out: 'session_ended',
    client_signed_out: 'session_ended',
    signed_out_everywhere: 'session_ended',
    password_changed: 'session_ended',
    admin: 'grant_ended',
    token_revoked: 'grant_ended',
    consent_withdrawn: 'grant_ended',
    client_removed: 'grant_ended',
    replaced: 'grant_ended',
    refresh_reused: 'refresh_reused',
    code_reused: 'code_reused',
    user_disabled: 'user_disabled',
    user_removed: 'user_disabled',
    client_cut_off: 'client_cut_off',
    store_restored: 'issuer_cut_off',
    idle: 'grant_idle',
    expired: 'grant_expired',
  };
  for (const [endReason, expected] of Object.entries(told) as [EndReason, RefusalReason][])
    it(`${endReason} is told to the operator as ${expected}`, () =>
      assert.equal(grantEnd(factsWith({ of: { endedAt: now, endReason } }), now), expected));
});
