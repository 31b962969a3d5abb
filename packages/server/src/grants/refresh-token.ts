import { setTimeout as sleep } from 'node:timers/promises';
import type { RefusalReason, Seconds } from '@tessera/protocol';
import type { Context } from '../context.ts';
import { nonceRefusal, replayRefusal } from '../http/dpop.ts';
import { originOf } from '../http/message.ts';
import { newRefusalId, type Refusal, refuse, utcTime } from '../http/refusal.ts';
import { endingNow } from '../sessions/ending.ts';
import { isTouchDue, slide } from '../sessions/lifetimes.ts';
import { decideRefresh, type RefreshVerdict } from '../sessions/refresh-verdict.ts';
import type { GrantRecord, UserRecord } from '../store/records.ts';
import { type Change, type CommitResult, type NewEvent, StoreUnavailable } from '../store/store.ts';
import { digestGrantSecret, openRefreshToken, type RefreshToken, sealRefreshToken } from '../tokens/refresh-token.ts';
import { type GrantHandler, proofKey, type TokenRequest } from './grant-handler.ts';
import { type IssuePlan, issueUnderGrant, planIssue } from './token-response.ts';

/** How often a loser of a race reads again before the server calls itself busy. */
const mostReadings = 8;

const refused = 'the refresh token is invalid, expired, revoked or was issued to another client';

/**
 * Exchanges a refresh token: reads, decides (`sessions/refresh-verdict.ts`), commits, answers. Whoever loses the race for the commit reads again and is judged anew,
 * which makes the loser of two parallel redemptions a replay: it gets the winner's successor.
 * Source: RFC 6749 section 6, OAuth 2.1 section 4.3, RFC 9700 section 4.14, OpenID Connect Core 1.0 section 12.
 */
export const refreshToken: GrantHandler = {
  grantType: 'refresh_token',
  async handle(context, request) {
    const text = request.parameters.refresh_token;
    if (text === undefined)
      return refuse('invalid_request', 'parameter_missing', 'refresh_token is missing', {
        facts: { clientId: request.client.clientId },
      });
    const presented = openRefreshToken(context.rootKeys, text);
    // Judged as of its arrival, however often and late it is read: a process that was frozen in between must not take a retry that came in time for a theft.
    const now = context.now();
    for (let reading = 0; reading < mostReadings; reading++) {
      const outcome = await judgeOnce(context, request, presented, now);
      if (outcome !== 'conflict') return outcome;
      await sleep(reading);
    }
    throw new StoreUnavailable('the grant changed with each reading; too many requests present the same refresh token');
  },
};

async function judgeOnce(context: Context, asked: TokenRequest, presented: RefreshToken | undefined, now: Seconds) {
  const { clientId } = asked.client;
  const { grant, user, clientVersion } = presented
    ? await context.store.getStanding({ grantId: presented.grantId, clientId, now })
    : { grant: undefined, user: undefined, clientVersion: asked.client.version };
  // On a server that is behind, clients give up and ask again: what they asked before must neither rotate, with nobody there to take the successor, nor look like a theft.
  if (asked.input.isGone())
    return refuse('temporarily_unavailable', 'overloaded', 'the client went away before it was answered', {
      status: 503,
      headers: { 'retry-after': '1' },
      facts: { clientId },
    });
  // As the store has it now: another process may have disabled it or cut it off a moment ago.
  const client = await context.registry.clientAsOf(clientId, clientVersion);
  if (!client) return refuse('invalid_grant', 'client_disabled', refused, { facts: { clientId } });
  const request = { ...asked, client };
  const { dpop } = request;
  const verdict = decideRefresh(
    {
      presented: presented && { generation: presented.generation, secretDigest: digestGrantSecret(presented.secret) },
      grant,
      client,
      user,
      proof: { jkt: proofKey(request), answersFreshNonce: dpop.kind === 'proof' && dpop.answersFreshNonce },
      issuerEpoch: context.issuerEpoch(),
      resumedAt: context.resumedAt,
    },
    now,
    { retryWindow: client.lifetimes.retryWindow ?? context.config.lifetimes.retryWindow },
  );
  context.metrics.refreshes.inc({ verdict: verdict.verdict });
  if ('reason' in verdict) return refuseRefresh(context, request, verdict, grant);
  const found = { presented: presented as RefreshToken, grant: grant as GrantRecord, user: user as UserRecord };
  const plan = await planIssue(context, request, found.grant, found.user);
  if (plan.kind === 'refuse') return plan;
  return commitAndIssue(context, request, plan, { ...found, verdict: verdict.verdict, now });
}

