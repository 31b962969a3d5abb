import { checkPassword, type PasswordVerdict, passwordAcr } from '../authenticators/password.ts';
import { type AuthorizationRequest, sealRequest } from '../authorize/authorization-request.ts';
import { refuseToClient } from '../authorize/authorization-response.ts';
import type { Context } from '../context.ts';
import { type Input, type Output, originOf, redirect } from '../http/message.ts';
import { ownForm, readOwnForm, withCookies } from '../http/own-form.ts';
import { chosenLocales, inChosenLanguage, pageContext, pageOutput, refusalPage } from '../http/page-output.ts';
import { type Parameters, readParameters } from '../http/parameters.ts';
import { recordRefusal, refuse } from '../http/refusal.ts';
import { accountName, askingClient } from '../interaction/asked.ts';
import { type Browser, knownBrowserOf, readBrowser, signIn } from '../interaction/browser.ts';
import { type SignInProblem, signInPage } from '../pages/index.ts';
import { skipsSignIn } from '../sessions/session.ts';
import type { ClientRecord } from '../store/records.ts';
import { openAsked, pageUrl } from './authorization.ts';
import { methodRefusal } from './token.ts';

/** For whom one signs in: an app that asked, or the account page. */
type Asked = { request: AuthorizationRequest; client: ClientRecord } | undefined;

/** The sign-in page: asks for username and password, and starts or renews the session. Source: OpenID Connect Core 1.0 section 3.1.2.3. */
export async function signInEndpoint(context: Context, input: Input): Promise<Output> {
  if (input.method === 'GET') {
    const query = readParameters(input.query);
    const asked = query.ok && query.parameters.request === undefined ? undefined : await openAsked(context, input);
    if (asked && 'output' in asked) return asked.output;
    const browser = await readBrowser(context, input);
    return showForm(context, input, asked, browser, 200, undefined, asked?.request.loginHint);
  }
  if (input.method !== 'POST') return refusalPage(context, input, 'sign-in', methodRefusal('GET, POST'));
  const { isOwn, parameters, browser } = await readOwnForm(context, input, 'sign-in', 'browser');
  const asked = parameters.request === undefined ? undefined : await openAsked(context, input, parameters.request);
  if (asked && 'output' in asked) return asked.output;
  if (!isOwn) return showForm(context, input, asked, browser, 403, { kind: 'expired' }, undefined);
  if (parameters.decision === 'cancel' && asked)
    return refuseToClient(
      context,
      input,
      asked.request,
      asked.client,
      refuse('access_denied', 'user_cancelled', 'the user went back without signing in'),
    );
  return tryPassword(context, input, asked, browser, parameters);
}

/** The sign-in page for somebody whose session ended while they had a page of ours open: what they pressed there was not done. */
export function signInAgain(context: Context, input: Input, browser: Browser): Output {
  return showForm(context, input, undefined, browser, 403, { kind: 'signed-out' }, undefined);
}

async function tryPassword(
  context: Context,
  input: Input,
  asked: Asked,
  browser: Browser,
  parameters: Parameters,
): Promise<Output> {
  const { username = '', password = '', remember } = parameters;
  const verdict = await checkPassword(context, {
    username,
    password,
    ip: input.ip,
    knownBrowser: knownBrowserOf(context, input),
  });
  if (verdict.kind !== 'right') return refuseSignIn(verdict);
  const signedIn = await signIn(context, input, verdict.user, {
    amr: ['pwd'],
    acr: passwordAcr,
    remembered: remember !== undefined,
  });
  if (!signedIn) return refuseSignIn({ kind: 'wrong', reason: 'credentials_wrong', userId: verdict.user.userId });
  context.metrics.signIns.inc({ outcome: 'right' });
  const { sid, cookies } = signedIn;
  context.log.info({ sid, userId: verdict.user.userId, ...originOf(input) }, 'signed in');
  const next = asked
    ? pageUrl(context, '/authorize/continue', { ...asked.request, signedInSid: sid })
    : inChosenLanguage(`${context.config.issuer}/account`, chosenLocales(input));
  return withCookies(redirect(next), cookies);

  function refuseSignIn(why: Exclude<PasswordVerdict, { kind: 'right' }>): Output {
    context.metrics.signIns.inc({ outcome: why.kind });
    const reason = why.kind === 'throttled' ? 'throttled' : why.reason;
    const type = why.kind === 'throttled' ? 'sign_in.throttled' : 'sign_in.failed';
    const event = { type, data: {} } as const;
    const facts = {
      ...(why.userId !== undefined && { userId: why.userId }),
      ...(asked && { clientId: asked.client.clientId }),
    };
    recordRefusal(context, input, 'sign-in', refuse('access_denied', reason, 'the sign-in failed', { facts, event }));
    const problem: SignInProblem =
      why.kind === 'throttled' ? { kind: 'throttled', retryAfter: why.wait } : { kind: 'wrong-credentials' };
    const status = why.kind === 'throttled' ? 429 : 401;
    const output = showForm(context, input, asked, browser, status, problem, username, remember !== undefined);
    return why.kind === 'throttled'
      ? { ...output, headers: { ...output.headers, 'retry-after': String(why.wait) } }
      : output;
  }
}

function showForm(
  context: Context,
  input: Input,
  asked: Asked,
  browser: Browser,
  status: number,
  problem: SignInProblem | undefined,
  username: string | undefined,
  remember = false,
): Output {
  const { session, user } = browser;
  const isProving = session && skipsSignIn(session, context.now()) && session.sid !== asked?.request.leftSid;
  const again = isProving && user ? accountName(user) : undefined;
  const hidden: [string, string][] = asked ? [['request', sealRequest(context, asked.request)]] : [];
  const { form, cookies } = ownForm(
    context,
    browser,
    asked ? '/sign-in' : inChosenLanguage('/sign-in', chosenLocales(input)),
    hidden,
    'browser',
  );
  const page = signInPage(
    {
      ...form,
      client: asked && askingClient(asked.client, asked.request.redirectUri),
      username: username ?? again,
      remember,
      rememberLifetime: context.config.lifetimes.ssoRemembered,
      reauthenticate: again === undefined ? undefined : { account: again },
      problem,
    },
    pageContext(context, input, asked?.request.uiLocales),
  );
  return withCookies(pageOutput(status, page, { leadsToApp: asked !== undefined }), cookies);
}
