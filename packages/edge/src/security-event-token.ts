import {
  decodeJwt,
  type FeedMarkClaims,
  feedMarkType,
  isFeedEventUri,
  type Revocation,
  revocationOf,
  type SecurityEventClaims,
  securityEventType,
} from '@tessera/protocol';
import { EdgeRequestError } from './fetch-json.ts';
import type { JsonWebKeySet } from './json-web-key-set.ts';
import { isSignatureAlgorithm, verifySignature } from './signature.ts';

/** Why a SET was not taken, as it is reported back. Source: RFC 8935 section 2.4. */
export type SecurityEventError = {
  err: 'invalid_request' | 'invalid_key' | 'invalid_issuer' | 'authentication_failed';
  description: string;
};

/** A SET judged: what it ends, nothing (`ignored`: an event of a later version), or why it was not taken. */
export type SecurityEventVerdict =
  | { ok: true; revocation: Revocation }
  | { ok: true; revocation: undefined }
  | { ok: false; error: SecurityEventError };

/** A flood of tokens with unknown keys must not keep the feed from learning a new key. */
const feedCoolDownMs = 1000;

/** The issuer whose SETs are taken, and its keys. */
export type FeedTrust = { issuer: string; keys: JsonWebKeySet };

/**
 * Judges one SET of the feed: of the right type, from the issuer, under the id it was delivered as, signed by a key that is not revoked, and a SET that revokes a
 * key not by that key. Throws `EdgeRequestError` when the keys cannot be fetched: that is not the SET's fault.
 * Source: RFC 8417 section 2, RFC 8935 section 2.4, RFC 8936 section 2.3.
 */
export async function judgeSecurityEvent(set: string, id: string, trust: FeedTrust): Promise<SecurityEventVerdict> {
  const verified = await verify(set, securityEventType, trust);
  if ('err' in verified) return { ok: false, error: verified };
  const claims = verified.payload as SecurityEventClaims;
  if (claims.jti !== id) return invalid('jti is not the id it was delivered as');
  const revocation = revocationOf(claims);
  if (revocation?.kind === 'key' && revocation.kid === verified.kid)
    return { ok: false, error: { err: 'invalid_key', description: 'the SET is signed by the key it revokes' } };
  // A known event that cannot be read is a gap; an unknown one is a later version's, and is passed over, so that servers can be upgraded first.
  if (!revocation && Object.keys(claims.events ?? {}).some(isFeedEventUri))
    return invalid('the event lacks what it needs');
  return { ok: true, revocation };
}

/** The mark of a poll answer, or why it is not one. Throws `EdgeRequestError` when the keys cannot be fetched. */
export async function readFeedMark(mark: string, trust: FeedTrust): Promise<FeedMarkClaims | SecurityEventError> {
  const verified = await verify(mark, feedMarkType, trust);
  if ('err' in verified) return verified;
  const { jti, as_of_ms: asOfMs } = verified.payload;
  if (typeof jti !== 'string' || typeof asOfMs !== 'number' || !Number.isFinite(asOfMs))
    return { err: 'invalid_request', description: 'the mark lacks jti or as_of_ms' };
  return verified.payload as FeedMarkClaims;
}

async function verify(
  token: string,
  type: string,
  { issuer, keys }: FeedTrust,
): Promise<{ payload: Record<string, unknown>; kid: string } | SecurityEventError> {
  const decoded = decodeJwt(token);
  if (!decoded) return { err: 'invalid_request', description: 'not a compact JWS' };
  const { alg, kid, typ, crit } = decoded.header;
  if (typ?.toLowerCase().replace(/^application\//, '') !== type || crit !== undefined)
    return { err: 'invalid_request', description: `typ is not ${type}, or crit is present` };
  if (kid === undefined || !isSignatureAlgorithm(alg))
    return { err: 'invalid_key', description: 'no kid, or alg is not allowed' };
  const lookup = await keys.find(kid, alg, feedCoolDownMs);
  if (!lookup.found) {
    if (lookup.because === 'unavailable')
      throw new EdgeRequestError(
        'unreachable',
        `the keys that signed the feed could not be fetched: ${lookup.detail ?? 'no answer'}`,
      );
    return { err: 'invalid_key', description: 'the key is unknown or revoked' };
  }
  if (!verifySignature(lookup.found, token, decoded.signature))
    return { err: 'authentication_failed', description: 'the signature is wrong' };
  if (decoded.payload.iss !== issuer) return { err: 'invalid_issuer', description: 'iss is not the issuer' };
  return { payload: decoded.payload, kid };
}

function invalid(description: string): SecurityEventVerdict {
  return { ok: false, error: { err: 'invalid_request', description } };
}
