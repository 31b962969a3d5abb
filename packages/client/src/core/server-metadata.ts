import * as oauth from 'oauth4webapi';
import { isClientError, TesseraClientError } from './errors.ts';
import { oauthRequestOptions } from './oauth-options.ts';
import { assertJson, type RetryPolicy, requestPatiently } from './patient-request.ts';
import type { ClientRuntime } from './runtime.ts';
import { parseSecureUrl } from './secure-url.ts';

const requiredEndpoints = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const;
const optionalEndpoints = ['revocation_endpoint', 'end_session_endpoint', 'userinfo_endpoint'] as const;

/**
 * Fetches the server's metadata and checks it: the issuer is the one asked for, every endpoint is present and secure, PKCE with S256 is not missing from
 * what it says it supports. Throws `network`, `server_unavailable`, `invalid_response` or `insecure_url`.
 * Source: OpenID Connect Discovery section 4.3, RFC 8414 section 3.3, RFC 9700 section 2.1.1.
 */
export async function discoverServer(context: {
  runtime: ClientRuntime;
  retry: RetryPolicy;
  issuer: URL;
}): Promise<oauth.AuthorizationServer> {
  const response = await requestPatiently(context.runtime, context.retry, (signal) =>
    oauth.discoveryRequest(context.issuer, oauthRequestOptions(context.runtime, signal)),
  );
  assertJson(response, `the metadata of ${context.issuer.href}`);
  const server = await oauth.processDiscoveryResponse(context.issuer, response).catch((error: unknown) => {
    if (isClientError(error)) throw error;
    const reason = error instanceof Error ? error.message : 'unknown failure';
    throw new TesseraClientError(
      'invalid_response',
      `the metadata of ${context.issuer.href} was not accepted: ${reason}`,
    );
  });
  assertUsable(server);
  return server;
}

function assertUsable(server: oauth.AuthorizationServer): void {
  for (const name of requiredEndpoints) {
    if (typeof server[name] !== 'string') {
      throw new TesseraClientError('invalid_response', `the metadata of ${server.issuer} lacks ${name}`);
    }
  }
  for (const name of [...requiredEndpoints, ...optionalEndpoints]) {
    const endpoint = server[name];
    if (endpoint === undefined) continue;
    if (typeof endpoint !== 'string' || !URL.canParse(endpoint)) {
      throw new TesseraClientError('invalid_response', `the metadata of ${server.issuer} has no URL as ${name}`);
    }
    parseSecureUrl(endpoint, name);
  }
  const methods = server.code_challenge_methods_supported;
  if (Array.isArray(methods) && !methods.includes('S256')) {
    throw new TesseraClientError(
      'invalid_response',
      `${server.issuer} does not offer PKCE with S256, and nothing weaker is used`,
    );
  }
}
