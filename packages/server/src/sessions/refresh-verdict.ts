import type { RefusalReason, Seconds } from '@tessera/protocol';
import type { ClientRecord, GrantRecord, UserRecord } from '../store/records.ts';
import { grantEnd } from './grant-end.ts';

/** A refresh token that came with a right seal: what it says of itself. */
export type PresentedToken = { generation: number; secretDigest: string };

/** How whoever presents the token proved who it is. */
export type PresenterProof = {
  /** Thumbprint of the key of a DPoP proof that holds; undefined without one. */
  jkt: string | undefined;
  /** Whether that proof answers a nonce this server gave moments ago. */
  answersFreshNonce: boolean;
};

/** Everything the verdict rests on. `client` is the one that presents the token, authenticated. */
export type RefreshFacts = {
  /** Undefined when the seal is wrong. */
  presented: PresentedToken | undefined;
  /** Undefined when the grant is gone from the store. */
  grant: GrantRecord | undefined;
  client: ClientRecord;
  /** The grant's user; undefined when removed. */
  user: Pick<UserRecord, 'disabled'> | undefined;
  proof: PresenterProof;
  issuerEpoch: number;
  /** When an older state of the store was last put back, so that its clients go on; undefined if it never was. */
  resumedAt: Seconds | undefined;
};

/** `retryWindow`: seconds in which a rotated token still returns its successor, counted from the rotation and never extended (0: never). */
export type RefreshPolicy = { retryWindow: Seconds };

/** What a presented refresh token is worth. */
export type RefreshVerdict =
  | { verdict: 'unknown'; reason: 'refresh_unknown' }
  | { verdict: 'foreign'; reason: RefusalReason }
  | { verdict: 'ended'; reason: RefusalReason }
  | { verdict: 'ahead'; reason: 'refresh_ahead' }
  /** Newer than a store that was put back: the grant moves forward to it. */
  | { verdict: 'resume' }
  | { verdict: 'rotate' }
  | { verdict: 'reissue' }
  | { verdict: 'replay' }
  /** Would be a replay if the proof answered a fresh nonce: the client is asked for one, nothing ends. */
  | { verdict: 'prove'; reason: 'dpop_nonce_required' }
  | { verdict: 'superseded'; reason: 'refresh_superseded' }
  | { verdict: 'reuse'; reason: 'refresh_reused' };

/**
 * Decides what a presented refresh token is worth. Pure: the caller commits the changes, and whoever loses a race reads again and is judged by the same rows,
 * top to bottom, the first that matches.
 *
 * A token whose client lost the answer to its rotation is not a stolen one: within the retry window the same token returns the same successor, and
 * a key-bound grant has until its successor is used, if the proof is fresh. An older token inside the window is a slow tab. Anything else older was
 * copied, and ends the grant.
 *
 * A token that is newer than the store is impossible unless the store went back in time. After a restore that lets clients go on, grants of before it are moved forward to such a
 * token, as often as one comes, until the last of them would have lapsed unused (its idle limit after the restore). What that gives a thief: the store no longer knows which
 * of the tokens between its state and the last one were spent, so a stolen one of those works again, once, until the rightful client comes with a newer one.
 * From then on the thief's is an older one, and using it ends the grant, as ever. A thief whose token is not newer than what was put back gains nothing by this rule. Grants bound to
 * a key are out of reach either way, and so are those that ended: their endings were applied again before anybody was served.
 *
 * Source: RFC 9700 section 4.14.2, OAuth 2.1 section 4.3, RFC 9449 section 5; FAPI 2.0 Security Profile section 5.3.2.1 for clients that do not rotate.
 */
export function decideRefresh(facts: RefreshFacts, now: Seconds, policy: RefreshPolicy): RefreshVerdict {
  const { presented, grant, client, user, proof } = facts;
  if (!presented) return { verdict: 'unknown', reason: 'refresh_unknown' };
  // Swept after it ended: nothing is left to say whose it was.
  if (!grant) return { verdict: 'ended', reason: 'grant_ended' };
  // A right seal around a wrong secret means the seal key leaked; the digest is the second lock.
  if (grant.secretDigest !== presented.secretDigest) return { verdict: 'unknown', reason: 'refresh_unknown' };

  if (grant.clientId !== client.clientId) return { verdict: 'foreign', reason: 'refresh_foreign' };
  if (grant.jkt !== null && grant.jkt !== proof.jkt)
    return { verdict: 'foreign', reason: proof.jkt === undefined ? 'dpop_missing' : 'dpop_key_mismatch' };

  const ended = grantEnd({ grant, client, user, issuerEpoch: facts.issuerEpoch }, now);
  if (ended) return { verdict: 'ended', reason: ended };

  const behind = grant.generation - presented.generation;
  if (behind < 0)
    return mayResume(facts.resumedAt, grant, now)
      ? { verdict: 'resume' }
      : { verdict: 'ahead', reason: 'refresh_ahead' };
  if (behind === 0) return client.rotation ? { verdict: 'rotate' } : { verdict: 'reissue' };

  // A clock that ran backwards counts as no time elapsed.
  const elapsed = Math.max(0, now - grant.rotatedAt);
  const insideWindow = policy.retryWindow > 0 && elapsed <= policy.retryWindow;
  if (behind === 1) {
    if (insideWindow) return { verdict: 'replay' };
    const heldByKey = proof.jkt !== undefined && (grant.jkt !== null || client.authMethod === 'private_key_jwt');
    if (heldByKey)
      return proof.answersFreshNonce ? { verdict: 'replay' } : { verdict: 'prove', reason: 'dpop_nonce_required' };
  } else if (insideWindow) return { verdict: 'superseded', reason: 'refresh_superseded' };
  return { verdict: 'reuse', reason: 'refresh_reused' };
}

/** Whether a token of this grant that is newer than the store may come from before a restore. */
function mayResume(resumedAt: Seconds | undefined, grant: GrantRecord, now: Seconds): boolean {
  if (resumedAt === undefined || grant.createdAt > resumedAt) return false;
  return grant.idleLimit === null || now < resumedAt + grant.idleLimit;
}
