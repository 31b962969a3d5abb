import type { ResourceServerRecord } from './store/records.ts';

/** The scopes of the admin API, in words for the consent page. */
export const adminScopes = {
  'tessera:users:read': 'See all users of this server',
  'tessera:users:write': 'Create, change, disable and remove users, set their passwords and give them roles',
  'tessera:clients:read': 'See all applications registered here',
  'tessera:clients:write': 'Register, change and remove applications, replace their secrets and cut them off',
  'tessera:resource-servers:read': 'See all APIs registered here and their permission rules',
  'tessera:resource-servers:write': 'Register, change and remove APIs and their permission rules',
  'tessera:sessions:read': 'See who is signed in where',
  'tessera:sessions:write': 'Sign people and applications out',
  'tessera:events:read': 'Read what happened on this server, and why requests were refused',
  'tessera:keys:read': 'See the signing keys (never their private halves)',
  'tessera:keys:write': 'Rotate and revoke the signing keys',
  'tessera:consents:read': 'See what users have allowed applications',
  'tessera:consents:write': 'Withdraw what users have allowed applications',
} as const;

/** A scope of the admin API. */
export type AdminScope = keyof typeof adminScopes;

/** The id of the admin API among the resource servers. */
export const adminResourceServerId = 'tessera-admin';

/** The audience of tokens for the admin API. */
export function adminAudience(issuer: string): string {
  return `${issuer}/admin/api`;
}

/**
 * The admin API as a resource server, built in: of users, those with the role `admin` may have all its scopes, those with the role `auditor` the ones for
 * reading, others none. A client acting for itself has those it is registered for. So whoever may give roles (`tessera:users:write`) or register clients
 * (`tessera:clients:write`) may give themselves all of them.
 */
export function adminResourceServer(issuer: string): ResourceServerRecord {
  const scopes = Object.keys(adminScopes);
  return {
    resourceServerId: adminResourceServerId,
    version: 1,
    name: 'Administration of this server',
    audiences: [adminAudience(issuer)],
    scopes: Object.fromEntries(Object.entries(adminScopes).map(([scope, description]) => [scope, { description }])),
    roles: { admin: scopes, auditor: scopes.filter((scope) => scope.endsWith(':read')) },
    tokenFormat: 'jwt',
    algorithm: 'ES256',
    clients: [],
    declared: true,
    createdAt: 0,
    updatedAt: 0,
  };
}
