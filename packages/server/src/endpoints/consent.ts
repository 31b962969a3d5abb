import { sealRequest } from '../authorize/authorization-request.ts';
import { refuseToClient } from '../authorize/authorization-response.ts';
import type { Context } from '../context.ts';
import { type Input, type Output, redirect } from '../http/message.ts';
import { ownForm, readOwnForm, withCookies } from '../http/own-form.ts';
import { pageContext, pageOutput, refusalPage } from '../http/page-output.ts';
import { refuse } from '../http/refusal.ts';
import { accountName, askingClient, describeScopes, leaving, widened } from '../interaction/asked.ts';
import { readBrowser } from '../interaction/browser.ts';
import { consentPage } from '../pages/index.ts';
import { skipsSignIn } from '../sessions/session.ts';
import type { UserRecord } from '../store/records.ts';
import { judgeScopes } from '../tokens/permissions.ts';
import { openAsked, pageUrl } from './authorization.ts';
import { methodRefusal } from './token.ts';

/** The consent page: says in plain words what an app asks for; what is allowed is remembered. Source: OpenID Connect Core 1.0 section 3.1.2.4, RFC 6819 section 5.2.4. */
export async function consentEndpoint(context: Context, input: Input): Promise<Output> {
  if (input.method !== 'GET' && input.method !== 'POST')
    return refusalPage(context, input, 'consent', methodRefusal('GET, POST'));
  const posted = input.method === 'POST' ? await readOwnForm(context, input, 'consent') : undefined;
  const asked = await openAsked(context, input, posted?.parameters.request);
  if ('output' in asked) return asked.output;
  const { request, client } = asked;
  const browser = posted?.browser ?? (await readBrowser(context, input));
  const { session, user } = browser;
  // Without a live sign-in there is nobody to ask: the request is decided anew, which leads to the sign-in page.
  if (!session || !user || !skipsSignIn(session, context.now()))
    return redirect(pageUrl(context, '/authorize/continue', request));

  const servers = await context.registry.resourceServers();
  const { allowed } = judgeScopes(request.scopes, client, user, servers, request.resources);
  if (posted?.isOwn) {
    switch (posted.parameters.decision) {
      case 'allow':
        // Roles and registrations may have changed while the page was open: what it did not show is asked for anew.
        await rememberConsent(context, user, client.clientId, {
          scopes: allowed.filter((scope) => request.shownScopes?.includes(scope)),
          resources: request.resources,
        });
        return redirect(pageUrl(context, '/authorize/continue', { ...request, consentedSid: session.sid }));
      case 'switch':
        return redirect(pageUrl(context, '/sign-in', leaving(request, session, user)));
      case 'deny':
        return refuseToClient(
          context,
          input,
          request,
          client,
          refuse('access_denied', 'user_denied', 'the user said no', {
            facts: { clientId: client.clientId, userId: user.userId },
          }),
        );
    }
  }
  const { form, cookies } = ownForm(context, browser, '/consent', [
    ['request', sealRequest(context, { ...request, shownScopes: allowed })],
  ]);
  const page = consentPage(
    {
      ...form,
      client: askingClient(client, request.redirectUri),
      account: accountName(user),
      scopes: await describeScopes(context, allowed, request.resources),
    },
    pageContext(context, input, request.uiLocales),
  );
  return withCookies(pageOutput(posted ? 403 : 200, page, { leadsToApp: true }), cookies);
}

async function rememberConsent(
  context: Context,
  user: UserRecord,
  clientId: string,
  shown: { scopes: string[]; resources: string[] },
): Promise<void> {
  const consentId = `${user.userId}/${clientId}`;
  const at = context.now();
  for (;;) {
    const before = await context.store.get('consent', consentId);
    const record = {
      consentId,
      version: 0,
      userId: user.userId,
      clientId,
      ...widened(before, shown, context.config.issuer, await context.registry.resourceServers()),
      grantedAt: at,
    };
    const result = await context.store.commit(
      [{ change: 'put', kind: 'consent', expect: before?.version ?? 'absent', record }],
      [
        {
          type: 'consent.granted',
          at,
          actor: { kind: 'user', userId: user.userId },
          userId: user.userId,
          clientId,
          data: { scopes: record.scopes, resources: record.resources },
        },
      ],
    );
    if (result.outcome === 'committed') return;
  }
}
