import { adminAudience } from '../admin-resource-server.ts';
import type { Context } from '../context.ts';
import { challenged, presentedAccessToken } from '../http/access-token-header.ts';
import type { Input } from '../http/message.ts';
import { answerRefusal, refuse } from '../http/refusal.ts';
import { judgeScopes } from '../tokens/permissions.ts';
import { catchUp, isUpToDate } from '../up-to-date.ts';
import type { Authorize } from './rest/operation-route.ts';

/**
 * Judges the tokens of the admin API as the server judges its own: live at this very moment, for the API's audience, with the scope. A scope that the user's roles or the client's registration
 * give no longer counts as missing, though the token names it: who was an administrator must not have its lifetime left to take the role back. Source: RFC 6750 section 3.1, RFC 9449 section 7.
 */
export function authorizeAdmin(context: Context): Authorize {
  return async (headers, method, url, neededScope) => {
    const { pathname, search } = new URL(url);
    const input: Input = {
      method,
      path: pathname,
      query: search.slice(1),
      headers: Object.assign(Object.create(null), Object.fromEntries(headers)),
      // Two Authorization headers arrive joined by a comma, which no token has.
      repeated: [],
      body: '',
      ip: '',
      onGone: () => undefined,
      isGone: () => false,
    };
    if (!isUpToDate(context)) await catchUp(context);
    const presented = await presentedAccessToken(context, input, `${context.config.issuer}${pathname}`);
    if (presented.kind === 'refuse') return answerRefusal(context, input, 'admin', presented);
    const { claims, client, user } = presented;
    const scheme = claims.cnf ? 'DPoP' : 'Bearer';
    const facts = { clientId: claims.client_id };
    if (![claims.aud].flat().includes(adminAudience(context.config.issuer))) {
      const wrong = refuse('invalid_token', 'token_audience_wrong', 'the access token is for another API', { facts });
      return answerRefusal(context, input, 'admin', challenged(scheme, wrong));
    }
    if (!claims.scope.split(' ').includes(neededScope)) {
      const missing = refuse('insufficient_scope', 'scope_missing', `this needs the scope ${neededScope}`, { facts });
      return answerRefusal(context, input, 'admin', challenged(scheme, missing, neededScope));
    }
    const present = judgeScopes([neededScope], client, user, await context.registry.resourceServers());
    if (present.allowed.length === 0) {
      const lost = refuse('insufficient_scope', 'scope_not_allowed', `the scope ${neededScope} was taken away`, {
        facts,
      });
      return answerRefusal(context, input, 'admin', challenged(scheme, lost, neededScope));
    }
    return { actor: { kind: 'admin', clientId: claims.client_id, ...(user && { userId: user.userId }) } };
  };
}
