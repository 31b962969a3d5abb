import { parseScope, type Seconds } from '@tessera/protocol';
import { type Refused, refused, type VerifiedAccessToken } from './verification.ts';

/** What the claims of a token are judged against. `skew`: by how much, in seconds, the clocks of issuer and API may differ. */
export type ClaimsExpectation = { issuer: string; audiences: readonly string[]; skew: Seconds; now: Seconds };

type Claims = Readonly<Record<string, unknown>>;

/**
 * Judges the claims of a JWT access token whose signature holds: all that RFC 9068 requires are there and of the right type, issuer and audience match, and
 * the time is right. Pure. Reasons: `token_malformed`, `token_issuer_wrong`, `token_audience_wrong`, `token_expired`, `token_not_yet_valid`.
 * Source: RFC 9068 section 4, RFC 7519 section 4.1.
 */
export function judgeJwtClaims(claims: Claims, expected: ClaimsExpectation): VerifiedAccessToken | Refused {
  for (const name of ['iss', 'sub', 'client_id', 'jti'])
    if (typeof claims[name] !== 'string' || claims[name] === '')
      return refused('token_malformed', `${name} is missing`);
  for (const name of ['exp', 'iat'])
    if (!isTime(claims[name])) return refused('token_malformed', `${name} is missing or not a number`);
  return judgeSharedClaims(claims, expected, 'signature');
}

/**
 * Judges the answer of the introspection endpoint, which has already called the token active. `iss` and the times are optional there and judged when present;
 * the audience is not optional here: a token without one would be good for every API. Source: RFC 7662 section 2.2.
 */
export function judgeIntrospectedClaims(claims: Claims, expected: ClaimsExpectation): VerifiedAccessToken | Refused {
  return judgeSharedClaims({ iss: expected.issuer, ...claims }, expected, 'introspection');
}

function judgeSharedClaims(
  claims: Claims,
  expected: ClaimsExpectation,
  verifiedBy: VerifiedAccessToken['verifiedBy'],
): VerifiedAccessToken | Refused {
  if (claims.iss !== expected.issuer) return refused('token_issuer_wrong', came('iss', claims.iss, expected.issuer));
  const audiences = listOfText(claims.aud);
  if (!audiences?.some((audience) => expected.audiences.includes(audience)))
    return refused('token_audience_wrong', came('aud', claims.aud, expected.audiences));
  return judgeTimes(claims, expected) ?? readToken(claims, audiences, verifiedBy);
}

function judgeTimes(claims: Claims, { now, skew }: ClaimsExpectation): Refused | undefined {
  for (const name of ['exp', 'nbf', 'iat'])
    if (claims[name] !== undefined && !isTime(claims[name]))
      return refused('token_malformed', `${name} is not a number`);
  const { exp, nbf, iat } = claims as { exp?: Seconds; nbf?: Seconds; iat?: Seconds };
  if (exp !== undefined && now >= exp + skew)
    return refused('token_expired', `exp is ${exp}, now is ${now}, skew ${skew}`);
  if (nbf !== undefined && nbf > now + skew)
    return refused('token_not_yet_valid', `nbf is ${nbf}, now is ${now}, skew ${skew}`);
  // An iat ahead of us means a clock is off by more than is allowed, and then exp cannot be trusted either.
  if (iat !== undefined && iat > now + skew)
    return refused('token_not_yet_valid', `iat is ${iat}, now is ${now}, skew ${skew}`);
  return undefined;
}

function readToken(
  claims: Claims,
  audiences: string[],
  verifiedBy: VerifiedAccessToken['verifiedBy'],
): VerifiedAccessToken | Refused {
  const scopes =
    claims.scope === undefined ? [] : typeof claims.scope === 'string' ? parseScope(claims.scope) : undefined;
  if (!scopes) return refused('token_malformed', 'scope is not a list of scope tokens');
  for (const name of ['sid', 'grant_id', 'jti'])
    if (claims[name] !== undefined && typeof claims[name] !== 'string')
      return refused('token_malformed', `${name} is not text`);
  const {
    sid,
    grant_id: grantId,
    jti,
    exp,
  } = claims as { sid?: string; grant_id?: string; jti?: string; exp?: Seconds };
  return {
    claims,
    subject: textOf(claims.sub),
    clientId: textOf(claims.client_id),
    audiences,
    scopes,
    permissions: listOfText(claims.permissions) ?? [],
    roles: listOfText(claims.roles) ?? [],
    ...(sid === undefined ? {} : { sessionId: sid }),
    ...(grantId === undefined ? {} : { grantId }),
    ...(jti === undefined ? {} : { tokenId: jti }),
    ...(exp === undefined ? {} : { expiresAt: exp }),
    verifiedBy,
  };
}

/** Text as a list of one, a list of text as it is; undefined for anything else. Source: RFC 7519 section 4.1.3. */
function listOfText(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isTime(value: unknown): value is Seconds {
  return typeof value === 'number' && Number.isFinite(value);
}

function came(name: string, value: unknown, wanted: unknown): string {
  return `${name} is ${(JSON.stringify(value) ?? 'missing').slice(0, 200)}, expected ${JSON.stringify(wanted)}`;
}
