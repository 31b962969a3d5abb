import { refuse } from '../http/refusal.ts';
import type { AuthorizationCheck } from './authorization-request.ts';

/** Only the authorization code is offered; it is returned in the query or by a form post. Source: OAuth 2.1 section 4.1.1, OAuth 2.0 Multiple Response Types 1.0 section 2.1. */
export const checkResponseType: AuthorizationCheck = (_context, { parameters, client, request }) => {
  const facts = { clientId: client.clientId };
  const { response_type, response_mode } = parameters;
  if (response_mode === 'form_post') request.responseMode = 'form_post';
  if (response_type === undefined)
    return refuse('invalid_request', 'parameter_missing', 'response_type is missing', { facts });
  if (response_type !== 'code')
    return refuse('unsupported_response_type', 'response_type_unsupported', 'only response_type=code is offered', {
      facts,
    });
  if (response_mode !== undefined && response_mode !== 'query' && response_mode !== 'form_post')
    return refuse('invalid_request', 'response_mode_unsupported', 'response_mode must be query or form_post', {
      facts,
    });
  if (!client.grantTypes.includes('authorization_code'))
    return refuse(
      'unauthorized_client',
      'grant_type_not_allowed',
      'this client is not registered for the authorization code',
      { facts },
    );
  return undefined;
};
