import { encodeBase64url } from './base64url.ts';
import { sha256 } from './dpop-proof.ts';
import type { ProtocolContext } from './protocol-context.ts';
import type { Seconds } from './seconds.ts';

/** What an app may ask for when it sends somebody to sign in. Names are those of the specifications. */
export type AuthorizationParameters = {
  /** Space separated. Default: the client's `scope` option. */
  scope?: string | undefined;
  /** The APIs the access token is for (RFC 8707). Default: the client's `resource` option. */
  resource?: string | readonly string[] | undefined;
  /** `none`, `login`, `consent`, `select_account`, or several with spaces (OpenID Connect Core section 3.1.2.1). */
  prompt?: string | undefined;
  /** The sign-in may be at most this old; the ID token's `auth_time` is checked against it. 0 forces a new one. */
  max_age?: Seconds | undefined;
  /** Who is probably signing in: an e-mail address or user name. */
  login_hint?: string | undefined;
  /** Languages in order of preference, space separated (BCP 47). */
  ui_locales?: string | undefined;
  /** Wanted authentication context classes, space separated. */
  acr_values?: string | undefined;
  /** Anything else the server understands. What the protocol itself sets cannot be overridden. */
  extraParameters?: Readonly<Record<string, string>> | undefined;
};

/**
 * What has to survive until the user is back: the secrets that tie the answer to this request. Holds no token. One per sign-in
 * begun, removed when its answer arrives.
 */
export type PendingAuthorization = {
  issuer: string;
  client_id: string;
  redirect_uri: string;
  state: string;
  code_verifier: string;
  /** Only with the `openid` scope: without it no ID token comes that could carry it back. */
  nonce?: string | undefined;
  max_age?: Seconds | undefined;
  createdAt: Seconds;
};

/** The address to send the user to, and what to keep until they return. */
export type AuthorizationRequest = { url: URL; pending: PendingAuthorization };

const ownParameters = new Set([
  ...['client_id', 'response_type', 'response_mode', 'redirect_uri', 'scope', 'state', 'nonce', 'code_challenge'],
  ...['code_challenge_method', 'resource', 'max_age', 'prompt', 'request', 'request_uri'],
]);

/**
 * Makes an authorization request: code flow with PKCE S256, `state`, and `nonce` for OpenID. Throws `TypeError` for extra parameters that the
 * protocol sets itself, and what fetching the metadata throws.
 * Source: OAuth 2.1 section 4.1.1, OpenID Connect Core section 3.1.2.1, RFC 7636 section 4, RFC 8707 section 2.
 */
export async function createAuthorizationRequest(
  context: ProtocolContext,
  redirect_uri: string,
  parameters: AuthorizationParameters,
): Promise<AuthorizationRequest> {
  const server = await context.server();
  const scope = parameters.scope ?? 'openid';
  const isOpenid = scope.split(' ').includes('openid');
  const pending: PendingAuthorization = {
    issuer: server.issuer,
    client_id: context.client_id,
    redirect_uri,
    state: randomText(context),
    code_verifier: randomText(context),
    nonce: isOpenid ? randomText(context) : undefined,
    max_age: parameters.max_age,
    createdAt: context.runtime.now(),
  };
  // The endpoint may carry a query of its own, which must be kept (RFC 6749 section 3.1).
  const url = new URL(server.authorization_endpoint ?? '');
  const values: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: context.client_id,
    redirect_uri,
    scope,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: encodeBase64url(await sha256(pending.code_verifier)),
    code_challenge_method: 'S256',
    prompt: parameters.prompt,
    max_age: parameters.max_age?.toString(),
    login_hint: parameters.login_hint,
    ui_locales: parameters.ui_locales,
    acr_values: parameters.acr_values,
    ...checkedExtras(parameters.extraParameters),
  };
  for (const [name, value] of Object.entries(values)) if (value !== undefined) url.searchParams.set(name, value);
  for (const resource of [parameters.resource ?? []].flat()) url.searchParams.append('resource', resource);
  return { url, pending };
}

function checkedExtras(extras: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const forbidden = Object.keys(extras).find((name) => ownParameters.has(name));
  if (forbidden === undefined) return extras;
  throw new TypeError(
    `extraParameters may not set "${forbidden}"; the protocol sets it, or an option of its own name does`,
  );
}

/** 256 random bits: 43 characters, the least a PKCE verifier may have (RFC 7636 section 4.1). */
function randomText(context: ProtocolContext): string {
  return encodeBase64url(context.runtime.random(32));
}
