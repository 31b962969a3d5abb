import { type Seconds, verifyDpopProof } from '@tessera/protocol';
import { type DpopNonces, nonceSliceSeconds } from './dpop-nonce.ts';
import type { DpopReplayMemory } from './dpop-replay-memory.ts';
import type { Credentials, RequestFacts } from './request-facts.ts';
import { type HeaderField, type Refused, refused, type VerifiedAccessToken } from './verification.ts';

/** How DPoP is judged here. `isRequired`: unbound tokens are refused. `areNoncesRequired`: proofs must carry one of `nonces`; otherwise only those whose `iat` is not of now. */
export type BindingPolicy = {
  isRequired: boolean;
  proofLifetime: Seconds;
  skew: Seconds;
  replayMemory: DpopReplayMemory;
  nonces: DpopNonces;
  areNoncesRequired: boolean;
};

/** The binding holds: the key, if the token is bound to one, and what to send along with the answer. */
export type Bound = { ok: true; keyThumbprint?: string; responseHeaders: readonly HeaderField[] };

/**
 * Judges whether whoever sends the token may: a token bound to a key comes with the DPoP scheme and a fresh proof by that key, an unbound one as Bearer, and neither
 * the other way around. Reasons: `dpop_missing`, `dpop_invalid`, `dpop_key_mismatch`, `dpop_nonce_required`, `dpop_replayed`, `overloaded` (replay memory full).
 * Source: RFC 9449 sections 4.3, 7.1, 7.2 and 9.
 */
export async function judgeBinding(
  token: VerifiedAccessToken,
  credentials: Credentials,
  request: RequestFacts,
  policy: BindingPolicy,
  now: Seconds,
): Promise<Bound | Refused> {
  const { cnf } = token.claims;
  const jkt = (cnf as { jkt?: unknown } | null | undefined)?.jkt;
  // RFC 7800 section 3.1: a confirmation we cannot check (a certificate's, say) must not be passed over.
  if (cnf !== undefined && typeof jkt !== 'string')
    return refused('dpop_key_mismatch', 'the token is bound in a way the edge cannot check');
  if (credentials.scheme === 'Bearer') {
    // RFC 9449 section 7.2: a bound token sent as Bearer is a downgrade, and maybe a thief's.
    if (jkt !== undefined)
      return refused('dpop_missing', 'the token is bound to a key but was sent with the Bearer scheme');
    if (policy.isRequired) return refused('dpop_missing', 'only tokens bound to a key are accepted here');
    return { ok: true, responseHeaders: [] };
  }
  if (typeof jkt !== 'string')
    return refused('dpop_key_mismatch', 'the token is not bound to a key but was sent with the DPoP scheme');
  return judgeProof(jkt, credentials.token, request, policy, now);
}

async function judgeProof(
  jkt: string,
  accessToken: string,
  request: RequestFacts,
  policy: BindingPolicy,
  now: Seconds,
): Promise<Bound | Refused> {
  const [sent, ...others] = request.dpop;
  if (sent === undefined) return refused('dpop_missing', 'there is no DPoP header');
  if (others.length > 0) return refused('dpop_invalid', 'there are several DPoP headers');
  const { method, url } = request;
  const { proofLifetime, skew } = policy;
  const ageOf = (nonce: string | undefined) => (nonce === undefined ? 'foreign' : policy.nonces.judge(nonce, now));
  const nonces = { isFresh: (nonce: string) => ageOf(nonce) !== 'foreign', lifetime: 2 * nonceSliceSeconds };
  const verdict = await verifyDpopProof(sent, { method, url, now, accessToken, proofLifetime, skew, nonces });
  if (!verdict.ok) return refused(verdict.isUntimely ? 'dpop_nonce_required' : 'dpop_invalid', verdict.reason);
  const { proof } = verdict;
  if (proof.jkt !== jkt)
    return refused('dpop_key_mismatch', 'the proof is made with another key than the token is bound to');
  const age = ageOf(proof.nonce);
  if (age === 'foreign' && policy.areNoncesRequired)
    return refused(
      'dpop_nonce_required',
      proof.nonce === undefined ? 'no nonce' : 'the nonce is not one of the last two minutes',
    );
  const remembered = policy.replayMemory.remember(proof, request, now);
  if (remembered.verdict === 'full') return refused('overloaded', 'the memory of DPoP proofs is full');
  if (remembered.verdict === 'replayed')
    return { ...refused('dpop_replayed', `jti was used before`), firstSource: remembered.firstSource };
  const renewed: readonly HeaderField[] = age === 'previous' ? [['DPoP-Nonce', policy.nonces.current(now)]] : [];
  return { ok: true, keyThumbprint: jkt, responseHeaders: renewed };
}
