import type { Context } from '../context.ts';
import { type Input, type Output, redirect } from '../http/message.ts';
import { ownForm, readOwnForm, withCookies } from '../http/own-form.ts';
import { chosenLocales, inChosenLanguage, pageContext, pageOutput, refusalPage } from '../http/page-output.ts';
import { accountName, describeScopes } from '../interaction/asked.ts';
import { type Browser, forgetSessionCookie, isFromOwnOrigin, readBrowser, touch } from '../interaction/browser.ts';
import {
  type AccountApp,
  type AccountConsent,
  type AccountSession,
  type AccountStatus,
  accountPage,
} from '../pages/index.ts';
import { endingNow } from '../sessions/ending.ts';
import { skipsSignIn } from '../sessions/session.ts';
import type { GrantRecord, SessionRecord, UserRecord } from '../store/records.ts';
import { signedOutUrl } from './end-session.ts';
import { signInAgain } from './sign-in.ts';
import { methodRefusal } from './token.ts';

/** The account page, "where you are signed in": a user sees every session and ends any of them, or all. */
export async function accountEndpoint(context: Context, input: Input): Promise<Output> {
  if (input.method !== 'GET' && input.method !== 'POST')
    return refusalPage(context, input, 'account', methodRefusal('GET, POST'));
  const posted = input.method === 'POST' ? await readOwnForm(context, input, 'account') : undefined;
  const browser = posted?.browser ?? (await readBrowser(context, input));
  const { session, user } = browser;
  if (!session || !user || user.disabled || !skipsSignIn(session, context.now())) {
    // The sign-in page alone would look as if what was pressed, such as "sign out of 4 devices", had been done. A form of another site may just lack the cookies, which the redirect has.
    if (posted && isFromOwnOrigin(context, input)) return signInAgain(context, input, browser);
    return redirect(inChosenLanguage(`${context.config.issuer}/sign-in`, chosenLocales(input)));
  }
  if (!posted) {
    touch(context, session);
    return show(context, input, browser, session, user, 200, undefined);
  }
  if (!posted.isOwn) return show(context, input, browser, session, user, 403, { kind: 'expired' });
  switch (posted.parameters.decision) {
    case 'sign-out':
      return signOutOne(context, input, browser, session, user, posted.parameters.session ?? '');
    case 'sign-out-everywhere':
      return signOutEverywhere(context, input, user);
    case 'withdraw':
      return withdraw(context, input, browser, session, user, posted.parameters.client ?? '');
    default:
      return show(context, input, browser, session, user, 400, undefined);
  }
}

async function signOutOne(
  context: Context,
  input: Input,
  browser: Browser,
  current: SessionRecord,
  user: UserRecord,
  handle: string,
): Promise<Output> {
  const sessions = await liveSessions(context, user);
  const chosen = sessions.find((one) => handleOf(context, one) === handle);
  if (!chosen) return show(context, input, browser, current, user, 200, { kind: 'gone' });
  const ending = await endingNow(context, 'user_signed_out', { kind: 'user', userId: user.userId });
  await context.store.commit([{ change: 'end-sessions', where: { sid: chosen.sid }, offline: false, ending }]);
  context.metrics.endings.inc({ kind: 'session', reason: ending.reason });
  if (chosen.sid === current.sid)
    return withCookies(redirect(signedOutUrl(context, { apps: 0, uiLocales: chosenLocales(input) })), [
      forgetSessionCookie(context),
    ]);
  return show(context, input, browser, current, user, 200, { kind: 'signed-out', userAgent: chosen.origin.userAgent });
}

/** Ends every session of the user and every grant, offline ones too. */
async function signOutEverywhere(context: Context, input: Input, user: UserRecord): Promise<Output> {
  const ending = await endingNow(context, 'signed_out_everywhere', { kind: 'user', userId: user.userId });
  const result = await context.store.commit([
    { change: 'end-sessions', where: { userId: user.userId }, offline: true, ending },
  ]);
  const ended = result.outcome === 'committed' ? result.ended : { sids: [], grantIds: [] };
  context.metrics.endings.inc({ kind: 'session', reason: ending.reason }, ended.sids.length);
  const shown = { apps: ended.grantIds.length, devices: ended.sids.length, uiLocales: chosenLocales(input) };
  return withCookies(redirect(signedOutUrl(context, shown)), [forgetSessionCookie(context)]);
}

