import type { ClientRecord, ResourceServerRecord, UserRecord } from '../store/records.ts';
import { openIdScopes } from './user-claims.ts';

/** Scopes sorted by what may be done with them. */
export type ScopeJudgement = { allowed: string[]; unknown: string[]; refused: string[] };

/**
 * Judges the scopes asked for: those of OpenID Connect and of the resource servers at hand are known; a client has those it is registered for; and a scope
 * that stands in a permission rule is for users with such a role alone. `user` undefined: a client acting for itself. `audiences`: where it will be used, when that is known;
 * then the rules of those count alone, for resource servers may name a scope alike and rule it differently. Pure.
 */
export function judgeScopes(
  asked: readonly string[],
  client: Pick<ClientRecord, 'scopes' | 'offlineAccess' | 'grantTypes'>,
  user: Pick<UserRecord, 'roles'> | undefined,
  resourceServers: readonly ResourceServerRecord[],
  audiences: readonly string[] = [],
): ScopeJudgement {
  const judgement: ScopeJudgement = { allowed: [], unknown: [], refused: [] };
  for (const scope of asked) {
    const servers = serversOfScope(scope, resourceServers, audiences);
    const isOpenId = openIdScopes.includes(scope);
    if (servers.length === 0 && !isOpenId) judgement.unknown.push(scope);
    else if (isOpenId && !user) judgement.refused.push(scope);
    else if (scope === 'offline_access' ? !client.offlineAccess : !client.scopes.includes(scope))
      judgement.refused.push(scope);
    else if (user && !isOpenId && !servers.some((server) => mayHave(server, user, scope)))
      judgement.refused.push(scope);
    else judgement.allowed.push(scope);
  }
  return judgement;
}

/** The resource servers that know a scope: those of these audiences if any of them does (elsewhere it gives nothing), else all that do. Pure. */
export function serversOfScope(
  scope: string,
  resourceServers: readonly ResourceServerRecord[],
  audiences: readonly string[],
): ResourceServerRecord[] {
  const knowing = resourceServers.filter((one) => Object.hasOwn(one.scopes, scope));
  const there = knowing.filter((one) => one.audiences.some((audience) => audiences.includes(audience)));
  return there.length > 0 ? there : knowing;
}

/**
 * What a user's roles give at these resource servers: the roles that mean something there, and what they permit. A permission that is a scope too is the app's only when that
 * scope was granted: an app that may read must not carry the user's permission to write. A token says its permissions once for all its audiences, so one that a rule of another of them withholds from
 * the user is left out. Pure.
 */
export function permissionsOf(
  user: Pick<UserRecord, 'roles'> | undefined,
  resourceServers: readonly ResourceServerRecord[],
  scopes: readonly string[],
): { roles: string[]; permissions: string[] } {
  const roles = new Set<string>();
  const permissions = new Set<string>();
  if (!user) return { roles: [], permissions: [] };
  const maySay = (permission: string) =>
    resourceServers.every(
      (one) =>
        mayHave(one, user, permission) && (!Object.hasOwn(one.scopes, permission) || scopes.includes(permission)),
    );
  for (const server of resourceServers)
    for (const role of user.roles) {
      if (!Object.hasOwn(server.roles, role)) continue;
      roles.add(role);
      for (const permission of server.roles[role] ?? []) if (maySay(permission)) permissions.add(permission);
    }
  return { roles: [...roles], permissions: [...permissions] };
}

/** Whether this resource server's rules let the user have a scope or permission. Pure. */
export function mayHave(
  server: Pick<ResourceServerRecord, 'roles'>,
  user: Pick<UserRecord, 'roles'>,
  scope: string,
): boolean {
  const isRuled = Object.values(server.roles).some((permitted) => permitted.includes(scope));
  return (
    !isRuled || user.roles.some((role) => Object.hasOwn(server.roles, role) && server.roles[role]?.includes(scope))
  );
}
