import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Seconds } from '@tessera/protocol';
import { isRegisteredRedirectUri } from '../authorize/redirect-uri.ts';
import type { Context } from '../context.ts';
import { sourceOf } from '../http/client-address.ts';
import { replayRefusal } from '../http/dpop.ts';
import { originOf } from '../http/message.ts';
import { printable } from '../http/parameters.ts';
import { newRefusalId, type Refusal, refuse, utcTime } from '../http/refusal.ts';
import { isConsentMissing } from '../interaction/decide-interaction.ts';
import { sameText } from '../secrets/sealed.ts';
import { endingNow } from '../sessions/ending.ts';
import { accessTokenExpiry, grantLimits, strategies } from '../sessions/lifetimes.ts';
import { isSessionLive } from '../sessions/session.ts';
import type { GrantRecord, SessionRecord } from '../store/records.ts';
import { type Change, StoreUnavailable } from '../store/store.ts';
import { type AuthorizationCode, openAuthorizationCode } from '../tokens/authorization-code.ts';
import { digestGrantSecret, grantSecretBytes, sealRefreshToken } from '../tokens/refresh-token.ts';
import { type GrantHandler, proofKey, type TokenRequest } from './grant-handler.ts';
import { type IssuePlan, issueUnderGrant, planIssue } from './token-response.ts';

/** How long, in seconds, a second redemption by the same client counts as a race and ends nothing. */
const raceWindow: Seconds = 10;
const mostReadings = 4;
const refused = 'the authorization code is invalid, expired, used before, or was issued to another client';

/**
 * Redeems an authorization code: creates the grant whose id the code carries, which is why it works once. A wrong client, verifier, redirect_uri or key neither burns the code nor ends
 * anything: whoever lacks these is not the client. Who has them and comes a second time is refused, and after the race window ends what the code issued.
 * Source: RFC 6749 sections 4.1.2 and 4.1.3, RFC 7636 section 4.6, RFC 9700 section 4.5, OAuth 2.1 section 4.1.3, RFC 9449 section 10.
 */
export const authorizationCode: GrantHandler = {
  grantType: 'authorization_code',
  async handle(context, request) {
    const { client, parameters, input } = request;
    const facts = { clientId: client.clientId };
    if (parameters.code === undefined)
      return refuse('invalid_request', 'parameter_missing', 'code is missing', { facts });
    // A web app hands on whatever its visitors bring: one who brings invented codes must not keep the others out.
    const guesses =
      client.authMethod === 'none'
        ? [{ key: `code:${sourceOf(input.ip)}`, limit: context.config.throttle.source }]
        : [];
    const wait = await context.throttle.waitIfFailedLately(() => guesses);
    if (wait > 0)
      return refuse('invalid_grant', 'throttled', `too many failures; try again in ${wait} s`, {
        status: 429,
        headers: { 'retry-after': String(wait) },
        facts,
      });
    const code = openAuthorizationCode(context.rootKeys, parameters.code);
    if (!code) {
      if (guesses.length > 0) await context.throttle.failed(guesses);
      return refuse('invalid_grant', 'code_malformed', refused, { facts });
    }
    const mismatch = judgeHolder(code, request);
    if (mismatch) return mismatch;
    for (let reading = 0; reading < mostReadings; reading++) {
      const outcome = await redeemOnce(context, request, code);
      if (outcome !== 'conflict') return outcome;
      await sleep(reading);
    }
    throw new StoreUnavailable('the session or the consent changed with each reading');
  },
};

