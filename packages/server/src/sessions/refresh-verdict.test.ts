import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientRecord, GrantRecord } from '../store/records.ts';
import { sampleClient, sampleGrant, sampleSession } from '../store/sample-records.ts';
import { decideRefresh, type PresenterProof, type RefreshFacts, type RefreshVerdict } from './refresh-verdict.ts';

const rotatedAt = 1_800_000_000;
const now = rotatedAt + 10;
const digest = 'digest-of-the-secret';

const bearer: PresenterProof = { jkt: undefined, answersFreshNonce: false };
const proofOfA: PresenterProof = { jkt: 'key-a', answersFreshNonce: false };
const freshProofOfA: PresenterProof = { jkt: 'key-a', answersFreshNonce: true };
const freshProofOfB: PresenterProof = { jkt: 'key-b', answersFreshNonce: true };

/** A grant of generation 5, made live by a rotation at `rotatedAt`, bound to no key, far from its limits. */
function grantWith(changes: Partial<GrantRecord> = {}): GrantRecord {
  return sampleGrant(sampleSession(), {
    clientId: 'web',
    jkt: null,
    clientEpoch: 0,
    issuerEpoch: 0,
    secretDigest: digest,
    generation: 5,
    rotatedAt,
    idleAt: rotatedAt + 3600,
    endsAt: rotatedAt + 86_400,
    ...changes,
  });
}

function clientWith(changes: Partial<ClientRecord> = {}): ClientRecord {
  return sampleClient({ clientId: 'web', ...changes });
}

/** What is presented unless a case says otherwise: the live token, by its own client, as bearer. */
function factsWith(changes: Partial<RefreshFacts> & { generation?: number } = {}): RefreshFacts {
  const { generation = 5, ...rest } = changes;
  return {
    presented: { generation, secretDigest: digest },
    grant: grantWith(),
    client: clientWith(),
    user: { disabled: false },
    proof: bearer,
    issuerEpoch: 0,
    resumedAt: undefined,
    ...rest,
  };
}

type Case = {
  name: string;
  facts: Parameters<typeof factsWith>[0];
  at?: number;
  window?: number;
  expected: RefreshVerdict;
};

function row(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const { name, facts, at = now, window = 30, expected } of cases)
      it(name, () => assert.deepEqual(decideRefresh(factsWith(facts), at, { retryWindow: window }), expected));
  });
}

const unknown = { verdict: 'unknown', reason: 'refresh_unknown' } as const;
const foreign = { verdict: 'foreign', reason: 'refresh_foreign' } as const;
const proofMissing = { verdict: 'foreign', reason: 'dpop_missing' } as const;
const otherKey = { verdict: 'foreign', reason: 'dpop_key_mismatch' } as const;
const ahead = { verdict: 'ahead', reason: 'refresh_ahead' } as const;
const resume = { verdict: 'resume' } as const;
const rotate = { verdict: 'rotate' } as const;
const reissue = { verdict: 'reissue' } as const;
const replay = { verdict: 'replay' } as const;
const prove = { verdict: 'prove', reason: 'dpop_nonce_required' } as const;
const superseded = { verdict: 'superseded', reason: 'refresh_superseded' } as const;
const reuse = { verdict: 'reuse', reason: 'refresh_reused' } as const;
function ended(reason: Extract<RefreshVerdict, { verdict: 'ended' }>['reason']): RefreshVerdict {
  return { verdict: 'ended', reason };
}

