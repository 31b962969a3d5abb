import type { Seconds } from '@tessera/protocol';
import type { Context } from '../context.ts';
import type { Parameters } from '../http/parameters.ts';
import type { Refusal } from '../http/refusal.ts';
import { seal, unseal } from '../secrets/sealed.ts';
import type { ClientRecord } from '../store/records.ts';

/**
 * An authorization request that passed its checks. It travels sealed through the pages one meets on the way, so a visitor who never signs in leaves no row.
 * Source: RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2.1.
 */
export type AuthorizationRequest = {
  clientId: string;
  redirectUri: string;
  /** Whether the request named it: then the token request must name it too. */
  redirectUriGiven: boolean;
  responseMode: 'query' | 'form_post';
  state?: string;
  scopes: string[];
  /** The audiences its tokens will be for. */
  resources: string[];
  codeChallenge?: string;
  nonce?: string;
  prompt: string[];
  maxAge?: Seconds;
  loginHint?: string;
  /** The only user who may answer: from `id_token_hint` or the `claims` parameter. */
  expectedSub?: string;
  /** What `acr` must be one of, when the request calls it essential. */
  essentialAcr?: string[];
  claims?: Record<string, unknown>;
  dpopJkt?: string;
  uiLocales?: string;
  receivedAt: Seconds;
  /** What the user did on the way, each bound to the session in which it was done. */
  signedInSid?: string;
  chosenSid?: string;
  consentedSid?: string;
  /** The session as whose user the person does not go on: they asked for another account, or the request does. */
  leftSid?: string;
  /** What the consent page that is open has shown. */
  shownScopes?: string[];
};

/** A request while it is checked: what came, and what the checks made of it so far. */
export type Draft = {
  parameters: Parameters;
  /** The `resource` parameters. */
  resources: string[];
  client: ClientRecord;
  request: AuthorizationRequest;
};

/** One check: refuses, or fills in what it found. */
export type AuthorizationCheck = (context: Context, draft: Draft) => Promise<Refusal | undefined> | Refusal | undefined;

/** How long, in seconds, a request may wait for the user. */
const longestWait: Seconds = 3600;

/** The request as a parameter of the server's own pages. */
export function sealRequest(context: Pick<Context, 'rootKeys' | 'random'>, request: AuthorizationRequest): string {
  return seal(context.rootKeys, 'authorization-request', request, context.random);
}

/** The request behind such a parameter; undefined when this server did not make it or the user took longer than an hour. */
export function openRequest(
  context: Pick<Context, 'rootKeys' | 'now'>,
  text: string | undefined,
): AuthorizationRequest | undefined {
  const request =
    text === undefined
      ? undefined
      : (unseal(context.rootKeys, 'authorization-request', text) as AuthorizationRequest | undefined);
  return request && context.now() - request.receivedAt <= longestWait ? request : undefined;
}
