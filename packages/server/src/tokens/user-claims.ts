import type { UserRecord } from '../store/records.ts';

/** Which claims a scope asks for. Source: OpenID Connect Core 1.0 section 5.4. */
const claimsOfScope: Record<string, readonly string[]> = {
  profile: [
    'name',
    'family_name',
    'given_name',
    'middle_name',
    'nickname',
    'preferred_username',
    'profile',
    'picture',
    'website',
    'gender',
    'birthdate',
    'zoneinfo',
    'locale',
    'updated_at',
  ],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
};

/** All scopes of OpenID Connect. */
export const openIdScopes: readonly string[] = ['openid', 'offline_access', ...Object.keys(claimsOfScope)];

/** All claims that can be asked for. */
export const supportedClaims: readonly string[] = ['sub', ...Object.values(claimsOfScope).flat()];

/** Claims the issuer sets itself: a `claims` parameter or a user's record never sets these. */
const reserved = new Set([
  'iss',
  'sub',
  'aud',
  'exp',
  'iat',
  'nbf',
  'jti',
  'auth_time',
  'nonce',
  'acr',
  'amr',
  'azp',
  'at_hash',
  'c_hash',
  'sid',
  'cnf',
]);

/**
 * The claims about a user that scopes and a member of the `claims` parameter ask for, as far as they are known. Only registered claims can be asked for by name.
 * Source: OpenID Connect Core 1.0 sections 5.1, 5.4 and 5.5.
 */
export function userClaims(
  user: UserRecord,
  scopes: readonly string[],
  requested: Record<string, unknown> | undefined,
): Record<string, unknown> {
  const names = new Set(scopes.flatMap((scope) => claimsOfScope[scope] ?? []));
  for (const name of Object.keys(requested ?? {})) if (supportedClaims.includes(name)) names.add(name);
  const known: Record<string, unknown> = {
    preferred_username: user.username,
    updated_at: user.updatedAt,
    ...user.claims,
    ...(user.email === undefined ? {} : { email: user.email, email_verified: user.emailVerified }),
  };
  const claims: Record<string, unknown> = {};
  for (const name of names) if (!reserved.has(name) && known[name] !== undefined) claims[name] = known[name];
  return claims;
}
