import { decodeJwt } from './decode-jwt.ts';
import { systemNow } from './runtime.ts';
import type { Seconds } from './seconds.ts';

/** A JWT, or anything that says when it ends, such as the `TokenSet` that `getTokens()` returns. */
export type Expiring = string | { expiresAt?: Seconds | undefined };

/** How to read the time left. */
export type ExpiryOptions = {
  /** Seconds to count off the end: 30 means "expired" half a minute early. Default 0. */
  skew?: Seconds;
  /** The time to compare with. Default: the system's clock. */
  now?: Seconds;
};

/**
 * Tells whether a token's time is over. On `exp` itself it is: RFC 7519 section 4.1.4 says "on or after". Never throws: what is malformed, opaque or
 * does not say when it ends counts as expired, so that nobody relies on it.
 */
export function isExpired(token: Expiring, options: ExpiryOptions = {}): boolean {
  const left = expiresIn(token, options);
  return left === undefined || left <= 0;
}

/**
 * Seconds until a token ends, less `skew`; zero or negative once it has ended; `undefined` when it is malformed, opaque or does not say. Never throws.
 */
export function expiresIn(token: Expiring, options: ExpiryOptions = {}): Seconds | undefined {
  const end = endOf(token);
  if (end === undefined) return undefined;
  return Math.floor(end - (options.skew ?? 0) - (options.now ?? systemNow()));
}

function endOf(token: unknown): Seconds | undefined {
  if (typeof token === 'object' && token !== null) {
    const { expiresAt } = token as { expiresAt?: unknown };
    return typeof expiresAt === 'number' && Number.isFinite(expiresAt) ? expiresAt : undefined;
  }
  const decoded = decodeJwt(token);
  return decoded.ok ? decoded.claims.exp : undefined;
}
