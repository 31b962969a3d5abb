import { decodeJwt, type JwtClaims } from './decode-jwt.ts';
import { type ExpiryOptions, expiresIn } from './expiry.ts';
import type { Seconds } from './seconds.ts';

/** What a token shows of itself: a JWT its parts and time left, an opaque token nothing but its length. */
export type TokenDescription =
  | { form: 'jwt'; header: Record<string, unknown>; claims: JwtClaims; expiresIn: Seconds | undefined }
  | { form: 'opaque'; length: number };

/**
 * Shows the anatomy of a token for display, for example beside a countdown: access and ID tokens are JWTs (RFC 9068, OpenID Connect Core section 2),
 * refresh tokens are opaque. Checks no signature. Never throws.
 */
export function describeToken(token: string, options: ExpiryOptions = {}): TokenDescription {
  const decoded = decodeJwt(token);
  if (!decoded.ok) return { form: 'opaque', length: String(token).length };
  return { form: 'jwt', header: decoded.header, claims: decoded.claims, expiresIn: expiresIn(token, options) };
}
