import type { Context } from '../context.ts';
import { type Input, type Output, redirect } from '../http/message.ts';
import { pageContext, pageOutput } from '../http/page-output.ts';
import { describeOnWire, type Refusal, recordRefusal } from '../http/refusal.ts';
import { formPostPage, formPostScriptHash } from '../pages/index.ts';
import type { ClientRecord } from '../store/records.ts';
import type { AuthorizationRequest } from './authorization-request.ts';

/** Sends parameters to the client's redirect URI, with `iss` and `state`. Source: RFC 6749 section 4.1.2, RFC 9207 section 2, OAuth 2.0 Form Post Response Mode 1.0. */
export function respondToClient(
  context: Context,
  input: Input,
  request: AuthorizationRequest,
  client: ClientRecord,
  parameters: Record<string, string>,
): Output {
  const all = {
    ...parameters,
    ...(request.state === undefined ? {} : { state: request.state }),
    iss: context.config.issuer,
  };
  if (request.responseMode === 'form_post') {
    const page = formPostPage(
      { action: request.redirectUri, hidden: Object.entries(all), client_name: client.name },
      pageContext(context, input, request.uiLocales),
    );
    return pageOutput(200, page, { leadsToApp: true, script: formPostScriptHash });
  }
  const separator = request.redirectUri.includes('?') ? '&' : '?';
  return redirect(`${request.redirectUri}${separator}${toQuery(all)}`);
}

/** The parameters as a query. A code is long, and URLSearchParams writes letter by letter. */
function toQuery(parameters: Record<string, string>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`)
    .join('&');
}

/** Tells the client why its request was refused. Source: RFC 6749 section 4.1.2.1. */
export function refuseToClient(
  context: Context,
  input: Input,
  request: AuthorizationRequest,
  client: ClientRecord,
  refusal: Refusal,
): Output {
  const refusalId = recordRefusal(context, input, 'authorization', refusal);
  const output = respondToClient(context, input, request, client, {
    error: refusal.error,
    error_description: `${describeOnWire(refusal.description)} (${refusalId})`,
  });
  return { ...output, headers: { ...output.headers, 'tessera-refusal-id': refusalId } };
}
