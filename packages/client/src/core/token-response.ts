import type { TokenEndpointResponse } from 'oauth4webapi';
import { TesseraClientError } from './errors.ts';
import type { Seconds } from './seconds.ts';
import type { TokenSet } from './token-set.ts';

/** Refuses a bearer token where a bound one was asked for, and the reverse. Source: RFC 9449 section 5. */
export function assertTokenType(token_type: string, isBound: boolean): void {
  if (isBound && token_type !== 'dpop') {
    throw new TesseraClientError('dpop_not_bound', 'a DPoP proof was sent but the server answered with a bearer token');
  }
  if (!isBound && token_type !== 'bearer') {
    throw new TesseraClientError(
      'invalid_response',
      'the server answered with a bound token although no proof was sent',
    );
  }
}

/** The token set of a validated token response. What a refresh leaves out (RFC 6749 section 6, OpenID Connect Core section 12.2) is kept from `before`. */
export function tokenSetOf(
  body: TokenEndpointResponse,
  now: Seconds,
  keyId: string | undefined,
  before?: TokenSet,
): TokenSet {
  return {
    access_token: body.access_token,
    token_type: keyId === undefined ? 'Bearer' : 'DPoP',
    receivedAt: now,
    expiresAt: body.expires_in === undefined ? undefined : now + Math.floor(body.expires_in),
    scope: body.scope ?? before?.scope,
    refresh_token: body.refresh_token ?? before?.refresh_token,
    id_token: body.id_token ?? before?.id_token,
    keyId,
  };
}
