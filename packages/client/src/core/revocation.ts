import * as oauth from 'oauth4webapi';
import { isClientError } from './errors.ts';
import { oauthClient, oauthRequestOptions } from './oauth-options.ts';
import { completeFetch } from './patient-request.ts';
import type { ProtocolContext } from './protocol-context.ts';

/** A token the server has still to be told about. */
export type Revocable = { token: string; token_type_hint: 'refresh_token' | 'access_token' };

/**
 * Asks the server once to revoke a token. Resolves to `done` when nothing is left to do (revoked, unknown, or refused for good), to `later` when the
 * server could not be asked. Revoking a refresh token ends its grant, whichever generation it is. Never throws. Source: RFC 7009 section 2.
 */
export async function revokeToken(context: ProtocolContext, revocable: Revocable): Promise<'done' | 'later'> {
  try {
    const server = await context.server();
    // Without the endpoint the token lives until it expires; asking again would not change that.
    if (server.revocation_endpoint === undefined) return 'done';
    const response = await oauth.revocationRequest(server, oauthClient(context), oauth.None(), revocable.token, {
      ...oauthRequestOptions(context.runtime, AbortSignal.timeout(context.retry.timeoutMs)),
      additionalParameters: { token_type_hint: revocable.token_type_hint },
      // Lets the request finish although the page goes away, as it does when signing out navigates.
      [oauth.customFetch]: (url, init) =>
        completeFetch(context.runtime)(url, { ...(init as RequestInit), keepalive: true }),
    });
    return response.status >= 500 || response.status === 429 || response.status === 408 ? 'later' : 'done';
  } catch (error) {
    return isClientError(error, 'network', 'server_unavailable', 'invalid_response') ? 'later' : 'done';
  }
}
