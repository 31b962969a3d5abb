import { dpopAlgorithms, formatChallenge } from '@tessera/protocol';
import { adminAudience } from '../admin-resource-server.ts';
import type { Context } from '../context.ts';
import { type LiveAccessToken, liveAccessToken } from '../tokens/live-access-token.ts';
import { judgeScopes } from '../tokens/permissions.ts';
import { readDpop, replayRefusal } from './dpop.ts';
import type { Input } from './message.ts';
import { readForm, readParameters } from './parameters.ts';
import { type Refusal, refuse } from './refusal.ts';

/** What a DPoP challenge names, so that clients know what to sign their proofs with. Source: RFC 9449 section 7.1. */
const algs = dpopAlgorithms.join(' ');

/** An access token that came with a request to one of the server's own resources, judged. */
export type PresentedAccessToken = Extract<LiveAccessToken, { live: true }> & { kind: 'token' };

/**
 * Reads and judges the access token of a request to `url`: from the Authorization header, or, with `allowForm`, from the form of a POST; never from the URL.
 * A token bound to a key needs its proof. Source: RFC 6750 sections 2 and 3, RFC 9449 section 7.
 */
export async function presentedAccessToken(
  context: Context,
  input: Input,
  url: string,
  options: { allowForm: boolean } = { allowForm: false },
): Promise<PresentedAccessToken | Refusal> {
  const query = readParameters(input.query);
  if (query.ok && query.parameters.access_token !== undefined)
    return challenged(
      'Bearer',
      refuse('invalid_request', 'token_in_query', 'send the access token in the Authorization header, not in the URL'),
    );
  const found = findToken(input, options.allowForm);
  if (found === 'several')
    return challenged(
      'Bearer',
      refuse('invalid_request', 'malformed_request', 'send the access token in one way, not in several'),
    );
  if (!found) {
    const nothing = refuse('invalid_token', 'token_missing', 'an access token is needed');
    return { ...nothing, headers: { 'www-authenticate': `Bearer, ${formatChallenge('DPoP', { algs })}` } };
  }
  const { scheme, token } = found;
  const invalid = (reason: Refusal['reason'], facts?: Refusal['facts']) =>
    challenged(
      scheme,
      refuse('invalid_token', reason, 'the access token is invalid, expired or revoked', { ...(facts && { facts }) }),
    );
  if (input.repeated.includes('authorization'))
    return challenged(
      scheme,
      refuse('invalid_request', 'malformed_request', 'the Authorization header came more than once'),
    );
  const verdict = await liveAccessToken(context, token);
  if (!verdict.live) return invalid(verdict.reason, { ...(verdict.claims && { clientId: verdict.claims.client_id }) });
  const facts = { clientId: verdict.claims.client_id };
  const jkt = verdict.claims.cnf?.jkt;
  if ((jkt !== undefined) !== (scheme === 'DPoP'))
    return invalid(jkt === undefined ? 'dpop_key_mismatch' : 'dpop_missing', facts);
  if (jkt === undefined) return { kind: 'token', ...verdict };
  const dpop = await readDpop(context, input, url, token);
  if (dpop.kind === 'refuse') return challenged(scheme, { ...dpop, status: 401, facts });
  if (dpop.kind === 'none') return invalid('dpop_missing', facts);
  if (dpop.jkt !== jkt) return invalid('dpop_key_mismatch', facts);
  const remembered = await context.store.commit([dpop.remember]);
  if (remembered.outcome === 'conflict')
    return challenged(scheme, { ...(await replayRefusal(context, dpop, facts)), status: 401 });
  return { kind: 'token', ...verdict };
}

/**
 * Why a live token does not give a scope of the admin API, undefined when it does: it lacks the scope, or the user's roles or the client's registration give it no longer. Who was an administrator
 * must not have the token's lifetime left to take the role back. Source: RFC 6750 section 3.1.
 */
export async function refuseWithoutScope(
  context: Context,
  { claims, client, user }: PresentedAccessToken,
  scope: string,
): Promise<Refusal | undefined> {
  const no = (reason: 'scope_missing' | 'scope_not_allowed', why: string) =>
    challenged(
      claims.cnf ? 'DPoP' : 'Bearer',
      refuse('insufficient_scope', reason, why, {
        facts: { clientId: claims.client_id, expected: scope, got: claims.scope },
      }),
      scope,
    );
  if (!claims.scope.split(' ').includes(scope)) return no('scope_missing', `this needs the scope ${scope}`);
  const servers = await context.registry.resourceServers();
  const present = judgeScopes([scope], client, user, servers, [adminAudience(context.config.issuer)]);
  return present.allowed.length === 0 ? no('scope_not_allowed', `the scope ${scope} was taken away`) : undefined;
}

/** The refusal with the challenge that goes with it. */
export function challenged(scheme: 'Bearer' | 'DPoP', refusal: Refusal, scope?: string): Refusal {
  const { error, description: error_description } = refusal;
  const challenge = formatChallenge(scheme, {
    error,
    error_description,
    scope,
    ...(scheme === 'DPoP' && { algs }),
  });
  return { ...refusal, headers: { ...refusal.headers, 'www-authenticate': challenge } };
}

/** RFC 6750 section 2: a client must not use more than one method in a request. */
function findToken(
  input: Input,
  allowForm: boolean,
): { scheme: 'Bearer' | 'DPoP'; token: string } | 'several' | undefined {
  const form =
    allowForm && input.method === 'POST' ? readForm(input.headers['content-type'], input.body) : { ok: false as const };
  const inForm = form.ok ? form.parameters.access_token : undefined;
  if (input.headers.authorization === undefined)
    return inForm === undefined ? undefined : { scheme: 'Bearer', token: inForm };
  if (inForm !== undefined) return 'several';
  const match = /^(bearer|dpop) +([A-Za-z0-9._~+/-]+=*)$/i.exec(input.headers.authorization);
  if (!match) return undefined;
  return { scheme: match[1]?.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token: match[2] as string };
}