/** Whether whoever presents the code is the client it was issued to. */
function judgeHolder(code: AuthorizationCode, request: TokenRequest): Refusal | undefined {
  const { client, parameters } = request;
  const facts = { clientId: client.clientId, grantId: code.grantId, userId: code.userId, sid: code.sid };
  if (code.clientId !== client.clientId)
    return refuse('invalid_grant', 'code_foreign', refused, {
      facts: { ...facts, expected: `client ${code.clientId}`, got: `client ${client.clientId}` },
    });
  if (!isRightRedirectUri(code, parameters.redirect_uri))
    return refuse(
      'invalid_grant',
      'code_redirect_uri_mismatch',
      'redirect_uri differs from the one of the authorization request',
      { facts: { ...facts, expected: code.redirectUri ?? '', got: printable(parameters.redirect_uri ?? 'none') } },
    );
  const verifier = parameters.code_verifier;
  if (code.codeChallenge === undefined) {
    // A verifier without a challenge: somebody cut the challenge out of the authorization request (PKCE downgrade, RFC 9700 section 4.8.2).
    if (verifier !== undefined)
      return refuse(
        'invalid_grant',
        'code_verifier_wrong',
        'code_verifier came, but the authorization request had no code_challenge',
        { facts },
      );
  } else {
    if (verifier === undefined)
      return refuse('invalid_grant', 'code_verifier_wrong', 'code_verifier is missing', { facts });
    const isWellFormed = /^[A-Za-z0-9._~-]{43,128}$/.test(verifier);
    const challenge = hash('sha256', verifier, 'base64url');
    if (!isWellFormed || !sameText(challenge, code.codeChallenge))
      return refuse('invalid_grant', 'code_verifier_wrong', 'code_verifier does not match the code_challenge', {
        facts,
      });
  }
  const jkt = proofKey(request);
  if (code.dpopJkt !== undefined && code.dpopJkt !== jkt)
    return refuse('invalid_grant', 'dpop_key_mismatch', 'the DPoP proof is not made with the key named by dpop_jkt', {
      facts,
    });
  return undefined;
}

/**
 * Whether the redirect_uri is the one of the authorization request. Clients of OAuth 2.1 send none: the verifier proves more (section 10.2). Those of OpenID Connect must, and so must whoever has no
 * verifier to show. Source: RFC 6749 section 4.1.3, OpenID Connect Core 1.0 section 3.1.3.2.
 */
function isRightRedirectUri(code: AuthorizationCode, given: string | undefined): boolean {
  if (code.redirectUri === undefined || given === code.redirectUri) return true;
  return given === undefined && code.codeChallenge !== undefined && !code.scopes.includes('openid');
}

async function redeemOnce(context: Context, request: TokenRequest, code: AuthorizationCode) {
  const now = context.now();
  const outcome = await createGrant(context, request, code, now);
  if (outcome !== 'conflict' && outcome.kind === 'issue') return outcome;
  // Only now, because creating the grant looks for it too: whatever else is wrong with it, a code that comes a second time is judged as such.
  const existing = await context.store.getGrant(code.grantId);
  return existing ? refuseSecondRedemption(context, request, existing, now) : outcome;
}

async function createGrant(context: Context, request: TokenRequest, code: AuthorizationCode, now: Seconds) {
  const { client } = request;
  const facts = { clientId: client.clientId, grantId: code.grantId, userId: code.userId, sid: code.sid };
  const reading = context.store.getSignIn({ sid: code.sid });
  const [{ session, user }, consent] =
    client.consent === 'ask'
      ? await Promise.all([reading, context.store.get('consent', `${code.userId}/${code.clientId}`)])
      : [await reading, undefined];
  if (code.expiresAt <= now)
    return refuse('invalid_grant', 'code_expired', refused, {
      facts: { ...facts, expected: `redemption before ${utcTime(code.expiresAt)}`, got: utcTime(now) },
    });
  // A store that was put back forgot which codes of before were redeemed.
  const issuedAt = code.expiresAt - context.config.lifetimes.authorizationCode;
  if (context.resumedAt !== undefined && issuedAt <= context.resumedAt)
    return refuse('invalid_grant', 'code_expired', refused, { facts });
  if (code.clientEpoch < client.epoch) return refuse('invalid_grant', 'client_cut_off', refused, { facts });
  if (code.issuerEpoch < context.issuerEpoch()) return refuse('invalid_grant', 'issuer_cut_off', refused, { facts });
  // The operator has taken it away since, perhaps because somebody else listens there.
  if (code.redirectUri !== undefined && !isRegisteredRedirectUri(client.redirectUris, code.redirectUri))
    return refuse('invalid_grant', 'redirect_uri_unregistered', refused, { facts });
  if (!session || !isSessionLive(session, now)) return refuse('invalid_grant', 'session_ended', refused, { facts });
  if (!user || user.disabled) return refuse('invalid_grant', 'user_disabled', refused, { facts });
  // Withdrawn since, and perhaps given again for less.
  if (isConsentMissing(client, consent, code)) return refuse('invalid_grant', 'consent_required', refused, { facts });

  const plan = await planIssue(context, request, code, user);
  if (plan.kind === 'refuse') return plan;
  const secret = context.random(grantSecretBytes);
  const grant = newGrant(context, request, { code, session, plan, secret, now });
  const memory: Change[] = request.dpop.kind === 'proof' ? [request.dpop.remember] : [];
  // A consent withdrawn at this very moment ends the grants it finds; one created after that would be an orphan.
  const consented: Change[] = consent
    ? [{ change: 'check', kind: 'consent', id: consent.consentId, expect: consent.version }]
    : [];
  const result = await context.store.commit(
    [...memory, ...consented, { change: 'create-grant', grant }],
    [
      {
        type: 'grant.started',
        at: now,
        actor: { kind: 'user', userId: user.userId },
        ...facts,
        data: { scopes: grant.scopes, resources: grant.resources, kind: grant.kind },
      },
    ],
  );
  if (result.outcome === 'conflict')
    return result.change < memory.length ? replayRefusal(context, request.dpop, facts) : ('conflict' as const);
  const refreshToken =
    grant.generation === 0
      ? undefined
      : sealRefreshToken(context.rootKeys, {
          keyId: grant.sealKeyId,
          grantId: grant.grantId,
          generation: grant.generation,
          secret,
        });
  return {
    kind: 'issue' as const,
    response: issueUnderGrant(context, request, plan, { grant, user, refreshToken, nonce: code.nonce, now }),
  };
}

