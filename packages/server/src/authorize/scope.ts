import { parseScope } from '@tessera/protocol';
import { printable } from '../http/parameters.ts';
import { refuse } from '../http/refusal.ts';
import { openIdScopes } from '../tokens/user-claims.ts';
import type { AuthorizationCheck } from './authorization-request.ts';

/**
 * Scopes that nobody registered, and those the client is not registered for, are dropped or refused, as the operator chose; what is granted is told with the token. A request without scope
 * asks for what the client is registered for at its APIs. Source: RFC 6749 section 3.3, OpenID Connect Core 1.0 section 3.1.2.1.
 */
export const checkScope: AuthorizationCheck = async (context, { parameters, client, request }) => {
  const facts = { clientId: client.clientId };
  const asked =
    parameters.scope === undefined
      ? client.scopes.filter((scope) => !openIdScopes.includes(scope))
      : parseScope(parameters.scope);
  if (!asked)
    return refuse('invalid_scope', 'parameter_invalid', 'scope has a character that a scope cannot have', { facts });
  const servers = await context.registry.resourceServers();
  for (const scope of asked) {
    const isKnown = openIdScopes.includes(scope) || servers.some((one) => Object.hasOwn(one.scopes, scope));
    const isAllowed = scope === 'offline_access' ? client.offlineAccess : client.scopes.includes(scope);
    if (isKnown && isAllowed) request.scopes.push(scope);
    // offline_access is a wish: OpenID Connect Core 1.0 section 11 has it ignored where it cannot be had.
    else if (context.config.unknownScopes === 'refuse' && scope !== 'offline_access')
      return refuse(
        'invalid_scope',
        isKnown ? 'scope_not_allowed' : 'scope_unknown',
        `scope "${printable(scope)}" is not one this client may ask for`,
        {
          facts: { ...facts, got: printable(scope) },
        },
      );
  }
  return undefined;
};
