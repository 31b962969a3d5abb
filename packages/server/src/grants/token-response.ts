import { parseScope, type Seconds } from '@tessera/protocol';
import type { Context } from '../context.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import { accessTokenExpiry } from '../sessions/lifetimes.ts';
import type { GrantRecord, UserRecord } from '../store/records.ts';
import { issueAccessToken } from '../tokens/access-token.ts';
import { issueIdToken } from '../tokens/id-token.ts';
import { judgeScopes, permissionsOf } from '../tokens/permissions.ts';
import { narrowTargets, scopesAt, type Targets } from '../tokens/targets.ts';
import { proofKey, type TokenRequest, type TokenResponse } from './grant-handler.ts';

/** What a token issued under a grant will say, decided before anything is written. */
export type IssuePlan = { kind: 'plan'; targets: Targets; scopes: string[] };

/**
 * Decides what a token request gets of its grant: grant ∩ what client and user may have now ∩ what was asked. Asking for more than was granted is refused, never
 * widened. Source: RFC 6749 section 6, RFC 8707 section 2.2.
 */
export async function planIssue(
  context: Context,
  request: TokenRequest,
  grant: Pick<GrantRecord, 'scopes' | 'resources' | 'grantId'>,
  user: UserRecord,
): Promise<IssuePlan | Refusal> {
  const facts = { clientId: request.client.clientId, grantId: grant.grantId };
  const targets = await narrowTargets(context, request.client, grant.resources, request.resources);
  if (targets.kind === 'refuse') return { ...targets, facts: { ...facts, ...targets.facts } };
  const asked = request.parameters.scope === undefined ? grant.scopes : parseScope(request.parameters.scope);
  if (!asked)
    return refuse('invalid_scope', 'parameter_invalid', 'scope has a character that a scope cannot have', { facts });
  const wider = asked.find((scope) => !grant.scopes.includes(scope));
  if (wider !== undefined)
    return refuse('invalid_scope', 'scope_not_allowed', 'scope asks for more than was granted', {
      facts: { ...facts, expected: grant.scopes.join(' '), got: wider },
    });
  const present = judgeScopes(asked, request.client, user, await context.registry.resourceServers());
  return { kind: 'plan', targets, scopes: scopesAt(targets, present.allowed, user) };
}

/** Signs what was planned. `grant` is as it is after the commit: tokens hang on its new limits. */
export function issueUnderGrant(
  context: Context,
  request: TokenRequest,
  plan: IssuePlan,
  facts: {
    grant: GrantRecord;
    user: UserRecord;
    refreshToken?: string | undefined;
    nonce?: string | undefined;
    now: Seconds;
  },
): TokenResponse {
  const { client } = request;
  const { grant, user, now } = facts;
  const { audiences, resourceServers } = plan.targets;
  const exp = accessTokenExpiry(context.config, client, resourceServers, grant, now);
  const jkt = proofKey(request);
  const accessToken = issueAccessToken(context, {
    client,
    grant,
    sub: user.userId,
    audiences,
    resourceServers,
    scopes: plan.scopes,
    ...permissionsOf(user, resourceServers, plan.scopes),
    jkt,
    issuerEpoch: grant.issuerEpoch,
    iat: now,
    exp,
  });
  context.metrics.tokensIssued.inc({ grant_type: request.parameters.grant_type ?? '' });
  const response: TokenResponse = {
    access_token: accessToken,
    token_type: jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: exp - now,
    scope: plan.scopes.join(' '),
  };
  if (facts.refreshToken !== undefined) response.refresh_token = facts.refreshToken;
  if (plan.scopes.includes('openid'))
    response.id_token = issueIdToken(context, {
      client,
      grant,
      user,
      scopes: plan.scopes,
      accessToken,
      nonce: facts.nonce,
      now,
    });
  return response;
}
