import type { Context } from '../context.ts';
import type { Input } from '../http/message.ts';
import { type Parameters, printable, readForm, readParameters } from '../http/parameters.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import type { ClientRecord } from '../store/records.ts';
import type { AuthorizationRequest } from './authorization-request.ts';
import { authorizationChecks } from './checks.ts';
import { isRegisteredRedirectUri } from './redirect-uri.ts';

/**
 * An authorization request read: good; refused towards the client's own redirect URI; or refused towards nobody, because it is not known that the redirect URI is the client's.
 */
export type ReadRequest =
  | { kind: 'request'; request: AuthorizationRequest; client: ClientRecord }
  | { kind: 'refuse-to-client'; refusal: Refusal; request: AuthorizationRequest; client: ClientRecord }
  | { kind: 'refuse-here'; refusal: Refusal; client?: ClientRecord };

/** Reads and checks an authorization request, which comes in the query of a GET or in the form of a POST. Source: RFC 6749 section 4.1.2.1, RFC 9700 section 4.11. */
export async function readAuthorizationRequest(context: Context, input: Input): Promise<ReadRequest> {
  const text = input.method === 'POST' ? input.body : input.query;
  const read =
    input.method === 'POST' ? readForm(input.headers['content-type'], input.body) : readParameters(input.query);
  const malformed = read.ok ? undefined : refuse('invalid_request', 'malformed_request', read.description);
  if (malformed && !isDuplicateElsewhere(read)) return { kind: 'refuse-here', refusal: malformed };
  const parameters: Parameters = read.ok ? read.parameters : firstValues(text);

  const trusted = await findClient(context, parameters);
  if (trusted.kind === 'refuse-here') return trusted;
  const { client } = trusted;
  const request: AuthorizationRequest = {
    clientId: client.clientId,
    redirectUri: trusted.redirectUri,
    redirectUriGiven: parameters.redirect_uri !== undefined,
    responseMode: 'query',
    scopes: [],
    resources: [],
    prompt: [],
    receivedAt: context.now(),
    ...(parameters.state !== undefined && { state: parameters.state }),
  };
  if (malformed) return { kind: 'refuse-to-client', refusal: malformed, request, client };
  if ((parameters.state?.length ?? 0) > 2048) {
    delete request.state;
    return {
      kind: 'refuse-to-client',
      refusal: refuse('invalid_request', 'parameter_invalid', 'state is longer than 2048 characters'),
      request,
      client,
    };
  }
  const draft = { parameters, resources: (read.ok && read.repeated.resource) || [], client, request };
  for (const check of authorizationChecks) {
    const refusal = await check(context, draft);
    if (refusal) return { kind: 'refuse-to-client', refusal, request, client };
  }
  return { kind: 'request', request, client };
}

async function findClient(context: Context, { client_id, redirect_uri }: Parameters) {
  const here = (refusal: Refusal, client?: ClientRecord) => ({
    kind: 'refuse-here' as const,
    refusal,
    ...(client && { client }),
  });
  if (client_id === undefined) return here(refuse('invalid_request', 'parameter_missing', 'client_id is missing'));
  const facts = { clientId: printable(client_id) };
  const client = await context.registry.client(client_id);
  if (!client)
    return here(
      refuse('invalid_client', 'client_unknown', 'client_id names no app registered here', { status: 400, facts }),
    );
  if (client.disabled)
    return here(
      refuse('invalid_client', 'client_disabled', 'this app is switched off', { status: 400, facts }),
      client,
    );
  const redirectUri = redirect_uri ?? (client.redirectUris.length === 1 ? client.redirectUris[0] : undefined);
  if (redirectUri === undefined)
    return here(refuse('invalid_request', 'parameter_missing', 'redirect_uri is missing', { facts }), client);
  if (!isRegisteredRedirectUri(client.redirectUris, redirectUri)) {
    const description = `redirect_uri "${printable(redirectUri)}" is not registered for this app; register it exactly as it is sent`;
    const both = { expected: client.redirectUris.join(' '), got: printable(redirectUri) };
    return here(
      refuse('invalid_request', 'redirect_uri_unregistered', description, { facts: { ...facts, ...both } }),
      client,
    );
  }
  return { kind: 'client' as const, client, redirectUri };
}

/** A parameter that came twice, other than the two that say where refusals go. */
function isDuplicateElsewhere(read: { ok: boolean; duplicate?: string }): boolean {
  return read.duplicate !== undefined && read.duplicate !== 'client_id' && read.duplicate !== 'redirect_uri';
}

function firstValues(text: string): Parameters {
  const all = new URLSearchParams(text);
  const parameters: Parameters = Object.create(null);
  for (const name of ['client_id', 'redirect_uri', 'state']) {
    const values = all.getAll(name);
    // Which of two is meant nobody knows; the answer then goes without it.
    if (values.length === 1 && values[0]) parameters[name] = values[0];
    else if (values.length > 1 && name !== 'state') return Object.create(null);
  }
  return parameters;
}
