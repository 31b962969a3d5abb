import * as oauth from 'oauth4webapi';
import { decodeJwt } from './decode-jwt.ts';
import { TesseraClientError } from './errors.ts';
import { oauthClient } from './oauth-options.ts';
import type { ProtocolContext } from './protocol-context.ts';
import { asClientError, requestTokens } from './token-request.ts';
import { assertTokenType, tokenSetOf } from './token-response.ts';
import type { TokenSet } from './token-set.ts';

/**
 * Redeems a refresh token once, patiently: a lost answer is asked for again with the same token, and the server gives the same successor in its retry window.
 * Throws `refresh_refused` for `invalid_grant` alone; `network`, `server_unavailable`, `server_refused`, `invalid_response`, `dpop_not_bound` and
 * `invalid_id_token` leave the tokens good. Source: OAuth 2.1 section 4.3, OpenID Connect Core section 12.
 */
export async function redeemRefreshToken(
  context: ProtocolContext,
  tokens: TokenSet & { refresh_token: string },
  key: CryptoKeyPair | undefined,
): Promise<TokenSet> {
  const server = await context.server();
  const client = oauthClient(context);
  try {
    const answer = await requestTokens(context, key, (options) =>
      oauth.refreshTokenGrantRequest(server, client, oauth.None(), tokens.refresh_token, options),
    );
    const body = await oauth.processRefreshTokenResponse(server, client, answer);
    assertTokenType(body.token_type, key !== undefined);
    assertSameUser(tokens.id_token, body.id_token);
    return tokenSetOf(body, context.runtime.now(), tokens.keyId, tokens);
  } catch (error) {
    throw asClientError(error, 'refresh_refused');
  }
}

/**
 * A refreshed ID token must speak of the same user and the same sign-in as the first. Its signature is not checked again: it came over the same
 * TLS connection as the access token (OpenID Connect Core section 3.1.3.7, point 6), and an unreachable key set must not stop a refresh.
 * Source: OpenID Connect Core section 12.2.
 */
function assertSameUser(before: string | undefined, after: string | undefined): void {
  const old = decodeJwt(before);
  const fresh = decodeJwt(after);
  if (!old.ok || !fresh.ok) return;
  for (const claim of ['iss', 'sub', 'auth_time', 'nonce', 'azp'] as const) {
    const mayBeAbsent =
      claim !== 'iss' && claim !== 'sub' && (fresh.claims[claim] === undefined || old.claims[claim] === undefined);
    if (!mayBeAbsent && old.claims[claim] !== fresh.claims[claim]) {
      throw new TesseraClientError(
        'invalid_id_token',
        `the refreshed ID token has another ${claim} than the one of the sign-in`,
      );
    }
  }
}
