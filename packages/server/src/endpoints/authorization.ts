import { type AuthorizationRequest, openRequest, sealRequest } from '../authorize/authorization-request.ts';
import { refuseToClient, respondToClient } from '../authorize/authorization-response.ts';
import { readAuthorizationRequest } from '../authorize/read-authorization-request.ts';
import { isRegisteredRedirectUri } from '../authorize/redirect-uri.ts';
import type { Context } from '../context.ts';
import { type Input, type Output, redirect } from '../http/message.ts';
import { chosenLocales, refusalPage } from '../http/page-output.ts';
import { readParameters } from '../http/parameters.ts';
import { refuse } from '../http/refusal.ts';
import { leaving } from '../interaction/asked.ts';
import { type Browser, readBrowser, touch } from '../interaction/browser.ts';
import { decideInteraction } from '../interaction/decide-interaction.ts';
import { timeOrderedId } from '../secrets/random.ts';
import type { ClientRecord, SessionRecord, UserRecord } from '../store/records.ts';
import { sealAuthorizationCode } from '../tokens/authorization-code.ts';
import { judgeScopes } from '../tokens/permissions.ts';
import { methodRefusal } from './token.ts';

/** The authorization endpoint. Source: OAuth 2.1 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2. */
export async function authorizationEndpoint(context: Context, input: Input): Promise<Output> {
  if (input.method !== 'GET' && input.method !== 'POST')
    return refusalPage(context, input, 'authorization', methodRefusal('GET, POST'));
  const read = await readAuthorizationRequest(context, input);
  if (read.kind === 'refuse-here') return refusalPage(context, input, 'authorization', read.refusal, read.client?.name);
  if (read.kind === 'refuse-to-client') return refuseToClient(context, input, read.request, read.client, read.refusal);
  // A form posted from another site comes without our SameSite=Lax cookies; the redirect that follows it has them.
  if (input.method === 'POST') return redirect(pageUrl(context, '/authorize/continue', read.request));
  return proceed(context, input, read.request, read.client, await readBrowser(context, input));
}

/** Where the pages send the browser back to: the same request, decided anew with what the user did. */
export async function continueEndpoint(context: Context, input: Input): Promise<Output> {
  const opened = await openAsked(context, input);
  if ('output' in opened) return opened.output;
  return proceed(context, input, opened.request, opened.client, await readBrowser(context, input));
}

/** The authorization request that a page's `request` parameter carries, and its client as it is now; or the error page. */
export async function openAsked(
  context: Context,
  input: Input,
  sealed?: string,
): Promise<{ request: AuthorizationRequest; client: ClientRecord } | { output: Output }> {
  const query = readParameters(input.query);
  const request = openRequest(context, sealed ?? (query.ok ? query.parameters.request : undefined));
  const client = request && (await context.registry.client(request.clientId));
  // An address may have been taken from the client while the user was asked.
  if (request && client && !client.disabled && isRegisteredRedirectUri(client.redirectUris, request.redirectUri))
    return { request: inLanguageOf(input, request), client };
  const expired = refuse(
    'invalid_request',
    'cross_site_request',
    'this page was open too long, or its address is not whole',
  );
  return { output: refusalPage(context, input, 'authorization', expired, client?.name) };
}

/** What is chosen on one page holds for those that follow. */
function inLanguageOf(input: Input, request: AuthorizationRequest): AuthorizationRequest {
  const uiLocales = chosenLocales(input);
  return uiLocales === undefined ? request : { ...request, uiLocales };
}

/** The server's own page for the next step, carrying the request. */
export function pageUrl(context: Context, page: string, request: AuthorizationRequest): string {
  return `${context.config.issuer}${page}?request=${sealRequest(context, request)}`;
}

async function proceed(
  context: Context,
  input: Input,
  request: AuthorizationRequest,
  client: ClientRecord,
  browser: Browser,
): Promise<Output> {
  const { session, user } = browser;
  const consent =
    user && client.consent === 'ask'
      ? await context.store.get('consent', `${user.userId}/${client.clientId}`)
      : undefined;
  const servers = await context.registry.resourceServers();
  const { allowed } = judgeScopes(request.scopes, client, user, servers, request.resources);
  const next = decideInteraction({ request, client, session, user, consent, scopes: allowed }, context.now());
  switch (next.kind) {
    case 'refuse':
      return refuseToClient(context, input, request, client, next);
    case 'sign-in':
      return redirect(pageUrl(context, '/sign-in', signingIn()));
    case 'choose-account':
      return redirect(pageUrl(context, '/choose-account', request));
    case 'consent':
      return redirect(pageUrl(context, '/consent', request));
    case 'issue':
      return issueCode(context, input, { ...request, scopes: allowed }, client, next.session, next.user);
  }

  function signingIn(): AuthorizationRequest {
    const isAnother = request.expectedSub !== undefined && request.expectedSub !== user?.userId;
    return session && user && isAnother ? leaving(request, session, user) : request;
  }
}

/** Answers with an authorization code for the request, whose scopes are those the user may have. Nothing is written for it: the code carries everything, sealed. */
async function issueCode(
  context: Context,
  input: Input,
  request: AuthorizationRequest,
  client: ClientRecord,
  session: SessionRecord,
  user: UserRecord,
): Promise<Output> {
  touch(context, session);
  const code = sealAuthorizationCode(
    context.rootKeys,
    {
      grantId: timeOrderedId(context.nowMs(), context.random),
      clientId: client.clientId,
      userId: user.userId,
      sid: session.sid,
      redirectUri: request.redirectUriGiven ? request.redirectUri : undefined,
      scopes: request.scopes,
      resources: request.resources,
      kind: request.scopes.includes('offline_access') ? 'offline' : 'session',
      authTime: session.authTime,
      amr: session.amr,
      acr: session.acr,
      clientEpoch: client.epoch,
      issuerEpoch: context.issuerEpoch(),
      ...(request.codeChallenge !== undefined && { codeChallenge: request.codeChallenge }),
      ...(request.nonce !== undefined && { nonce: request.nonce }),
      ...(request.claims !== undefined && { claims: request.claims }),
      ...(request.dpopJkt !== undefined && { dpopJkt: request.dpopJkt }),
      expiresAt: context.now() + context.config.lifetimes.authorizationCode,
    },
    context.random,
  );
  return respondToClient(context, input, request, client, { code });
}
