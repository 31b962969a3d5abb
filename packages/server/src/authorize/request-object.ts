import { refuse } from '../http/refusal.ts';
import type { AuthorizationCheck } from './authorization-request.ts';

/** Request objects are not offered; saying so beats ignoring them. Source: OpenID Connect Core 1.0 section 6, section 3.1.2.6. */
export const checkRequestObject: AuthorizationCheck = (_context, { parameters, client }) => {
  const facts = { clientId: client.clientId };
  if (parameters.request !== undefined)
    return refuse('request_not_supported', 'parameter_invalid', 'the request parameter is not supported', { facts });
  if (parameters.request_uri !== undefined)
    return refuse('request_uri_not_supported', 'parameter_invalid', 'the request_uri parameter is not supported', {
      facts,
    });
  if (parameters.registration !== undefined)
    return refuse('registration_not_supported', 'parameter_invalid', 'the registration parameter is not supported', {
      facts,
    });
  return undefined;
};