row('row 0, unknown: the seal is wrong', [
  { name: 'a token nobody sealed is unknown', facts: { presented: undefined, grant: undefined }, expected: unknown },
  {
    name: 'a token nobody sealed is unknown although a grant were at hand',
    facts: { presented: undefined },
    expected: unknown,
  },
  {
    name: 'a right seal around a wrong grant secret is unknown, as a leaked seal key alone could make it',
    facts: { presented: { generation: 5, secretDigest: 'another digest' } },
    expected: unknown,
  },
  {
    name: 'a wrong secret with an old generation is unknown, not reuse: it ends nothing',
    facts: { presented: { generation: 1, secretDigest: 'another digest' } },
    at: rotatedAt + 31,
    expected: unknown,
  },
  {
    name: 'a wrong secret with a higher generation is unknown, not ahead',
    facts: { presented: { generation: 6, secretDigest: 'another digest' } },
    expected: unknown,
  },
  {
    name: 'a wrong secret for an ended grant is unknown, not ended',
    facts: {
      presented: { generation: 5, secretDigest: 'another digest' },
      grant: grantWith({ endedAt: now, endReason: 'admin' }),
    },
    expected: unknown,
  },
  {
    name: 'a wrong secret from another client is unknown, not foreign',
    facts: {
      presented: { generation: 5, secretDigest: 'another digest' },
      client: clientWith({ clientId: 'thief' }),
    },
    expected: unknown,
  },
  {
    name: 'a grant without refresh token knows no secret',
    facts: { grant: grantWith({ secretDigest: null, generation: 0 }), generation: 0 },
    expected: unknown,
  },
]);

row('row 1, foreign: another client, or the binding proof fails', [
  {
    name: 'the live token from another client',
    facts: { client: clientWith({ clientId: 'thief' }) },
    expected: foreign,
  },
  {
    name: 'a spent token from another client is foreign, not reuse',
    facts: { client: clientWith({ clientId: 'thief' }), generation: 1 },
    at: rotatedAt + 31,
    expected: foreign,
  },
  {
    name: 'an ended grant from another client is foreign, not ended',
    facts: { client: clientWith({ clientId: 'thief' }), grant: grantWith({ endedAt: now, endReason: 'admin' }) },
    expected: foreign,
  },
  {
    name: 'a token ahead from another client is foreign, not ahead',
    facts: { client: clientWith({ clientId: 'thief' }), generation: 6 },
    expected: foreign,
  },
  {
    name: 'another client that is disabled itself is foreign all the same',
    facts: { client: clientWith({ clientId: 'thief', disabled: true }) },
    expected: foreign,
  },
  {
    name: 'the right key does not help another client',
    facts: { client: clientWith({ clientId: 'thief' }), grant: grantWith({ jkt: 'key-a' }), proof: freshProofOfA },
    expected: foreign,
  },
  { name: 'a key-bound grant without a proof', facts: { grant: grantWith({ jkt: 'key-a' }) }, expected: proofMissing },
  {
    name: 'a key-bound grant with the proof of another key',
    facts: { grant: grantWith({ jkt: 'key-a' }), proof: freshProofOfB },
    expected: otherKey,
  },
  {
    name: 'a spent token of a key-bound grant without its key is foreign, not reuse: a copied token ends nothing',
    facts: { grant: grantWith({ jkt: 'key-a' }), proof: freshProofOfB, generation: 1 },
    at: rotatedAt + 31,
    expected: otherKey,
  },
  {
    name: 'an ended key-bound grant without its key is foreign, not ended',
    facts: { grant: grantWith({ jkt: 'key-a', endedAt: now, endReason: 'admin' }) },
    expected: proofMissing,
  },
  {
    name: 'a grant bound to no key takes a proof of any key (RFC 9449 section 5, confidential clients)',
    facts: { proof: proofOfA },
    expected: rotate,
  },
]);