/** Takes back what an app was allowed: its grants for this user end, and nobody else's. */
async function withdraw(
  context: Context,
  input: Input,
  browser: Browser,
  current: SessionRecord,
  user: UserRecord,
  clientId: string,
): Promise<Output> {
  const consent = await context.store.get('consent', `${user.userId}/${clientId}`);
  if (!consent) return show(context, input, browser, current, user, 200, { kind: 'gone' });
  const actor = { kind: 'user', userId: user.userId } as const;
  const ending = await endingNow(context, 'consent_withdrawn', actor);
  const result = await context.store.commit(
    [
      { change: 'remove', kind: 'consent', id: consent.consentId, expect: consent.version },
      { change: 'end-grants', where: { userId: user.userId, clientId }, ending },
    ],
    [{ type: 'consent.withdrawn', at: ending.at, actor, userId: user.userId, clientId }],
  );
  if (result.outcome === 'conflict') return withdraw(context, input, browser, current, user, clientId);
  const client = await context.registry.client(clientId);
  return show(context, input, browser, current, user, 200, {
    kind: 'withdrawn',
    client_name: client?.name ?? clientId,
  });
}

async function show(
  context: Context,
  input: Input,
  browser: Browser,
  current: SessionRecord,
  user: UserRecord,
  status: number,
  happened: AccountStatus | undefined,
): Promise<Output> {
  const { form, cookies } = ownForm(context, browser, inChosenLanguage('/account', chosenLocales(input)), []);
  const grants = await context.store.listGrants(
    { userId: user.userId, state: 'live', now: context.now() },
    { limit: 500 },
  );
  const sessions = await liveSessions(context, user);
  const page = accountPage(
    {
      ...form,
      account: accountName(user),
      sessions: await Promise.all(sessions.map((one) => describeSession(context, one, current, grants.items))),
      consents: await describeConsents(context, user),
      status: happened,
    },
    pageContext(context, input),
  );
  return withCookies(pageOutput(status, page), cookies);
}

async function describeSession(
  context: Context,
  session: SessionRecord,
  current: SessionRecord,
  grants: readonly GrantRecord[],
): Promise<AccountSession> {
  const own = grants.filter((grant) => grant.sid === session.sid);
  const apps: AccountApp[] = await Promise.all(
    own.map(async (grant) => ({
      client_name: (await context.registry.client(grant.clientId))?.name ?? grant.clientId,
      scopes: grant.scopes,
      lastUsedAt: grant.lastUsedAt,
      isOffline: grant.kind === 'offline',
    })),
  );
  return {
    handle: handleOf(context, session),
    userAgent: session.origin.userAgent || undefined,
    origin: session.origin.ip,
    signedInAt: session.authTime,
    lastUsedAt: Math.max(session.lastSeenAt, ...own.map((grant) => grant.lastUsedAt)),
    isCurrent: session.sid === current.sid,
    apps,
  };
}

async function describeConsents(context: Context, user: UserRecord): Promise<AccountConsent[]> {
  const { items } = await context.store.list('consent', { prefix: `${user.userId}/`, limit: 200 });
  return Promise.all(
    items.map(async (consent) => ({
      client_id: consent.clientId,
      client_name: (await context.registry.client(consent.clientId))?.name ?? consent.clientId,
      scopes: await describeScopes(context, consent.scopes, consent.resources),
      allowedAt: consent.grantedAt,
    })),
  );
}

async function liveSessions(context: Context, user: UserRecord): Promise<SessionRecord[]> {
  return (await context.store.listSessions({ userId: user.userId, state: 'live', now: context.now() }, { limit: 200 }))
    .items;
}

/** Stands for a session in a form: the page never shows a sid. */
function handleOf(context: Context, session: SessionRecord): string {
  return context.rootKeys.authenticate('form', `session ${session.sid}`);
}
