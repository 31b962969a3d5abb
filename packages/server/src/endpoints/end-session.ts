import { isRegisteredRedirectUri } from '../authorize/redirect-uri.ts';
import type { Context } from '../context.ts';
import { type Input, type Output, redirect } from '../http/message.ts';
import { ownForm, readOwnForm, withCookies } from '../http/own-form.ts';
import { chosenLocales, inChosenLanguage, pageContext, pageOutput, refusalPage } from '../http/page-output.ts';
import { type Parameters, printable, readForm, readParameters } from '../http/parameters.ts';
import { refuse } from '../http/refusal.ts';
import { accountName, askingClient } from '../interaction/asked.ts';
import { forgetSessionCookie, readBrowser } from '../interaction/browser.ts';
import { signedOutPage, signOutPage } from '../pages/index.ts';
import { seal, unseal } from '../secrets/sealed.ts';
import { endingNow } from '../sessions/ending.ts';
import { isSessionLive } from '../sessions/session.ts';
import type { ClientRecord, SessionRecord } from '../store/records.ts';
import { type IdTokenHint, readIdTokenHint } from '../tokens/id-token-hint.ts';
import { readWithKeysOfNow } from '../tokens/key-of-now.ts';

/** A sign-out on its way through the confirmation page. `back`: a registered address, `state` included. */
type SignOutRequest = { clientId?: string; back?: string; uiLocales?: string };

/** What the page after a sign-out tells, and the languages asked for on the way there. */
type SignedOut = { apps: number; devices?: number; uiLocales?: string | undefined };

/** How long, in seconds, the confirmation page may stay open. */
const longestWait = 3600;

