import type { AuthorizationRequest } from '../authorize/authorization-request.ts';
import type { Context } from '../context.ts';
import type { AskingClient, ScopeModel } from '../pages/index.ts';
import type { ClientRecord, ResourceServerRecord, SessionRecord, UserRecord } from '../store/records.ts';
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

/** The request once the person goes on as somebody else than this session's user: the sign-in page neither speaks of that user nor fills in their name. */
export function leaving(
  request: AuthorizationRequest,
  session: Pick<SessionRecord, 'sid'>,
  user: Pick<UserRecord, 'username' | 'email'>,
): AuthorizationRequest {
  const { loginHint, ...rest } = request;
  const names = [user.username, user.email].map((name) => name?.toLowerCase());
  const isOther = loginHint !== undefined && !names.includes(loginHint.trim().toLowerCase());
  return { ...rest, ...(isOther && { loginHint }), leftSid: session.sid };
}

/** A user in a form the user knows. */
export function accountName(user: { username: string }): string {
  return user.username;
}

type Allowed = { scopes: readonly string[]; resources: readonly string[] };

/**
 * What consent covers: what was shown to the user, added to what was allowed before. Where the two together would say more than either did, since a scope of one means something at an API of the other
 * too, only what was shown: for the rest the user is asked again. The issuer itself, which userinfo belongs to, needs no consent beyond that of the scopes. Pure.
 */
export function widened(
  before: Allowed | undefined,
  shown: Allowed,
  issuer: string,
  resourceServers: readonly ResourceServerRecord[],
): { scopes: string[]; resources: string[] } {
  const kept =
    before && !reachesFurther(before, shown, resourceServers) && !reachesFurther(shown, before, resourceServers)
      ? before
      : undefined;
  return {
    scopes: [...new Set([...(kept?.scopes ?? []), ...shown.scopes])],
    resources: [...new Set([...(kept?.resources ?? []), ...shown.resources, issuer])],
  };
}

/** Whether a scope that was allowed only with `one` means something at a resource server that was named only with `other`. */
function reachesFurther(one: Allowed, other: Allowed, resourceServers: readonly ResourceServerRecord[]): boolean {
  const isNamed = ({ audiences }: ResourceServerRecord, { resources }: Allowed) =>
    audiences.some((audience) => resources.includes(audience));
  return resourceServers
    .filter((server) => isNamed(server, other) && !isNamed(server, one))
    .some((server) => one.scopes.some((scope) => !other.scopes.includes(scope) && Object.hasOwn(server.scopes, scope)));
}
