import type { Context } from '../context.ts';

/** What an ID token that came back as a hint says. */
export type IdTokenHint = { sub: string; aud: string; sid: string | undefined };

/**
 * Reads an ID token of this issuer, expired ones included: it hints at somebody, it proves nothing. Undefined for anything else, access tokens too.
 * Source: OpenID Connect Core 1.0 section 3.1.2.1, OpenID Connect RP-Initiated Logout 1.0 section 2.
 */
export function readIdTokenHint(
  context: Pick<Context, 'config' | 'signingKeys'>,
  token: string,
): IdTokenHint | undefined {
  const signed = context.signingKeys.read(token);
  if (!signed) return undefined;
  const { header, payload } = signed;
  if (header.typ !== 'JWT' || header.crit !== undefined || payload.iss !== context.config.issuer) return undefined;
  const { sub, aud, sid } = payload;
  if (typeof sub !== 'string' || typeof aud !== 'string') return undefined;
  return { sub, aud, sid: typeof sid === 'string' ? sid : undefined };
}
