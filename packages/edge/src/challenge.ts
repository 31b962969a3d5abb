import { dpopAlgorithms, formatChallenge, formatScope, type OAuthError, type RefusalReason } from '@tessera/protocol';
import type { HeaderField, Refusal, Refused, RefusedToken, Requirement } from './verification.ts';

/** What a challenge says beyond the reason: the scheme the client used (if it used one), what the call needs, where the metadata stands, a nonce to use. */
export type ChallengeContext = {
  id: string;
  scheme?: 'Bearer' | 'DPoP';
  requirement: Requirement;
  isDpopRequired: boolean;
  metadataUrl?: string;
  dpopNonce?: string;
  about?: RefusedToken;
};

type Wire = { status: number; error?: OAuthError; description: string };

/**
 * The answer to a request that was refused: status, challenge, body. Without credentials the challenge has no error code; 401 for a token or proof that
 * does not hold, 403 naming the scopes for one that does not suffice, 400 for a request that cannot be read, 503 when the edge itself cannot know.
 * Source: RFC 6750 section 3, RFC 9449 section 7.1, RFC 9728 section 5.1.
 */
export function refusalOf(refused: Refused, context: ChallengeContext): Refusal {
  const wire = wireOf(refused.reason, context);
  const { id, about } = context;
  const error = wire.error === undefined ? {} : { error: wire.error };
  return {
    ok: false,
    id,
    status: wire.status,
    ...error,
    description: wire.description,
    headers: [
      ['Tessera-Refusal-Id', id],
      ['Cache-Control', 'no-store'],
      ...challengesOf(wire, refused.reason, context),
    ],
    body: { ...error, error_description: wire.description, refusal_id: id },
    reason: refused.reason,
    ...(refused.detail === undefined ? {} : { detail: refused.detail }),
    ...(about === undefined ? {} : { about }),
    ...(refused.firstSource === undefined ? {} : { firstSource: refused.firstSource }),
  };
}

function challengesOf(wire: Wire, reason: RefusalReason, context: ChallengeContext): HeaderField[] {
  if (wire.status === 503) return [['Retry-After', '1']];
  const { requirement, metadataUrl, isDpopRequired, dpopNonce } = context;
  const scopes = requirement.scopes ?? [];
  const shared = {
    error: wire.error,
    error_description: wire.error && wire.description,
    scope: scopes.length > 0 && wire.status !== 400 ? formatScope(scopes) : undefined,
    resource_metadata: metadataUrl,
  };
  const bearer: HeaderField = ['WWW-Authenticate', formatChallenge('Bearer', shared)];
  const dpop: HeaderField = [
    'WWW-Authenticate',
    formatChallenge('DPoP', { ...shared, algs: dpopAlgorithms.join(' ') }),
  ];
  const nonce: HeaderField[] = dpopNonce === undefined ? [] : [['DPoP-Nonce', dpopNonce]];
  if (isDpopRequired || context.scheme === 'DPoP' || reason.startsWith('dpop_')) return [dpop, ...nonce];
  return context.scheme === 'Bearer' ? [bearer] : [bearer, dpop, ...nonce];
}

/** What the client is told. It learns what to do next, not what is known about the token, its user or its session. */
function wireOf(reason: RefusalReason, { scheme, requirement }: ChallengeContext): Wire {
  switch (reason) {
    case 'token_missing':
      return { status: 401, description: 'This API needs an access token in the Authorization header' };
    case 'token_in_query':
      return {
        status: 400,
        error: 'invalid_request',
        description: 'Send the access token in the Authorization header, never in the URL',
      };
    case 'malformed_request':
      return {
        status: 400,
        error: 'invalid_request',
        description: 'The Authorization header must be one scheme and one token',
      };
    case 'scope_missing':
      return {
        status: 403,
        error: 'insufficient_scope',
        description: `This call needs the scope ${formatScope(requirement.scopes ?? [])}`,
      };
    case 'permission_missing':
      return {
        status: 403,
        error: 'insufficient_scope',
        description: 'The access token does not carry the permission for this call',
      };
    case 'token_expired':
      return { status: 401, error: 'invalid_token', description: 'The access token expired' };
    case 'dpop_nonce_required':
      return {
        status: 401,
        error: 'use_dpop_nonce',
        description: 'The DPoP proof must carry the nonce of this answer',
      };
    case 'dpop_invalid':
    case 'dpop_replayed':
      return { status: 401, error: 'invalid_dpop_proof', description: 'The DPoP proof does not hold for this request' };
    case 'dpop_missing':
      if (scheme === 'DPoP')
        return { status: 401, error: 'invalid_dpop_proof', description: 'The DPoP header is missing' };
      return {
        status: 401,
        error: 'invalid_token',
        description: 'The access token must be bound to a key and sent with the DPoP scheme',
      };
    case 'dpop_key_mismatch':
      return {
        status: 401,
        error: 'invalid_token',
        description: 'The access token is not bound to the key of the DPoP proof',
      };
    case 'revocations_stale':
    case 'introspection_failed':
    case 'keys_unavailable':
    case 'overloaded':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: 'The access token cannot be checked at the moment',
      };
    default:
      return { status: 401, error: 'invalid_token', description: 'The access token is not valid here' };
  }
}