/** A use of a refresh token that was found good. */
type Use = {
  verdict: 'resume' | 'rotate' | 'reissue' | 'replay';
  presented: RefreshToken;
  grant: GrantRecord;
  user: UserRecord;
  now: Seconds;
};

async function commitAndIssue(context: Context, request: TokenRequest, plan: IssuePlan, use: Use) {
  const { presented, grant, user, now } = use;
  const written = await useOf(context, request, use);
  const result = await commitUnlessEmpty(context, written.changes, written.events);
  if (result.outcome === 'conflict')
    return written.changes[result.change] === dpopMemory(request)
      ? replayRefusal(context, request.dpop, { clientId: request.client.clientId, grantId: grant.grantId })
      : ('conflict' as const);
  // The key the row remembers may have been refused since: the current one then seals the same generation.
  const successor = (keyId: string) =>
    sealRefreshToken(context.rootKeys, { ...presented, keyId, generation: written.grant.generation });
  const refreshToken = successor(written.grant.sealKeyId) ?? successor(context.rootKeys.currentId);
  return {
    kind: 'issue' as const,
    response: issueUnderGrant(context, request, plan, { grant: written.grant, user, refreshToken, now }),
  };
}

/** What the verdict writes, and the grant as it is afterwards. */
async function useOf(context: Context, request: TokenRequest, { verdict, grant, presented, now }: Use) {
  const memory = dpopMemory(request);
  const changes: Change[] = memory ? [memory] : [];
  const { grantId } = grant;
  if (verdict === 'replay')
    return { changes: [...changes, { change: 'count-replay', grantId } as const], events: [], grant };

  const origin = originOf(request.input);
  const idleAt = slide(grant, now);
  if (verdict === 'reissue') {
    if (!isTouchDue(grant, now)) return { changes, events: [], grant };
    const touch: Change = { change: 'touch-grant', grantId, expect: grant.generation, at: now, idleAt, origin };
    return { changes: [...changes, touch], events: [], grant: { ...grant, idleAt } };
  }
  const sealKeyId = context.rootKeys.currentId;
  const rotate = {
    change: 'rotate-grant',
    grantId,
    expect: grant.generation,
    sealKeyId,
    at: now,
    idleAt,
    origin,
  } as const;
  const moved = await originChange(context, grant, origin, now);
  if (verdict === 'rotate')
    return {
      changes: [...changes, rotate, ...moved.changes],
      events: moved.events,
      grant: { ...grant, generation: grant.generation + 1, sealKeyId, rotatedAt: now, idleAt },
    };
  const generation = request.client.rotation ? presented.generation + 1 : presented.generation;
  return {
    changes: [...changes, { ...rotate, generation }, ...moved.changes],
    events: [...moved.events, resumed(grant, presented.generation, origin, now)],
    grant: { ...grant, generation, sealKeyId, rotatedAt: now, idleAt },
  };
}

/** The event of a grant that was moved forward after a restore. */
function resumed(grant: GrantRecord, to: number, origin: GrantRecord['lastOrigin'], at: Seconds): NewEvent {
  const { userId, sid, grantId, clientId, generation, lastOrigin } = grant;
  return {
    type: 'grant.resumed',
    at,
    actor: { kind: 'client', clientId },
    userId,
    sid,
    grantId,
    clientId,
    data: { from: generation, to, presentedFrom: origin, lastUsedFrom: lastOrigin },
  };
}