const limits = { idleAt: now, endsAt: now + 100 };
row('row 2, ended: grant, session, user or client ended, lapsed or disabled', [
  {
    name: 'a grant that was swept is ended',
    facts: { grant: undefined, user: undefined },
    expected: ended('grant_ended'),
  },
  {
    name: 'a grant that an admin ended',
    facts: { grant: grantWith({ endedAt: now - 1, endReason: 'admin' }) },
    expected: ended('grant_ended'),
  },
  {
    name: 'a grant whose session was signed out',
    facts: { grant: grantWith({ endedAt: now - 1, endReason: 'user_signed_out' }) },
    expected: ended('session_ended'),
  },
  { name: 'a disabled client', facts: { client: clientWith({ disabled: true }) }, expected: ended('client_disabled') },
  { name: 'a disabled user', facts: { user: { disabled: true } }, expected: ended('user_disabled') },
  { name: 'a removed user', facts: { user: undefined }, expected: ended('user_disabled') },
  {
    name: 'a client cut off since the grant was made',
    facts: { client: clientWith({ epoch: 1 }) },
    expected: ended('client_cut_off'),
  },
  { name: 'an issuer cut off since the grant was made', facts: { issuerEpoch: 1 }, expected: ended('issuer_cut_off') },
  {
    name: 'a cut-off of before the grant was made does not concern it',
    facts: {
      grant: grantWith({ clientEpoch: 2, issuerEpoch: 3 }),
      client: clientWith({ epoch: 2 }),
      issuerEpoch: 3,
    },
    expected: rotate,
  },
  { name: 'idle, at the very second', facts: { grant: grantWith(limits) }, expected: ended('grant_idle') },
  { name: 'idle, one second before', facts: { grant: grantWith(limits) }, at: now - 1, expected: rotate },
  {
    name: 'the absolute limit, at the very second',
    facts: { grant: grantWith({ idleAt: now, endsAt: now }) },
    expected: ended('grant_expired'),
  },
  {
    name: 'the absolute limit of a grant that does not slide',
    facts: { grant: grantWith({ idleLimit: null, idleAt: null, endsAt: now }) },
    expected: ended('grant_expired'),
  },
  {
    name: 'a spent token of an ended grant is ended, not reuse',
    facts: { grant: grantWith({ endedAt: now - 1, endReason: 'admin' }), generation: 1 },
    at: rotatedAt + 31,
    expected: ended('grant_ended'),
  },
  {
    name: 'a second reuse finds what the first one ended',
    facts: { grant: grantWith({ endedAt: now - 1, endReason: 'refresh_reused' }), generation: 1 },
    at: rotatedAt + 31,
    expected: ended('refresh_reused'),
  },
  {
    name: 'the token before, inside the window, of an ended grant is ended, not a replay',
    facts: { grant: grantWith({ endedAt: now - 1, endReason: 'user_signed_out' }), generation: 4 },
    expected: ended('session_ended'),
  },
  {
    name: 'a spent token of an idle grant is ended, not reuse',
    facts: { grant: grantWith(limits), generation: 1 },
    expected: ended('grant_idle'),
  },
  {
    name: 'a token ahead of an ended grant is ended, not ahead',
    facts: { grant: grantWith({ endedAt: now - 1, endReason: 'admin' }), generation: 6 },
    expected: ended('grant_ended'),
  },
]);

row('row 3, ahead: generation above the stored one', [
  { name: 'by one', facts: { generation: 6 }, expected: ahead },
  { name: 'by very many', facts: { generation: 0xffffffff }, expected: ahead },
  {
    name: 'also when the client does not rotate',
    facts: { generation: 6, client: clientWith({ rotation: false }) },
    expected: ahead,
  },
  {
    name: 'also with the right key and a fresh nonce',
    facts: { generation: 6, grant: grantWith({ jkt: 'key-a' }), proof: freshProofOfA },
    expected: ahead,
  },
]);

const resumedAt = rotatedAt + 5;
row('row 3, resume: generation above the stored one, after a restore that lets clients go on', [
  { name: 'D1: by one', facts: { generation: 6, resumedAt }, expected: resume },
  { name: 'D1: by very many', facts: { generation: 0xffffffff, resumedAt }, expected: resume },
  {
    name: 'until its idle limit after the restore has passed',
    facts: { generation: 6, resumedAt, grant: grantWith({ idleLimit: 600, idleAt: null }) },
    at: resumedAt + 599,
    expected: resume,
  },
  {
    name: 'no longer: by then every token of before would have lapsed unused',
    facts: { generation: 6, resumedAt, grant: grantWith({ idleLimit: 600, idleAt: null }) },
    at: resumedAt + 600,
    expected: ahead,
  },
  {
    name: 'not a grant born since: the store was never behind it',
    facts: { generation: 6, resumedAt, grant: grantWith({ createdAt: resumedAt + 1 }) },
    expected: ahead,
  },
  {
    name: 'not from another client',
    facts: { generation: 6, resumedAt, client: clientWith({ clientId: 'other' }) },
    expected: foreign,
  },
  {
    name: 'not without the key it is bound to',
    facts: { generation: 6, resumedAt, grant: grantWith({ jkt: 'key-a' }) },
    expected: proofMissing,
  },
  {
    name: 'A9: not a grant that ended, whenever it did',
    facts: { generation: 6, resumedAt, grant: grantWith({ endedAt: now - 1, endReason: 'admin' }) },
    expected: { verdict: 'ended', reason: 'grant_ended' },
  },
  {
    name: 'not under a cut-off of the issuer',
    facts: { generation: 6, resumedAt, issuerEpoch: 1 },
    expected: { verdict: 'ended', reason: 'issuer_cut_off' },
  },
  {
    name: 'a wrong secret is unknown',
    facts: { presented: { generation: 6, secretDigest: 'another' }, resumedAt },
    expected: unknown,
  },
  {
    name: 'D1: an older token after the grant moved forward is reuse, as ever',
    facts: { generation: 3, resumedAt },
    at: rotatedAt + 31,
    expected: reuse,
  },
]);