/** The grant a code gives birth to. Without refresh tokens it lives as long as its one access token. */
function newGrant(
  context: Context,
  request: TokenRequest,
  birth: { code: AuthorizationCode; session: SessionRecord; plan: IssuePlan; secret: Uint8Array; now: Seconds },
): GrantRecord {
  const { code, session, plan, secret, now } = birth;
  const { client, input } = request;
  const refreshes = strategies[client.strategy].refreshes && client.grantTypes.includes('refresh_token');
  const limits = grantLimits(context.config, client, code.kind, session.endsAt, now);
  const endsAt = refreshes
    ? limits.endsAt
    : accessTokenExpiry(context.config, client, plan.targets.resourceServers, limits, now);
  return {
    grantId: code.grantId,
    sid: code.sid,
    userId: code.userId,
    clientId: code.clientId,
    kind: code.kind,
    scopes: code.scopes,
    resources: code.resources,
    claims: code.claims ?? null,
    authTime: code.authTime,
    amr: code.amr,
    acr: code.acr,
    // A confidential client's grant is bound to its authentication, not to a proof key (RFC 9449 section 5).
    jkt: client.authMethod === 'none' ? (proofKey(request) ?? null) : null,
    clientEpoch: code.clientEpoch,
    issuerEpoch: code.issuerEpoch,
    secretDigest: refreshes ? digestGrantSecret(secret) : null,
    idleLimit: refreshes ? limits.idleLimit : null,
    endsAt,
    createdAt: now,
    generation: refreshes ? 1 : 0,
    sealKeyId: context.rootKeys.currentId,
    rotatedAt: now,
    idleAt: refreshes ? limits.idleAt : null,
    lastUsedAt: now,
    lastOrigin: originOf(input),
    uses: 0,
    replays: 0,
    endedAt: null,
    endReason: null,
  };
}

/** A code that was redeemed before, by who holds everything the client holds: a parallel request, or a thief's (RFC 6749 section 4.1.2). */
async function refuseSecondRedemption(
  context: Context,
  request: TokenRequest,
  grant: GrantRecord,
  now: Seconds,
): Promise<Refusal> {
  const facts = { clientId: request.client.clientId, grantId: grant.grantId, userId: grant.userId, sid: grant.sid };
  if (now - grant.createdAt <= raceWindow) return refuse('invalid_grant', 'code_raced', refused, { facts });
  if (grant.endedAt !== null) return refuse('invalid_grant', 'code_reused', refused, { facts });
  const refusalId = newRefusalId(context);
  const data = { refusalId, presentedFrom: originOf(request.input), lastUsedFrom: grant.lastOrigin };
  const ending = await endingNow(context, 'code_reused', { kind: 'server' }, data);
  await context.store.commit(
    [{ change: 'end-grants', where: { grantId: grant.grantId }, ending }],
    [{ type: 'code.reused', at: now, actor: { kind: 'client', clientId: grant.clientId }, ...facts, data }],
  );
  context.metrics.endings.inc({ kind: 'grant', reason: 'code_reused' });
  return refuse('invalid_grant', 'code_reused', refused, { facts, refusalId });
}
