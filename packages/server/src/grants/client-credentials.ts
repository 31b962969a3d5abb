import { parseScope } from '@tessera/protocol';
import { replayRefusal } from '../http/dpop.ts';
import { printable } from '../http/parameters.ts';
import { refuse } from '../http/refusal.ts';
import { accessTokenExpiry } from '../sessions/lifetimes.ts';
import { issueAccessToken } from '../tokens/access-token.ts';
import { judgeScopes } from '../tokens/permissions.ts';
import { findTargets, oneKindOfToken, scopesAt } from '../tokens/targets.ts';
import { type GrantHandler, proofKey } from './grant-handler.ts';

/** A client acting for itself: an access token, no session, no grant, no refresh token, and no row. Source: RFC 6749 section 4.4, RFC 9068 section 3. */
export const clientCredentials: GrantHandler = {
  grantType: 'client_credentials',
  async handle(context, request) {
    const { client, parameters } = request;
    const facts = { clientId: client.clientId };
    const asked = parameters.scope === undefined ? client.scopes : parseScope(parameters.scope);
    if (!asked)
      return refuse('invalid_scope', 'parameter_invalid', 'scope has a character that a scope cannot have', { facts });
    const judged = judgeScopes(asked, client, undefined, await context.registry.resourceServers());
    const found = await findTargets(context, client, request.resources, judged.allowed);
    const targets = found.kind === 'refuse' ? found : oneKindOfToken(found);
    const scopes = targets.kind === 'refuse' ? judged.allowed : scopesAt(targets, judged.allowed, undefined);
    const dropped = [...judged.unknown, ...judged.allowed.filter((scope) => !scopes.includes(scope))];
    const beyond = [...judged.refused, ...(context.config.unknownScopes === 'refuse' ? dropped : [])][0];
    if (parameters.scope !== undefined && beyond !== undefined)
      return refuse(
        'invalid_scope',
        'scope_not_allowed',
        `scope "${printable(beyond)}" is not one this client may have`,
        { facts },
      );
    if (targets.kind === 'refuse') return { ...targets, facts: { ...facts, ...targets.facts } };

    if (request.dpop.kind === 'proof') {
      const remembered = await context.store.commit([request.dpop.remember]);
      if (remembered.outcome === 'conflict') return replayRefusal(context, request.dpop, facts);
    }
    const now = context.now();
    const exp = accessTokenExpiry(context.config, client, targets.resourceServers, undefined, now);
    const jkt = proofKey(request);
    const accessToken = issueAccessToken(context, {
      client,
      grant: undefined,
      sub: client.clientId,
      audiences: targets.audiences,
      resourceServers: targets.resourceServers,
      scopes,
      roles: [],
      permissions: [],
      jkt,
      issuerEpoch: context.issuerEpoch(),
      iat: now,
      exp,
    });
    context.metrics.tokensIssued.inc({ grant_type: 'client_credentials' });
    return {
      kind: 'issue',
      response: {
        access_token: accessToken,
        token_type: jkt === undefined ? 'Bearer' : 'DPoP',
        expires_in: exp - now,
        scope: scopes.join(' '),
      },
    };
  },
};
