import type { Context } from '../context.ts';
import type { DpopPresented } from '../http/dpop.ts';
import type { Input } from '../http/message.ts';
import type { Parameters } from '../http/parameters.ts';
import type { Refusal } from '../http/refusal.ts';
import type { ClientRecord, GrantType } from '../store/records.ts';

/** A token request, its client authenticated and its proof judged. */
export type TokenRequest = {
  input: Input;
  parameters: Parameters;
  /** The `resource` parameters. Source: RFC 8707 section 2.2. */
  resources: string[];
  client: ClientRecord;
  dpop: DpopPresented;
};

/** The members of a token response. Source: RFC 6749 section 5.1, OpenID Connect Core 1.0 section 3.1.3.3. */
export type TokenResponse = {
  access_token: string;
  token_type: 'Bearer' | 'DPoP';
  expires_in: number;
  scope: string;
  refresh_token?: string;
  id_token?: string;
};

/** One grant_type. */
export type GrantHandler = {
  grantType: GrantType;
  handle(context: Context, request: TokenRequest): Promise<{ kind: 'issue'; response: TokenResponse } | Refusal>;
};

/** The key an access token for this request is bound to; undefined: a bearer token. */
export function proofKey(request: TokenRequest): string | undefined {
  return request.dpop.kind === 'proof' ? request.dpop.jkt : undefined;
}
