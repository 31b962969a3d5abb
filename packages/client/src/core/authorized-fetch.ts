import { decideResend } from './challenge.ts';
import { isClientError, TesseraClientError } from './errors.ts';
import type { ClientRuntime } from './runtime.ts';
import type { RequestAuthorization } from './token-client.ts';

/** What `fetch` takes beside the address. `duplex` is what Node and Chromium want next to a stream. */
export type AuthorizedFetchInit = RequestInit & { duplex?: 'half' };

/** The part of a token client that a request to an API needs. */
export type Authorizer = {
  authorize(method: string, url: URL): Promise<RequestAuthorization>;
  rememberNonce(url: URL, nonce: string | null | undefined): void;
  replaceAccessToken(wanting: string): Promise<void>;
  correctClock(wanting: string): Promise<boolean>;
};

/**
 * Sends a request with the access token, and again where `decideResend` says that helps. A body that is a stream is sent once; if it is asked for again,
 * nonce and token are made ready and `body_not_replayable` is thrown. The body of a `Request` is buffered while the answer is awaited. An aborted `signal` ends the call at once,
 * also while a refresh is under way; the refresh goes on for whoever comes next.
 */
export async function authorizedFetch(
  authorizer: Authorizer,
  fetch: ClientRuntime['fetch'],
  input: string | URL | Request,
  init: AuthorizedFetchInit = {},
): Promise<Response> {
  const original = new Request(input, init);
  const isStream = init.body instanceof ReadableStream;
  const url = new URL(original.url);
  const tried = { nonce: 0, clock: 0, refresh: 0 };
  const { signal } = original;
  for (;;) {
    const { headers, accessToken, nonce } = await unlessAborted(signal, () =>
      authorizer.authorize(original.method, url),
    );
    const request = isStream || original.body === null ? original : original.clone();
    const response = await fetch(withHeaders(request, headers));
    authorizer.rememberNonce(url, response.headers.get('dpop-nonce'));
    const header = (name: string) => response.headers.get(name);
    const isBound = headers.dpop !== undefined;
    const resend = decideResend({ status: response.status, header, sentNonce: nonce, isBound }, tried);
    if (resend === 'nothing') return response;
    tried[resend]++;
    if (resend === 'clock' && !(await unlessAborted(signal, () => authorizer.correctClock(accessToken))))
      return response;
    if (resend === 'refresh' && !(await unlessAborted(signal, () => hasReplacedToken(authorizer, accessToken))))
      return response;
    await response.body?.cancel();
    if (isStream) throw bodyNotReplayable(url);
  }
}

/** The error for a stream that would have to be sent twice. */
export function bodyNotReplayable(url: URL): TesseraClientError {
  return new TesseraClientError(
    'body_not_replayable',
    `${url.origin} asked for the request again, but its body was a stream; send it again with a fresh one`,
  );
}

/** What the work gives, or the signal's reason as soon as it is aborted. */
async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Gets a new token. Where the server refuses for its own reasons, the API's refusal is the better answer for the app. */
export async function hasReplacedToken(
  authorizer: Pick<Authorizer, 'replaceAccessToken'>,
  wanting: string,
): Promise<boolean> {
  try {
    await authorizer.replaceAccessToken(wanting);
    return true;
  } catch (error) {
    if (isClientError(error, 'server_refused')) return false;
    throw error;
  }
}

function withHeaders(request: Request, added: Record<string, string>): Request {
  // Set on a copy, so that the app's own request stays as it was written.
  const headers = new Headers(request.headers);
  for (const [name, value] of Object.entries(added)) headers.set(name, value);
  return new Request(request, { headers });
}
