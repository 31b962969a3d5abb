import { encodeBase64url } from './base64url.ts';
import type { ProtocolContext } from './protocol-context.ts';

/** What a logout request says. */
export type EndSessionParameters = {
  /** The last ID token, so that the server knows whose session to end without asking. */
  id_token_hint?: string | undefined;
  /** Where to return; must be registered for the client. */
  post_logout_redirect_uri?: string | undefined;
  ui_locales?: string | undefined;
};

/**
 * Makes the address that ends the browser's session at the server; `undefined` if the server has no such endpoint. `state` comes back with the user.
 * Source: OpenID Connect RP-Initiated Logout section 2.
 */
export async function createEndSessionRequest(
  context: ProtocolContext,
  parameters: EndSessionParameters,
): Promise<{ url: URL; state: string | undefined } | undefined> {
  const { end_session_endpoint } = await context.server();
  if (end_session_endpoint === undefined) return undefined;
  const url = new URL(end_session_endpoint);
  const state =
    parameters.post_logout_redirect_uri === undefined ? undefined : encodeBase64url(context.runtime.random(16));
  for (const [name, value] of Object.entries({ ...parameters, client_id: context.client_id, state })) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return { url, state };
}
