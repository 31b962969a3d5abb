import type { OAuthError, RefusalReason, Seconds } from '@tessera/protocol';

/**
 * A token that was verified, the same whether by its signature or by introspection. `claims` is the token's payload or the introspection answer,
 * for whatever is not named here. `roles`, `permissions` and `scopes` are empty when the token says nothing about them.
 * Source: RFC 9068 section 2.2, RFC 7662 section 2.2.
 */
export type VerifiedAccessToken = {
  claims: Readonly<Record<string, unknown>>;
  subject: string;
  clientId: string;
  audiences: readonly string[];
  scopes: readonly string[];
  permissions: readonly string[];
  roles: readonly string[];
  /** Absent for a client acting for itself and for a grant that outlives its session. */
  sessionId?: string;
  grantId?: string;
  tokenId?: string;
  expiresAt?: Seconds;
  /** The SHA-256 thumbprint of the key the token is bound to; its holder has just proven to have it. */
  keyThumbprint?: string;
  verifiedBy: 'signature' | 'introspection';
};

/** What a call needs beyond a valid token: every scope and every permission listed. */
export type Requirement = { scopes?: readonly string[]; permissions?: readonly string[] };

/** A header field and its value; the same name may stand twice. */
export type HeaderField = readonly [name: string, value: string];

/** A judgement inside the edge that is not yet an answer. `detail` is for the operator alone: what was expected, what came. */
export type Refused = {
  ok: false;
  reason: RefusalReason;
  detail?: string;
  /** Where the same DPoP proof came from the first time. */
  firstSource?: string;
};

/** The token a refusal is about; only what its signature, or introspection, vouched for. */
export type RefusedToken = Partial<Pick<VerifiedAccessToken, 'clientId' | 'sessionId' | 'grantId' | 'tokenId'>>;

/**
 * A request refused, ready to be answered: `status`, `headers` and `body` go to the client, which learns `error` and `description` and nothing
 * more; `reason`, `detail` and `about` are for the log. `id` is random, stands in the header `Tessera-Refusal-Id`, and joins the two.
 */
export type Refusal = {
  ok: false;
  id: string;
  status: number;
  /** Absent when no token was sent (RFC 6750 section 3.1). */
  error?: OAuthError;
  description: string;
  headers: readonly HeaderField[];
  body: { error?: OAuthError; error_description: string; refusal_id: string };
  reason: RefusalReason;
  detail?: string;
  about?: RefusedToken;
  firstSource?: string;
};

/** What the edge says of a request. `responseHeaders` belong into the API's own answer (a fresh DPoP nonce, when there is one). */
export type Verification = { ok: true; token: VerifiedAccessToken; responseHeaders: readonly HeaderField[] } | Refusal;

/** Builds the judgement that refuses. */
export function refused(reason: RefusalReason, detail?: string): Refused {
  return detail === undefined ? { ok: false, reason } : { ok: false, reason, detail };
}
