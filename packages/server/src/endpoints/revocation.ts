import { largestAllowedSkew } from '@tessera/protocol';
import { authenticateClient } from '../client-auth/authenticate-client.ts';
import type { Context } from '../context.ts';
import { type Input, json, type Output } from '../http/message.ts';
import { readForm } from '../http/parameters.ts';
import { answerRefusal, type Refusal, refuse } from '../http/refusal.ts';
import { endingNow } from '../sessions/ending.ts';
import type { ClientRecord } from '../store/records.ts';
import type { GrantProof } from '../store/store.ts';
import { readAccessToken } from '../tokens/access-token.ts';
import { readWithKeysOfNow } from '../tokens/key-of-now.ts';
import { saysWhatItsGrantGives } from '../tokens/live-access-token.ts';
import { digestGrantSecret, openRefreshToken } from '../tokens/refresh-token.ts';
import { methodRefusal } from './token.ts';

/**
 * Edges remember a bounded number of entries. After so many single access tokens of one grant are revoked, the grant ends instead; a client acting for itself has none
 * that could end, and is told to wait.
 */
const mostSingleTokens = 8;
const mostMachineTokens = 256;

/**
 * The revocation endpoint. A refresh token of any generation ends its grant and with it every token under it; an access token is revoked alone. Unknown tokens are answered
 * as revoked ones. Source: RFC 7009.
 */
export async function revocationEndpoint(context: Context, input: Input): Promise<Output> {
  const refusal = await revoke(context, input);
  return refusal ? answerRefusal(context, input, 'revocation', refusal) : json(200, {});
}

async function revoke(context: Context, input: Input): Promise<Refusal | undefined> {
  if (input.method !== 'POST') return methodRefusal('POST');
  const form = readForm(input.headers['content-type'], input.body);
  if (!form.ok) return refuse('invalid_request', 'malformed_request', form.description);
  const authenticated = await authenticateClient(context, input, form.parameters);
  if (authenticated.kind === 'refuse') return authenticated;
  const { client } = authenticated;
  const { token } = form.parameters;
  if (token === undefined)
    return refuse('invalid_request', 'parameter_missing', 'token is missing', { facts: { clientId: client.clientId } });
  const outcome = await revokeRefreshToken(context, client, token);
  return outcome === 'not-one' ? revokeAccessToken(context, client, token) : outcome;
}

async function revokeRefreshToken(
  context: Context,
  client: ClientRecord,
  token: string,
): Promise<Refusal | undefined | 'not-one'> {
  const presented = openRefreshToken(context.rootKeys, token);
  if (!presented) return 'not-one';
  const { grantId } = presented;
  const proof = { clientId: client.clientId, secretDigest: digestGrantSecret(presented.secret) };
  const ending = await endingNow(context, 'token_revoked', { kind: 'client', clientId: client.clientId });
  const result = await context.store.commit([{ change: 'end-grants', where: { grantId, proof }, ending }]);
  if (result.outcome === 'conflict') throw new TypeError('an ending met a conflict, which it has none of');
  if (result.ended.grantIds.length === 0) return whyNot(context, grantId, proof);
  context.metrics.endings.inc({ kind: 'grant', reason: 'token_revoked' });
  return undefined;
}

/** Nothing ended: a refusal for another client's token; none for one that is unknown or had ended. */
async function whyNot(
  { store }: Context,
  grantId: string,
  { clientId, secretDigest }: GrantProof,
): Promise<Refusal | undefined> {
  const grant = await store.getGrant(grantId);
  if (!grant || grant.secretDigest !== secretDigest || grant.clientId === clientId) return undefined;
  return foreign(clientId, grantId);
}

async function revokeAccessToken(context: Context, client: ClientRecord, token: string): Promise<Refusal | undefined> {
  const servers = await context.registry.resourceServers();
  const claims = await readWithKeysOfNow(context, token, () => readAccessToken(context, servers, token));
  const now = context.now();
  if (!claims || claims.exp <= now) return undefined;
  const { grant_id: grantId, jti } = claims;
  if (claims.client_id !== client.clientId) return foreign(client.clientId, grantId);
  const grant = grantId === undefined ? undefined : await context.store.getGrant(grantId);
  // What an API made with the secret it holds must not end what others were granted.
  if (grantId !== undefined && !(grant && saysWhatItsGrantGives(claims, grant))) return undefined;
  const until = claims.exp + largestAllowedSkew;
  const actor = { kind: 'client', clientId: client.clientId } as const;
  const limit = { failures: grantId === undefined ? mostMachineTokens : mostSingleTokens, window: until - now };
  const counted = { key: `revoked-tokens:${grantId ?? client.clientId}`, limit };
  const wait = await context.throttle.wait([counted]);
  if (wait > 0 && grantId === undefined) return tooMany(client, wait);
  if (wait > 0 && grantId !== undefined) {
    const ending = await endingNow(context, 'token_revoked', actor);
    await context.store.commit([{ change: 'end-grants', where: { grantId }, ending }]);
    return undefined;
  }
  // A conflict means it was revoked before, which is what was asked for.
  await context.store.commit(
    [
      { change: 'remember', key: `revoked:${jti}`, now, until },
      { change: 'fill-bucket', key: counted.key, add: 1, leakPerSecond: limit.failures / limit.window, at: now },
    ],
    [
      {
        type: 'token.revoked',
        at: now,
        actor,
        clientId: client.clientId,
        ...(grantId === undefined ? {} : { grantId, userId: claims.sub }),
        ...(claims.sid === undefined ? {} : { sid: claims.sid }),
        data: { jti },
        audiences: [claims.aud].flat(),
        until,
      },
    ],
  );
  return undefined;
}

function tooMany(client: ClientRecord, wait: number): Refusal {
  return refuse(
    'invalid_request',
    'throttled',
    `too many tokens were revoked one by one; try again in ${wait} s, or have the client cut off`,
    {
      status: 429,
      headers: { 'retry-after': String(wait) },
      facts: { clientId: client.clientId },
    },
  );
}

function foreign(clientId: string, grantId: string | undefined): Refusal {
  return refuse('unauthorized_client', 'not_yours', 'the token was not issued to this client', {
    facts: { clientId, ...(grantId === undefined ? {} : { grantId }) },
  });
}
