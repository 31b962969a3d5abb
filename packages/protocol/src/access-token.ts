import type { Seconds } from './time.ts';

/** The media type in the header of a JWT access token. Source: RFC 9068 section 2.1. */
export const accessTokenType = 'at+jwt';

/** Signature algorithms Tessera uses for access tokens. `HS256` only for a resource server that holds its own secret. */
export const accessTokenAlgorithms = ['ES256', 'RS256', 'EdDSA', 'HS256'] as const;
export type AccessTokenAlgorithm = (typeof accessTokenAlgorithms)[number];

/**
 * The claims of an access token. Source: RFC 9068 section 2.2; `sid` from OpenID Connect Front-Channel Logout section 3;
 * `cnf` from RFC 7800; `grant_id`, `client_epoch` and `issuer_epoch` are ours.
 */
export type AccessTokenClaims = {
  iss: string;
  sub: string;
  aud: string | string[];
  client_id: string;
  jti: string;
  iat: Seconds;
  nbf: Seconds;
  exp: Seconds;
  scope: string;
  /** When the user signed in; absent for a client acting for itself. */
  auth_time?: Seconds;
  acr?: string;
  amr?: string[];
  /** The session the token hangs on; absent for a client acting for itself and for an `offline` grant, which outlives its session. */
  sid?: string;
  /** The grant the token was issued under; absent for a client acting for itself. */
  grant_id?: string;
  roles?: string[];
  permissions?: string[];
  /** The key the token is bound to. Source: RFC 9449 section 6. */
  cnf?: { jkt: string };
  /** How often everything of this client was cut off before the token was issued; absent means 0. */
  client_epoch?: number;
  /** How often everything of this issuer was cut off before the token was issued; absent means 0. */
  issuer_epoch?: number;
};