row('row 4, rotate: generation = stored, client rotates', [
  { name: 'inside the window of the rotation before', facts: {}, expected: rotate },
  { name: 'long after it', facts: {}, at: rotatedAt + 3599, expected: rotate },
  { name: 'with window 0', facts: {}, window: 0, expected: rotate },
  { name: 'the first generation', facts: { grant: grantWith({ generation: 1 }), generation: 1 }, expected: rotate },
  {
    name: 'a key-bound grant with its key, no nonce needed',
    facts: { grant: grantWith({ jkt: 'key-a' }), proof: proofOfA },
    expected: rotate,
  },
  { name: 'a clock that ran backwards', facts: {}, at: rotatedAt - 2, expected: rotate },
]);

const doesNotRotate = clientWith({ rotation: false, authMethod: 'private_key_jwt' });
row('row 5, reissue: generation = stored, client does not rotate (FAPI 2.0 Security Profile section 5.3.2.1)', [
  { name: 'inside the window', facts: { client: doesNotRotate }, expected: reissue },
  { name: 'long after', facts: { client: doesNotRotate }, at: rotatedAt + 3599, expected: reissue },
  { name: 'with window 0', facts: { client: doesNotRotate }, window: 0, expected: reissue },
]);

const bound = grantWith({ jkt: 'key-a' });
const keyClient = clientWith({ authMethod: 'private_key_jwt' });
row('row 6, replay: stored − 1 inside the window, or any time with the key and a fresh nonce', [
  { name: 'in the second of the rotation', facts: { generation: 4 }, at: rotatedAt, expected: replay },
  { name: 'just inside the window', facts: { generation: 4 }, at: rotatedAt + 29, expected: replay },
  { name: 'exactly at the end of the window', facts: { generation: 4 }, at: rotatedAt + 30, expected: replay },
  { name: 'just outside the window it is reuse', facts: { generation: 4 }, at: rotatedAt + 31, expected: reuse },
  {
    name: 'a window of one second, at its end',
    facts: { generation: 4 },
    at: rotatedAt + 1,
    window: 1,
    expected: replay,
  },
  { name: 'a window of one second, after it', facts: { generation: 4 }, at: rotatedAt + 2, window: 1, expected: reuse },
  {
    name: 'window 0 replays nothing, not even in the same second',
    facts: { generation: 4 },
    at: rotatedAt,
    window: 0,
    expected: reuse,
  },
  {
    name: 'window 0 with a clock that ran backwards replays nothing',
    facts: { generation: 4 },
    at: rotatedAt - 1,
    window: 0,
    expected: reuse,
  },
  {
    name: 'a clock that ran backwards counts as no time elapsed',
    facts: { generation: 4 },
    at: rotatedAt - 3600,
    expected: replay,
  },
  {
    name: 'replays do not extend the window: it is counted from the rotation',
    facts: { generation: 4, grant: grantWith({ replays: 50, lastUsedAt: rotatedAt + 30 }) },
    at: rotatedAt + 31,
    expected: reuse,
  },
  {
    name: 'a client that has ceased to rotate still gets the successor',
    facts: { generation: 4, client: doesNotRotate },
    expected: replay,
  },
  {
    name: 'a key-bound grant inside the window needs no nonce',
    facts: { generation: 4, grant: bound, proof: proofOfA },
    expected: replay,
  },
  {
    name: 'a key-bound grant outside the window with a fresh nonce',
    facts: { generation: 4, grant: bound, proof: freshProofOfA },
    at: rotatedAt + 3599,
    expected: replay,
  },
  {
    name: 'a key-bound grant outside the window without a fresh nonce is asked for one, and nothing ends',
    facts: { generation: 4, grant: bound, proof: proofOfA },
    at: rotatedAt + 31,
    expected: prove,
  },
  {
    name: 'a key-bound grant with window 0 and a fresh nonce',
    facts: { generation: 4, grant: bound, proof: freshProofOfA },
    at: rotatedAt,
    window: 0,
    expected: replay,
  },
  {
    name: 'a key-bound grant with window 0 and no nonce is asked for one',
    facts: { generation: 4, grant: bound, proof: proofOfA },
    at: rotatedAt,
    window: 0,
    expected: prove,
  },
  {
    name: 'a client that authenticates with a key, outside the window, with a fresh proof',
    facts: { generation: 4, client: keyClient, proof: freshProofOfA },
    at: rotatedAt + 3599,
    expected: replay,
  },
  {
    name: 'a client that authenticates with a key, outside the window, whose proof answers no nonce',
    facts: { generation: 4, client: keyClient, proof: proofOfA },
    at: rotatedAt + 31,
    expected: prove,
  },
  {
    name: 'a client that authenticates with a key, outside the window, without proof',
    facts: { generation: 4, client: keyClient },
    at: rotatedAt + 31,
    expected: reuse,
  },
  {
    name: 'a proof of some key does not help a client with a mere secret: its grant is bound to none',
    facts: { generation: 4, client: clientWith({ authMethod: 'client_secret_basic' }), proof: freshProofOfA },
    at: rotatedAt + 31,
    expected: reuse,
  },
  {
    name: 'nor a public client whose grant was born without a key',
    facts: { generation: 4, proof: freshProofOfA },
    at: rotatedAt + 31,
    expected: reuse,
  },
]);

