import { refuse } from '../http/refusal.ts';
import type { AuthorizationCheck } from './authorization-request.ts';

/** Values that are only handed through: nonce and dpop_jkt. Source: OpenID Connect Core 1.0 section 3.1.2.1, RFC 9449 section 10. */
export const checkPlainValues: AuthorizationCheck = (_context, { parameters, client, request }) => {
  const facts = { clientId: client.clientId };
  const { nonce, dpop_jkt } = parameters;
  if (nonce !== undefined) {
    if (nonce.length > 512)
      return refuse('invalid_request', 'parameter_invalid', 'nonce is longer than 512 characters', { facts });
    request.nonce = nonce;
  }
  if (dpop_jkt !== undefined) {
    if (!/^[A-Za-z0-9_-]{43}$/.test(dpop_jkt))
      return refuse(
        'invalid_request',
        'parameter_invalid',
        'dpop_jkt must be a SHA-256 JWK thumbprint: 43 characters',
        { facts },
      );
    request.dpopJkt = dpop_jkt;
  }
  return undefined;
};
