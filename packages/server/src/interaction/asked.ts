import type { Context } from '../context.ts';
import type { AskingClient, ScopeModel } from '../pages/index.ts';
import type { ClientRecord } from '../store/records.ts';
import { serversOfScope } from '../tokens/permissions.ts';

/** The client as pages show it. */
export function askingClient(client: ClientRecord, redirectUri: string | undefined): AskingClient {
  return { client_name: client.name, redirect_uri: redirectUri, policy_uri: client.policyUri, tos_uri: client.tosUri };
}

/**
 * Scopes as pages show them: with the operator's words and the resource server they belong to. `resources`: the audiences they are for; one that is known at several of them is shown for each,
 * for it may mean another thing there.
 */
export async function describeScopes(
  context: Pick<Context, 'registry'>,
  scopes: readonly string[],
  resources: readonly string[],
): Promise<ScopeModel[]> {
  const servers = await context.registry.resourceServers();
  return scopes.flatMap((scope): ScopeModel[] => {
    const shown = serversOfScope(scope, servers, resources);
    if (shown.length === 0) return [{ scope }];
    return shown.map((one) => ({ scope, description: one.scopes[scope]?.description, resourceServer: one.name }));
  });
}

/** A user in a form the user knows. */
export function accountName(user: { username: string }): string {
  return user.username;
}

/**
 * What consent covers: what was shown to the user, added to what was allowed before. The issuer itself, which userinfo belongs to, needs no consent beyond that of the scopes.
 */
export function widened(
  before: { scopes: string[]; resources: string[] } | undefined,
  shown: { scopes: string[]; resources: string[] },
  issuer: string,
) {
  return {
    scopes: [...new Set([...(before?.scopes ?? []), ...shown.scopes])],
    resources: [...new Set([...(before?.resources ?? []), ...shown.resources, issuer])],
  };
}
