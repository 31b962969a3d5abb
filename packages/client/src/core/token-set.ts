import { decodeJwt, type JwtClaims } from './decode-jwt.ts';
import type { Seconds } from './seconds.ts';

/** The tokens of one sign-in. This is what a storage adapter keeps, as JSON. Replaced as a whole by every refresh. */
export type TokenSet = {
  /** Set by the token response; new at every refresh. */
  access_token: string;
  /** How to present the access token: `DPoP` (RFC 9449 section 7.1) or `Bearer` (RFC 6750). */
  token_type: 'DPoP' | 'Bearer';
  /** By this device's clock, when the response came. */
  receivedAt: Seconds;
  /** By this device's clock, `receivedAt` + `expires_in`; absent if the server did not say. A wrong clock cancels out. */
  expiresAt?: Seconds | undefined;
  /** Granted scope, space separated. */
  scope?: string | undefined;
  /** Opaque. Rotates with every refresh unless the server reissues the same. */
  refresh_token?: string | undefined;
  /** The latest ID token: set at sign-in, replaced when a refresh brings one. For this app only, never for an API. */
  id_token?: string | undefined;
  /** Names the DPoP key the tokens are bound to; set at sign-in, constant for the life of the sign-in. */
  keyId?: string | undefined;
};

/** The claims of an ID token (OpenID Connect Core section 2) as `getUser()` returns them. */
export type UserClaims = JwtClaims & {
  iss: string;
  sub: string;
  auth_time?: Seconds;
  name?: string;
  email?: string;
  email_verified?: boolean;
  preferred_username?: string;
  picture?: string;
  locale?: string;
  amr?: string[];
  acr?: string;
  sid?: string;
};

/** Who is signed in, from the ID token that was validated when it came; `undefined` without one. */
export function userOf(tokens: TokenSet | undefined): UserClaims | undefined {
  const decoded = decodeJwt(tokens?.id_token);
  if (!decoded.ok || typeof decoded.claims.sub !== 'string' || typeof decoded.claims.iss !== 'string') return undefined;
  return decoded.claims as UserClaims;
}

/**
 * Tells whether to refresh before using the access token: from `refreshAhead` seconds before its end, but never in the first three quarters of its life,
 * or a token shorter than `refreshAhead` would be refreshed at every call. A token that does not say when it ends is used until refused.
 */
export function isDueForRefresh(tokens: TokenSet, now: Seconds, refreshAhead: Seconds): boolean {
  if (tokens.expiresAt === undefined) return false;
  const lifetime = tokens.expiresAt - tokens.receivedAt;
  return now >= tokens.expiresAt - Math.min(refreshAhead, Math.floor(lifetime / 4));
}

/** Reads a stored token set; `undefined` when the text is not one. */
export function parseTokenSet(text: string): TokenSet | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isTokenSet(value) ? value : undefined;
}

function isTokenSet(value: unknown): value is TokenSet {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  const optionalText = [record.scope, record.refresh_token, record.id_token, record.keyId];
  return (
    isNonEmpty(record.access_token) &&
    // A bound set without its key's name could never be used again.
    (record.token_type === 'Bearer' || (record.token_type === 'DPoP' && isNonEmpty(record.keyId))) &&
    Number.isFinite(record.receivedAt) &&
    (record.expiresAt === undefined || Number.isFinite(record.expiresAt)) &&
    optionalText.every((one) => one === undefined || isNonEmpty(one))
  );
}

function isNonEmpty(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
