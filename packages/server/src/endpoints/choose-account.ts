import { sealRequest } from '../authorize/authorization-request.ts';
import type { Context } from '../context.ts';
import { type Input, type Output, redirect } from '../http/message.ts';
import { ownForm, readOwnForm, withCookies } from '../http/own-form.ts';
import { pageContext, pageOutput, refusalPage } from '../http/page-output.ts';
import { accountName, askingClient, leaving } from '../interaction/asked.ts';
import { readBrowser } from '../interaction/browser.ts';
import { accountChooserPage } from '../pages/index.ts';
import { openAsked, pageUrl } from './authorization.ts';
import { methodRefusal } from './token.ts';

/** The account chooser: go on as who is signed in, or as somebody else. Source: OpenID Connect Core 1.0 section 3.1.2.1, prompt=select_account. */
export async function chooseAccountEndpoint(context: Context, input: Input): Promise<Output> {
  if (input.method !== 'GET' && input.method !== 'POST')
    return refusalPage(context, input, 'choose-account', methodRefusal('GET, POST'));
  const posted = input.method === 'POST' ? await readOwnForm(context, input, 'choose-account') : undefined;
  const asked = await openAsked(context, input, posted?.parameters.request);
  if ('output' in asked) return asked.output;
  const { request, client } = asked;
  const browser = posted?.browser ?? (await readBrowser(context, input));
  const { session, user } = browser;
  if (!session || !user) return redirect(pageUrl(context, '/authorize/continue', request));
  if (posted?.isOwn && posted.parameters.decision === 'switch')
    return redirect(pageUrl(context, '/sign-in', leaving(request, session, user)));
  if (posted?.isOwn) return redirect(pageUrl(context, '/authorize/continue', { ...request, chosenSid: session.sid }));
  const { form, cookies } = ownForm(context, browser, '/choose-account', [['request', sealRequest(context, request)]]);
  const page = accountChooserPage(
    { ...form, client: askingClient(client, request.redirectUri), account: accountName(user) },
    pageContext(context, input, request.uiLocales),
  );
  return withCookies(pageOutput(posted ? 403 : 200, page, { leadsToApp: true }), cookies);
}
