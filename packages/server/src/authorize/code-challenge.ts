import { refuse } from '../http/refusal.ts';
import type { AuthorizationCheck } from './authorization-request.ts';

/**
 * PKCE with S256: required unless the operator switched it off for one confidential client; `plain` is refused always, and so is a method without a challenge.
 * Source: RFC 7636 section 4.3, OAuth 2.1 sections 4.1.1 and 7.5.1, RFC 9700 section 2.1.1.
 */
export const checkCodeChallenge: AuthorizationCheck = (_context, { parameters, client, request }) => {
  const facts = { clientId: client.clientId };
  const { code_challenge, code_challenge_method } = parameters;
  if (code_challenge === undefined) {
    if (client.pkce === 'required' || code_challenge_method !== undefined)
      return refuse('invalid_request', 'pkce_missing', 'code_challenge is missing (PKCE with S256 is required)', {
        facts,
      });
    return undefined;
  }
  // Without a method the specification means "plain".
  if (code_challenge_method !== 'S256')
    return refuse('invalid_request', 'pkce_method_refused', 'code_challenge_method must be S256', { facts });
  if (!/^[A-Za-z0-9_-]{43}$/.test(code_challenge))
    return refuse(
      'invalid_request',
      'parameter_invalid',
      'code_challenge must be the base64url of a SHA-256 hash: 43 characters',
      { facts },
    );
  request.codeChallenge = code_challenge;
  return undefined;
};