/** The parameters of a sign-out request that are read. */
const asked = new Set(['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'ui_locales']);

/** As at the authorization endpoint. */
const longestState = 2048;

/** The longest sealed request in an address: Node takes 16 KiB of a request's head, cookies included, and beyond that the person would see a blank page. */
const longestPosted = 12_288;

/**
 * The end-session endpoint: an app asks that the user be signed out. With an ID token of this very session, or of one whose cookie this browser has lost, it is done at once; otherwise the user is asked, since anybody can send a
 * browser here. Source: OpenID Connect RP-Initiated Logout 1.0 sections 2 to 4.
 */
export async function endSessionEndpoint(context: Context, input: Input): Promise<Output> {
  const read =
    input.method === 'POST' ? readForm(input.headers['content-type'], input.body) : readAsked(context, input);
  if (!read.ok)
    return refusalPage(context, input, 'end-session', refuse('invalid_request', 'malformed_request', read.description));
  const invalid = (description: string) =>
    refusalPage(context, input, 'end-session', refuse('invalid_request', 'parameter_invalid', description));
  if ((read.parameters.state?.length ?? 0) > longestState)
    return invalid(`state is longer than ${longestState} characters`);
  // A form posted from another site comes without our SameSite=Lax cookies; the redirect that follows it has them. Sealed: who posts keeps the ID token out of histories and logs.
  if (input.method === 'POST') {
    const posted = sealPosted(context, read.parameters);
    if (posted.length > longestPosted) return invalid('the request is too long for the address it goes on in');
    return redirect(`${context.config.issuer}/end-session?posted=${posted}`);
  }
  const { id_token_hint, client_id, post_logout_redirect_uri, state, ui_locales } = read.parameters;
  const hint =
    id_token_hint === undefined
      ? undefined
      : await readWithKeysOfNow(context, id_token_hint, () => readIdTokenHint(context, id_token_hint));
  if (id_token_hint !== undefined && !hint) return invalid('id_token_hint is not an ID token of this issuer');
  if (hint && client_id !== undefined && client_id !== hint.aud)
    return invalid('client_id differs from the audience of id_token_hint');
  const clientId = hint?.aud ?? client_id;
  const client = await activeClient(context, clientId);
  const back = post_logout_redirect_uri;
  if (back !== undefined && !(client && isRegisteredRedirectUri(client.postLogoutRedirectUris, back)))
    return refusalPage(
      context,
      input,
      'end-session',
      refuse(
        'invalid_request',
        'redirect_uri_unregistered',
        'post_logout_redirect_uri is not registered for this app',
        {
          facts: {
            ...(clientId !== undefined && { clientId: printable(clientId) }),
            expected: client?.postLogoutRedirectUris.join(' ') || 'none, as none is registered for this app',
            got: printable(back),
          },
        },
      ),
      client?.name,
    );

  const request: SignOutRequest = {
    ...(client && { clientId: client.clientId }),
    ...(back !== undefined && {
      back: state === undefined ? back : `${back}${back.includes('?') ? '&' : '?'}${new URLSearchParams({ state })}`,
    }),
    ...(ui_locales !== undefined && { uiLocales: ui_locales.slice(0, 128) }),
  };
  const session = (await readBrowser(context, input)).session ?? (client && (await hintedSession(context, hint)));
  if (!session) return finish(context, request, 0);
  if (client && hint?.sid === session.sid && hint.sub === session.userId)
    return finish(context, request, await endSession(context, session, client));
  return redirect(`${context.config.issuer}/sign-out?request=${sealSignOut(context, request)}`);
}

/** The sign-out page: asks, and does it. */
export async function signOutEndpoint(context: Context, input: Input): Promise<Output> {
  const posted = input.method === 'POST' ? await readOwnForm(context, input, 'sign-out') : undefined;
  const query = readParameters(input.query);
  const chosen = chosenLocales(input);
  const asked = {
    ...openSignOut(context, posted?.parameters.request ?? (query.ok ? query.parameters.request : undefined)),
    ...(chosen !== undefined && { uiLocales: chosen }),
  };
  const client = await activeClient(context, asked.clientId);
  const request = client ? asked : withoutApp(asked);
  const accountUrl = inChosenLanguage(`${context.config.issuer}/account`, request.uiLocales);
  const browser = posted?.browser ?? (await readBrowser(context, input));
  const { session, user } = browser;
  // Without cookies a form of another site looks like nobody's: it must not take away the cookie it came without. The redirect comes with it.
  if (posted && !posted.isOwn && !session)
    return redirect(`${context.config.issuer}/sign-out?request=${sealSignOut(context, request)}`);
  if (!session || !user) return finish(context, request, 0);
  if (posted?.isOwn && posted.parameters.decision === 'sign-out')
    return finish(context, request, await endSession(context, session, client));
  if (posted?.isOwn && posted.parameters.decision === 'stay') return redirect(accountUrl);

  const now = context.now();
  const others = await context.store.listSessions({ userId: user.userId, state: 'live', now }, { limit: 100 });
  const { form, cookies } = ownForm(context, browser, '/sign-out', [['request', sealSignOut(context, request)]]);
  const page = signOutPage(
    {
      ...form,
      client: client && askingClient(client, request.back),
      account: accountName(user),
      apps: await countApps(context, session),
      otherDevices: others.items.length - 1,
      accountUrl,
    },
    pageContext(context, input, request.uiLocales),
  );
  return withCookies(pageOutput(posted ? 403 : 200, page, { leadsToApp: request.back !== undefined }), cookies);
}

/** The page after a sign-out that leads nowhere else. */
export function signedOutEndpoint(context: Context, input: Input): Output {
  const query = readParameters(input.query);
  const shown = unsealShown(context, query.ok ? query.parameters.request : undefined);
  const { uiLocales, ...ended } = shown;
  const signInUrl = inChosenLanguage(`${context.config.issuer}/account`, chosenLocales(input) ?? uiLocales);
  const page = signedOutPage({ ...ended, signInUrl }, pageContext(context, input, uiLocales));
  return pageOutput(200, page);
}

/** The address of the page after a sign-out. */
export function signedOutUrl(context: Context, shown: SignedOut): string {
  return `${context.config.issuer}/signed-out?request=${seal(context.rootKeys, 'authorization-request', { signedOut: shown }, context.random)}`;
}

/** The parameters of a GET: its own, or those of the POST that was sent on. */
function readAsked(context: Context, input: Input): ReturnType<typeof readParameters> {
  const read = readParameters(input.query);
  const posted = read.ok ? read.parameters.posted : undefined;
  const opened = posted === undefined ? undefined : openPosted(context, posted);
  return opened ? { ok: true, parameters: opened, repeated: {} } : read;
}

function sealPosted(context: Context, all: Parameters): string {
  const parameters = Object.fromEntries(Object.entries(all).filter(([name]) => asked.has(name)));
  return seal(context.rootKeys, 'authorization-request', { endSession: parameters, at: context.now() }, context.random);
}

function openPosted(context: Context, text: string): Parameters | undefined {
  const opened = unseal(context.rootKeys, 'authorization-request', text) as
    | { endSession?: Parameters; at?: number }
    | undefined;
  return opened?.endSession && context.now() - (opened.at ?? 0) <= longestWait ? opened.endSession : undefined;
}

/** The app that asks, unless it was disabled or removed: then its ID tokens sign nobody out without being asked, and nobody is sent to it. */
async function activeClient(context: Context, clientId: string | undefined): Promise<ClientRecord | undefined> {
  const client = clientId === undefined ? undefined : await context.registry.client(clientId);
  return client?.disabled ? undefined : client;
}

function withoutApp({ uiLocales }: SignOutRequest): SignOutRequest {
  return uiLocales === undefined ? {} : { uiLocales };
}

/**
 * The live session that an ID token names: a browser that was closed has lost its cookie, while the apps in it live on and their user believes in "sign out". Who holds the ID
 * token is the app it was made for.
 */
async function hintedSession(context: Context, hint: IdTokenHint | undefined): Promise<SessionRecord | undefined> {
  const session = hint?.sid === undefined ? undefined : await context.store.getSession(hint.sid);
  return session?.userId === hint?.sub && session && isSessionLive(session, context.now()) ? session : undefined;
}

function finish(context: Context, request: SignOutRequest, apps: number): Output {
  return withCookies(redirect(request.back ?? signedOutUrl(context, { apps, uiLocales: request.uiLocales })), [
    forgetSessionCookie(context),
  ]);
}

/** Ends the session in this browser, and its session grants with it; offline ones live on. Says how many apps that ended. */
async function endSession(context: Context, session: SessionRecord, client: ClientRecord | undefined): Promise<number> {
  const apps = await countApps(context, session);
  const actor = { kind: 'user', userId: session.userId } as const;
  const ending = await endingNow(
    context,
    client ? 'client_signed_out' : 'user_signed_out',
    actor,
    client && { askedBy: client.clientId },
  );
  await context.store.commit([{ change: 'end-sessions', where: { sid: session.sid }, offline: false, ending }]);
  context.metrics.endings.inc({ kind: 'session', reason: ending.reason });
  return apps;
}

async function countApps(context: Context, session: SessionRecord): Promise<number> {
  const { items } = await context.store.listGrants(
    { sid: session.sid, state: 'live', now: context.now() },
    { limit: 100 },
  );
  return new Set(items.filter((grant) => grant.kind === 'session').map((grant) => grant.clientId)).size;
}

function sealSignOut(context: Context, request: SignOutRequest): string {
  return seal(context.rootKeys, 'authorization-request', { signOut: request, at: context.now() }, context.random);
}

function openSignOut(context: Context, text: string | undefined): SignOutRequest {
  const opened =
    text === undefined
      ? undefined
      : (unseal(context.rootKeys, 'authorization-request', text) as
          | { signOut?: SignOutRequest; at?: number }
          | undefined);
  return opened?.signOut && context.now() - (opened.at ?? 0) <= longestWait ? opened.signOut : {};
}

function unsealShown(context: Context, text: string | undefined): SignedOut {
  const opened =
    text === undefined
      ? undefined
      : (unseal(context.rootKeys, 'authorization-request', text) as { signedOut?: SignedOut } | undefined);
  return opened?.signedOut ?? { apps: 0 };
}
