import * as oauth from 'oauth4webapi';
import { createDpopProof } from './dpop-proof.ts';
import { isClientError, TesseraClientError } from './errors.ts';
import { oauthRequestOptions } from './oauth-options.ts';
import { assertJson, requestPatiently } from './patient-request.ts';
import type { ProtocolContext } from './protocol-context.ts';

/** Options of one token request, with the DPoP proof among the headers. */
export type TokenRequestOptions = ReturnType<typeof oauthRequestOptions> & { headers: Record<string, string> };

/**
 * Sends a token request with a DPoP proof if there is a key, patiently, and once more at once if the server asks for a nonce
 * (`use_dpop_nonce`), or refuses the proof and lets see by its answer that this device's clock is wrong. Every sending has a proof of its own. Source: RFC 9449 sections 5, 8 and 11.1.
 */
export async function requestTokens(
  context: ProtocolContext,
  key: CryptoKeyPair | undefined,
  send: (options: TokenRequestOptions) => Promise<Response>,
): Promise<Response> {
  const server = await context.server();
  const url = new URL(server.token_endpoint ?? '');
  const answer = await requestPatiently(context.runtime, context.retry, async (signal) => {
    const sendWithProof = async () => {
      const headers: Record<string, string> = key === undefined ? {} : { dpop: await proofFor(context, key, url) };
      const response = await send({ ...oauthRequestOptions(context.runtime, signal), headers });
      const nonce = context.nonces.remember(url, response.headers.get('dpop-nonce'));
      return { response, nonce, error: key && (await errorOf(response)) };
    };
    const isWorthAnother = ({ response, nonce, error }: Awaited<ReturnType<typeof sendWithProof>>): boolean => {
      if (error !== 'invalid_dpop_proof' && error !== 'use_dpop_nonce') return false;
      // A server may ask for a nonce because of the time; that of the ID token is still to be checked.
      const hasClockMoved = context.clock.learn(response.headers.get('date'));
      return error === 'use_dpop_nonce' ? nonce !== undefined : hasClockMoved;
    };
    const first = await sendWithProof();
    if (!isWorthAnother(first)) return first.response;
    const second = await sendWithProof();
    return second.error !== first.error && isWorthAnother(second) ? (await sendWithProof()).response : second.response;
  });
  assertJson(answer, 'the token endpoint');
  return answer;
}

/** Turns what oauth4webapi throws into an error of ours. Its causes quote tokens, so none of them is passed on; `invalid_grant` becomes `grantCode`. */
export function asClientError(
  error: unknown,
  grantCode: 'refresh_refused' | 'authorization_refused',
): TesseraClientError {
  if (isClientError(error)) return error;
  if (error instanceof oauth.ResponseBodyError) {
    const { error_description } = error;
    const code = error.error === 'invalid_grant' ? grantCode : 'server_refused';
    const hint = error.error === 'invalid_dpop_proof' ? proofHint : '';
    return new TesseraClientError(code, `the token endpoint answered ${printable(error.error)}${hint}`, {
      error: error.error,
      error_description,
    });
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) {
    const refusal = error.cause[0]?.parameters.error ?? 'invalid_client';
    return new TesseraClientError('server_refused', `the token endpoint answered ${printable(refusal)}`, {
      error: refusal,
    });
  }
  const message = error instanceof Error ? error.message : 'unknown failure';
  const code = isAboutIdToken(error, message) ? 'invalid_id_token' : 'invalid_response';
  return new TesseraClientError(code, `the token response was not accepted: ${message}`);
}

const proofHint =
  "; check this device's clock, and that a proxy in front of the server leaves it the host and scheme that browsers see";

/** The only JWT in a token response that oauth4webapi looks into is the ID token; its codes name most failures of it, its messages the rest. */
function isAboutIdToken(error: unknown, message: string): boolean {
  const code = error instanceof oauth.OperationProcessingError ? error.code : undefined;
  const idTokenCodes: unknown[] = [oauth.JWT_TIMESTAMP_CHECK, oauth.JWT_CLAIM_COMPARISON, oauth.KEY_SELECTION];
  return idTokenCodes.includes(code) || /\bJW[TS]\b|ID Token/.test(message);
}

async function proofFor(context: ProtocolContext, key: CryptoKeyPair, url: URL): Promise<string> {
  const { runtime, nonces, clock } = context;
  return createDpopProof({
    key,
    method: 'POST',
    url,
    nonce: nonces.get(url),
    now: clock.now(),
    random: runtime.random(16),
  });
}

async function errorOf(response: Response): Promise<unknown> {
  if (response.status !== 400 && response.status !== 401) return undefined;
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  return typeof body === 'object' && body !== null ? (body as { error?: unknown }).error : undefined;
}

/** An error code is sent by the server and could be anything; what does not look like one (RFC 6749 section 5.2) stays out of messages. */
export function printable(error: string): string {
  return /^[a-z0-9_.:-]{1,64}$/i.test(error) ? error : 'an error';
}