/** An event for a grant that is used from elsewhere, at most one an hour and grant. */
async function originChange(context: Context, grant: GrantRecord, origin: GrantRecord['lastOrigin'], now: Seconds) {
  const events: NewEvent[] = [];
  const changes: Change[] = [];
  if (origin.ip === grant.lastOrigin.ip && origin.userAgent === grant.lastOrigin.userAgent) return { changes, events };
  const key = `origin:${grant.grantId}`;
  if (await context.store.isRemembered(key, now)) return { changes, events };
  changes.push({ change: 'remember', key, now, until: now + 3600 });
  events.push({
    type: 'grant.origin_changed',
    at: now,
    actor: { kind: 'client', clientId: grant.clientId },
    userId: grant.userId,
    sid: grant.sid,
    grantId: grant.grantId,
    clientId: grant.clientId,
    data: { before: grant.lastOrigin, now: origin },
  });
  return { changes, events };
}

/** What was expected and what came, where a refusal has such a pair. */
function expectedOf(reason: RefusalReason, grant: GrantRecord, { client }: TokenRequest, now: Seconds) {
  if (reason === 'refresh_foreign') return { expected: `client ${grant.clientId}`, got: `client ${client.clientId}` };
  const until = reason === 'grant_idle' ? grant.idleAt : reason === 'grant_expired' ? grant.endsAt : null;
  return until === null ? {} : { expected: `use before ${utcTime(until)}`, got: utcTime(now) };
}

async function refuseRefresh(
  context: Context,
  request: TokenRequest,
  verdict: Extract<RefreshVerdict, { reason: unknown }>,
  grant: GrantRecord | undefined,
): Promise<Refusal> {
  const clientId = request.client.clientId;
  const facts = { clientId, ...(grant && { grantId: grant.grantId, userId: grant.userId, sid: grant.sid }) };
  if (verdict.verdict === 'prove') return { ...nonceRefusal(context), facts };
  // What ends nothing goes the bounded way of all refusals: a stranger must not fill the log.
  if (verdict.verdict !== 'reuse' || !grant)
    return refuse('invalid_grant', verdict.reason, refused, {
      facts: { ...facts, ...(grant && expectedOf(verdict.reason, grant, request, context.now())) },
    });

  const refusalId = newRefusalId(context);
  const origins = {
    presentedFrom: originOf(request.input),
    lastUsedFrom: grant.lastOrigin,
    lastUsedAt: grant.lastUsedAt,
  };
  const event: NewEvent = {
    type: 'refresh.reused',
    at: context.now(),
    actor: { kind: 'client', clientId },
    ...facts,
    data: { refusalId, reason: verdict.reason, ...origins },
  };
  const ending = await endingNow(context, 'refresh_reused', { kind: 'server' }, { refusalId, ...origins });
  const end: Change =
    context.config.reuseEnds === 'session'
      ? { change: 'end-sessions', where: { sid: grant.sid }, offline: true, ending }
      : { change: 'end-grants', where: { grantId: grant.grantId }, ending };
  await context.store.commit([end], [event]);
  context.metrics.endings.inc({ kind: 'grant', reason: 'refresh_reused' });
  return refuse('invalid_grant', verdict.reason, refused, { facts, refusalId });
}

function dpopMemory(request: TokenRequest): Change | undefined {
  return request.dpop.kind === 'proof' ? request.dpop.remember : undefined;
}

function commitUnlessEmpty(context: Context, changes: Change[], events: NewEvent[]): Promise<CommitResult> {
  if (changes.length + events.length === 0)
    return Promise.resolve({ outcome: 'committed', ended: { sids: [], grantIds: [] } });
  return context.store.commit(changes, events);
}