row('row 7, superseded: older, inside the window of the last rotation', [
  { name: 'two behind', facts: { generation: 3 }, expected: superseded },
  { name: 'the very first', facts: { generation: 1 }, expected: superseded },
  { name: 'exactly at the end of the window', facts: { generation: 3 }, at: rotatedAt + 30, expected: superseded },
  { name: 'just outside the window it is reuse', facts: { generation: 3 }, at: rotatedAt + 31, expected: reuse },
  { name: 'with a clock that ran backwards', facts: { generation: 3 }, at: rotatedAt - 2, expected: superseded },
  {
    name: 'two behind with the key and a fresh nonce: only the token before is replayed',
    facts: { generation: 3, grant: bound, proof: freshProofOfA },
    expected: superseded,
  },
]);

row('row 8, reuse: anything else older', [
  { name: 'two behind after the window', facts: { generation: 3 }, at: rotatedAt + 31, expected: reuse },
  { name: 'the very first, long after', facts: { generation: 1 }, at: rotatedAt + 3599, expected: reuse },
  { name: 'two behind with window 0', facts: { generation: 3 }, at: rotatedAt, window: 0, expected: reuse },
  {
    name: 'two behind after the window, with the key and a fresh nonce: its successor was used',
    facts: { generation: 3, grant: bound, proof: freshProofOfA },
    at: rotatedAt + 31,
    expected: reuse,
  },
  {
    name: 'two behind after the window, with the key and no nonce: no second chance',
    facts: { generation: 3, grant: bound, proof: proofOfA },
    at: rotatedAt + 31,
    expected: reuse,
  },
  {
    name: 'two behind after the window, by a client that authenticates with a key',
    facts: { generation: 3, client: keyClient, proof: freshProofOfA },
    at: rotatedAt + 31,
    expected: reuse,
  },
  {
    name: 'a client that has ceased to rotate is no exception',
    facts: { generation: 3, client: doesNotRotate },
    at: rotatedAt + 31,
    expected: reuse,
  },
  { name: 'generation 0, which no token ever had', facts: { generation: 0 }, at: rotatedAt + 31, expected: reuse },
]);
