import { decodeBase64url } from './base64url.ts';
import type { Seconds } from './seconds.ts';

/** The registered claims of RFC 7519 section 4.1 where their type is right, and whatever else the token says. */
export type JwtClaims = {
  iss?: string;
  sub?: string;
  aud?: string | string[];
  exp?: Seconds;
  nbf?: Seconds;
  iat?: Seconds;
  jti?: string;
  [claim: string]: unknown;
};

/** What `decodeJwt` found: the parts, or why the text is no JWT. */
export type DecodedJwt =
  | { ok: true; header: Record<string, unknown>; claims: JwtClaims }
  | {
      ok: false;
      reason: 'not_a_string' | 'not_three_parts' | 'not_base64url' | 'not_json' | 'not_an_object' | 'bad_claim';
    };

/**
 * Takes a JWT apart without checking its signature: for display and for reading one's own expiry, never for deciding what somebody may do.
 * Never throws; rubbish gives `{ ok: false, reason }`, and so does a registered claim of the wrong type (`bad_claim`).
 * Source: RFC 7519 section 7.2 steps 1 to 10 for a JWS, RFC 7515 section 3.1.
 */
export function decodeJwt(token: unknown): DecodedJwt {
  if (typeof token !== 'string') return { ok: false, reason: 'not_a_string' };
  const parts = token.split('.');
  const [header, claims, signature] = parts;
  if (parts.length !== 3 || !header || !claims || signature === undefined)
    return { ok: false, reason: 'not_three_parts' };
  if (decodeBase64url(signature) === undefined) return { ok: false, reason: 'not_base64url' };
  const decodedHeader = decodeObject(header);
  if (!decodedHeader.ok) return decodedHeader;
  const decodedClaims = decodeObject(claims);
  if (!decodedClaims.ok) return decodedClaims;
  if (!hasWellTypedClaims(decodedClaims.value)) return { ok: false, reason: 'bad_claim' };
  return { ok: true, header: decodedHeader.value, claims: decodedClaims.value };
}

function decodeObject(
  part: string,
):
  | { ok: true; value: Record<string, unknown> }
  | { ok: false; reason: 'not_base64url' | 'not_json' | 'not_an_object' } {
  const bytes = decodeBase64url(part);
  if (bytes === undefined) return { ok: false, reason: 'not_base64url' };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return { ok: false, reason: 'not_json' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { ok: false, reason: 'not_an_object' };
  return { ok: true, value: value as Record<string, unknown> };
}

function hasWellTypedClaims(claims: Record<string, unknown>): claims is JwtClaims {
  const { aud } = claims;
  const numeric = [claims.exp, claims.nbf, claims.iat];
  const textual = [claims.iss, claims.sub, claims.jti];
  return (
    numeric.every((value) => value === undefined || (typeof value === 'number' && Number.isFinite(value))) &&
    textual.every((value) => value === undefined || typeof value === 'string') &&
    (aud === undefined ||
      typeof aud === 'string' ||
      (Array.isArray(aud) && aud.every((one) => typeof one === 'string')))
  );
}
