import type { AccessTokenClaims } from '@tessera/protocol';
import { authenticateClient } from '../client-auth/authenticate-client.ts';
import type { Context } from '../context.ts';
import { type Input, json, type Output } from '../http/message.ts';
import { readForm } from '../http/parameters.ts';
import { answerRefusal, type Refusal, refuse } from '../http/refusal.ts';
import { grantEnd } from '../sessions/grant-end.ts';
import type { ClientRecord, GrantRecord } from '../store/records.ts';
import { liveAccessToken } from '../tokens/live-access-token.ts';
import { digestGrantSecret, openRefreshToken, type RefreshToken } from '../tokens/refresh-token.ts';
import { methodRefusal } from './token.ts';

/**
 * The introspection endpoint: says what a token is worth at this moment, from the store, never from a copy. A client may ask about what was issued to it, and a resource server's
 * clients about what was issued for it; anything else is `active: false`, as an unknown token is. Source: RFC 7662.
 */
export async function introspectionEndpoint(context: Context, input: Input): Promise<Output> {
  const outcome = await introspect(context, input);
  if ('kind' in outcome) return answerRefusal(context, input, 'introspection', outcome as Refusal);
  context.metrics.introspections.inc({ active: String(outcome.active) });
  return json(200, outcome);
}

async function introspect(context: Context, input: Input): Promise<Record<string, unknown> | Refusal> {
  if (input.method !== 'POST') return methodRefusal('POST');
  const form = readForm(input.headers['content-type'], input.body);
  if (!form.ok) return refuse('invalid_request', 'malformed_request', form.description);
  const authenticated = await authenticateClient(context, input, form.parameters);
  if (authenticated.kind === 'refuse') return authenticated;
  const { client } = authenticated;
  if (client.authMethod === 'none')
    return refuse('invalid_client', 'client_authentication_missing', 'a public client cannot introspect', {
      facts: { clientId: client.clientId },
    });
  const { token } = form.parameters;
  if (token === undefined)
    return refuse('invalid_request', 'parameter_missing', 'token is missing', { facts: { clientId: client.clientId } });
  const presented = openRefreshToken(context.rootKeys, token);
  return presented
    ? describeRefreshToken(context, client, presented)
    : ((await describeAccessToken(context, client, token)) ?? { active: false });
}

async function describeAccessToken(context: Context, client: ClientRecord, token: string) {
  const verdict = await liveAccessToken(context, token);
  if (!verdict.live || !(await mayRead(context, client, verdict.claims))) return undefined;
  const { claims, grant } = verdict;
  return {
    active: true,
    token_type: claims.cnf ? 'DPoP' : 'Bearer',
    ...claims,
    ...(grant && { username: verdict.username }),
  };
}

async function describeRefreshToken(context: Context, client: ClientRecord, presented: RefreshToken) {
  const { clientId } = client;
  const now = context.now();
  const { grant, user, clientVersion } = await context.store.getStanding({ grantId: presented.grantId, clientId, now });
  const isCurrent =
    grant?.generation === presented.generation && grant.secretDigest === digestGrantSecret(presented.secret);
  if (!grant || !isCurrent || grant.clientId !== clientId) return { active: false };
  const facts = { grant, client: await context.registry.clientAsOf(clientId, clientVersion), user };
  if (grantEnd({ ...facts, issuerEpoch: context.issuerEpoch() }, now)) return { active: false };
  return { active: true, token_type: 'refresh_token', iss: context.config.issuer, ...refreshClaims(grant) };
}

function refreshClaims(grant: GrantRecord) {
  return {
    client_id: grant.clientId,
    sub: grant.userId,
    scope: grant.scopes.join(' '),
    grant_id: grant.grantId,
    sid: grant.sid,
    iat: grant.rotatedAt,
    exp: Math.min(grant.idleAt ?? grant.endsAt, grant.endsAt),
    ...(grant.jkt === null ? {} : { cnf: { jkt: grant.jkt } }),
  };
}

async function mayRead(context: Context, client: ClientRecord, claims: AccessTokenClaims): Promise<boolean> {
  if (claims.client_id === client.clientId) return true;
  for (const audience of [claims.aud].flat())
    if ((await context.registry.resourceServer(audience))?.clients.includes(client.clientId)) return true;
  return false;
}
