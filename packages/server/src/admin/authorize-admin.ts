import { adminAudience } from '../admin-resource-server.ts';
import type { Context } from '../context.ts';
import { challenged, presentedAccessToken, refuseWithoutScope } from '../http/access-token-header.ts';
import type { Input } from '../http/message.ts';
import { answerRefusal, refuse } from '../http/refusal.ts';
import { catchUp, isUpToDate } from '../up-to-date.ts';
import type { Authorize } from './rest/operation-route.ts';

/** Judges the tokens of the admin API as the server judges its own: live at this very moment, for the API's audience, with a scope that is given still. Source: RFC 6750 section 3.1, RFC 9449 section 7. */
export function authorizeAdmin(context: Context): Authorize {
  return async (headers, { method, url, ip }, neededScope) => {
    const { pathname, search } = new URL(url);
    const input: Input = {
      method,
      path: pathname,
      query: search.slice(1),
      headers: Object.assign(Object.create(null), Object.fromEntries(headers)),
      // Two Authorization headers arrive joined by a comma, which no token has.
      repeated: [],
      body: '',
      ip,
      onGone: () => undefined,
      isGone: () => false,
    };
    if (!isUpToDate(context)) await catchUp(context);
    const presented = await presentedAccessToken(context, input, `${context.config.issuer}${pathname}`);
    if (presented.kind === 'refuse') return answerRefusal(context, input, 'admin', presented);
    const { claims, user } = presented;
    const audiences = [claims.aud].flat();
    const expected = adminAudience(context.config.issuer);
    if (!audiences.includes(expected)) {
      const facts = { clientId: claims.client_id, expected, got: audiences.join(' ') };
      const wrong = refuse('invalid_token', 'token_audience_wrong', 'the access token is for another API', { facts });
      return answerRefusal(context, input, 'admin', challenged(claims.cnf ? 'DPoP' : 'Bearer', wrong));
    }
    const refusal = await refuseWithoutScope(context, presented, neededScope);
    if (refusal) return answerRefusal(context, input, 'admin', refusal);
    return { actor: { kind: 'admin', clientId: claims.client_id, ...(user && { userId: user.userId }) } };
  };
}
