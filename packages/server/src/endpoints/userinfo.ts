import type { Context } from '../context.ts';
import { challenged, presentedAccessToken } from '../http/access-token-header.ts';
import { withNextNonce } from '../http/dpop.ts';
import { type Input, json, type Output } from '../http/message.ts';
import { answerRefusal, type Refusal, refuse } from '../http/refusal.ts';
import { userClaims } from '../tokens/user-claims.ts';
import { methodRefusal } from './token.ts';

/**
 * The userinfo endpoint: claims about the user of an access token that was granted `openid`, whatever API it is for. Source: OpenID Connect Core 1.0 section 5.3.
 */
export async function userinfoEndpoint(context: Context, input: Input): Promise<Output> {
  const outcome = await userinfo(context, input);
  const output =
    outcome.kind === 'refuse' ? answerRefusal(context, input, 'userinfo', outcome) : json(200, outcome.claims);
  return withNextNonce(context, input, output);
}

async function userinfo(context: Context, input: Input): Promise<{ kind: 'claims'; claims: object } | Refusal> {
  if (input.method !== 'GET' && input.method !== 'POST') return methodRefusal('GET, POST');
  const presented = await presentedAccessToken(context, input, `${context.config.issuer}/userinfo`, {
    allowForm: true,
  });
  if (presented.kind === 'refuse') return presented;
  const { claims, grant, user } = presented;
  const scopes = claims.scope.split(' ');
  if (!grant || !user || !scopes.includes('openid')) {
    const missing = refuse('insufficient_scope', 'scope_missing', 'the access token was not granted openid', {
      facts: { clientId: claims.client_id, expected: 'openid', got: claims.scope },
    });
    return challenged(claims.cnf ? 'DPoP' : 'Bearer', missing, 'openid');
  }
  const requested = grant.claims?.userinfo as Record<string, unknown> | undefined;
  return { kind: 'claims', claims: { ...userClaims(user, scopes, requested), sub: user.userId } };
}
