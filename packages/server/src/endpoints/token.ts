import { authenticateClient } from '../client-auth/authenticate-client.ts';
import type { Context } from '../context.ts';
import { grantTypes } from '../grants/grant-types.ts';
import { readDpop, withNextNonce } from '../http/dpop.ts';
import { type Input, json, type Output } from '../http/message.ts';
import { readForm } from '../http/parameters.ts';
import { answerRefusal, type Refusal, refuse } from '../http/refusal.ts';

/** The token endpoint. Source: RFC 6749 section 3.2, OAuth 2.1 section 3.2, RFC 9449 section 5. */
export async function tokenEndpoint(context: Context, input: Input): Promise<Output> {
  const outcome = await answerTokenRequest(context, input);
  const output =
    outcome.kind === 'issue' ? json(200, outcome.response) : answerRefusal(context, input, 'token', outcome);
  return withNextNonce(context, input, output);
}

async function answerTokenRequest(
  context: Context,
  input: Input,
): Promise<{ kind: 'issue'; response: object } | Refusal> {
  if (input.method !== 'POST') return methodRefusal('POST');
  if (input.query !== '')
    return refuse('invalid_request', 'malformed_request', 'parameters belong in the body, not in the URL');
  const form = readForm(input.headers['content-type'], input.body);
  if (!form.ok) return refuse('invalid_request', 'malformed_request', form.description);
  const { parameters, repeated } = form;
  const authenticated = await authenticateClient(context, input, parameters);
  if (authenticated.kind === 'refuse') return authenticated;
  const { client } = authenticated;
  const facts = { clientId: client.clientId };
  if (parameters.grant_type === undefined)
    return refuse('invalid_request', 'parameter_missing', 'grant_type is missing', { facts });
  const handler = grantTypes.find((one) => one.grantType === parameters.grant_type);
  if (!handler)
    return refuse('unsupported_grant_type', 'parameter_invalid', 'this grant_type is not offered', { facts });
  if (!client.grantTypes.includes(handler.grantType))
    return refuse(
      'unauthorized_client',
      'grant_type_not_allowed',
      `this client is not registered for grant_type=${handler.grantType}`,
      { facts },
    );
  const dpop = await readDpop(context, input, `${context.config.issuer}/token`);
  if (dpop.kind === 'refuse') return { ...dpop, facts };
  if (dpop.kind === 'none' && client.dpop === 'required')
    return refuse('invalid_dpop_proof', 'dpop_missing', 'this client must send a DPoP proof', { facts });
  return handler.handle(context, { input, parameters, resources: repeated.resource ?? [], client, dpop });
}

/** The refusal of a method an endpoint does not take. */
export function methodRefusal(allow: string): Refusal {
  return refuse('invalid_request', 'malformed_request', `use ${allow}`, { status: 405, headers: { allow } });
}
