import * as oauth from 'oauth4webapi';
import type { PendingAuthorization } from './authorization-request.ts';
import { TesseraClientError } from './errors.ts';
import { oauthClient, oauthPatientOptions } from './oauth-options.ts';
import type { ProtocolContext } from './protocol-context.ts';
import { asClientError, printable, requestTokens } from './token-request.ts';
import { assertTokenType, tokenSetOf } from './token-response.ts';
import type { TokenSet } from './token-set.ts';

/** The key the new tokens are bound to, and its name. */
export type BindingKey = { keyId: string; key: CryptoKeyPair };

/**
 * Checks the authorization response against the request it must answer, redeems the code, and validates the ID token with its signature.
 * Order: state, issuer (RFC 9207), error, code, token type, ID token (issuer, audience, times, nonce, `auth_time` under `max_age`).
 * Throws `state_mismatch`, `issuer_mismatch`, `authorization_refused`, `invalid_id_token`, `dpop_not_bound` and what a token request throws.
 * Source: OAuth 2.1 sections 4.1.2 and 4.1.3, OpenID Connect Core section 3.1.3.7.
 */
export async function redeemAuthorizationResponse(
  context: ProtocolContext,
  pending: PendingAuthorization,
  response: URLSearchParams,
  binding: BindingKey | undefined,
): Promise<TokenSet> {
  const server = await context.server();
  const client = oauthClient(context);
  assertAnswers(pending, response, server);
  try {
    const callback = oauth.validateAuthResponse(server, client, response, pending.state);
    const answer = await requestTokens(context, binding?.key, (options) =>
      oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.None(),
        callback,
        pending.redirect_uri,
        pending.code_verifier,
        options,
      ),
    );
    const expected = pending.nonce === undefined ? {} : { expectedNonce: pending.nonce, requireIdToken: true };
    const maxAge = pending.max_age === undefined ? {} : { maxAge: pending.max_age };
    const body = await oauth.processAuthorizationCodeResponse(server, client, answer, { ...expected, ...maxAge });
    assertTokenType(body.token_type, binding !== undefined);
    if (body.id_token !== undefined) {
      await oauth.validateApplicationLevelSignature(server, answer, oauthPatientOptions(context));
    }
    return tokenSetOf(body, context.runtime.now(), binding?.keyId);
  } catch (error) {
    throw asClientError(error, 'authorization_refused');
  }
}

function assertAnswers(
  pending: PendingAuthorization,
  response: URLSearchParams,
  server: oauth.AuthorizationServer,
): void {
  if (!isOnly(response, 'state', pending.state)) {
    throw new TesseraClientError(
      'state_mismatch',
      'the state of the authorization response is not the one of the request',
    );
  }
  const mustNameIssuer = server.authorization_response_iss_parameter_supported === true;
  if ((mustNameIssuer || response.has('iss')) && !isOnly(response, 'iss', server.issuer)) {
    throw new TesseraClientError('issuer_mismatch', `the authorization response does not come from ${server.issuer}`);
  }
  // The user may have been sent out under another configuration, before a deployment changed it.
  if (pending.issuer !== server.issuer) {
    throw new TesseraClientError('issuer_mismatch', `the sign-in was begun with another issuer than ${server.issuer}`);
  }
  const error = response.get('error');
  if (error === null) return;
  const error_description = response.get('error_description') ?? undefined;
  throw new TesseraClientError('authorization_refused', `the server answered ${printable(error)}`, {
    error,
    error_description,
  });
}

function isOnly(parameters: URLSearchParams, name: string, value: string): boolean {
  const all = parameters.getAll(name);
  return all.length === 1 && all[0] === value;
}
