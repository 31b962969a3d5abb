import { isClientError, TesseraClientError } from './errors.ts';
import { parseRetryAfter } from './retry-after.ts';
import type { ClientRuntime } from './runtime.ts';
import type { Seconds } from './seconds.ts';

/** How long to insist when no answer comes. */
export type RetryPolicy = {
  /** Requests in all, the first included. Default 4. */
  attempts: number;
  /** The pause after the first failure; each further one is twice as long. Default 400. A random quarter is added, so that clients do not return in step. */
  firstWaitMs: number;
  /** A server that asks for a longer pause than this is not waited for: the error carries `retryAfter`. Default 5000. */
  longestWaitMs: number;
  /** The time limit of each single request. Default 10000. */
  timeoutMs: number;
  /**
   * No attempt begins later than this after the first, in seconds. Default 24: the first may have rotated the refresh token and only its answer got lost, and the server gives the same
   * answer again for 30 s; a token that comes later would look stolen.
   */
  lastBegins: Seconds;
};

/** Four attempts, with about three seconds of pauses where the server refuses at once. */
export const defaultRetryPolicy: RetryPolicy = {
  attempts: 4,
  firstWaitMs: 400,
  longestWaitMs: 5000,
  timeoutMs: 10_000,
  lastBegins: 24,
};

/**
 * Sends a request that may safely be repeated until an answer comes, with bounded back-off. An answer is anything but a lost connection, a time limit,
 * 408, 425, 429 or 5xx. A `Retry-After` lengthens the pause. Throws `network` or `server_unavailable` when patience ends; every other error passes through.
 */
export async function requestPatiently(
  runtime: ClientRuntime,
  policy: RetryPolicy,
  send: (signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  const began = runtime.now();
  for (let attempt = 1; ; attempt++) {
    const outcome = await sendOnce(runtime, policy, send);
    if (outcome instanceof Response) return outcome;
    const waitMs = Math.max(backOffMs(runtime, policy, attempt), (outcome.retryAfter ?? 0) * 1000);
    const isTooLate = (pauseMs: number) => runtime.now() + pauseMs / 1000 - began > policy.lastBegins;
    if (attempt >= policy.attempts || waitMs > policy.longestWaitMs || isTooLate(waitMs)) throw outcome;
    await runtime.wait(waitMs);
    // A device that slept meanwhile wakes long after the pause was over.
    if (isTooLate(0)) throw outcome;
  }
}

/** The `fetch` to hand to `send`: a missing or cut answer becomes `network`, and the whole body is read before the answer counts as one. */
export function completeFetch(runtime: ClientRuntime): (input: string, init?: RequestInit) => Promise<Response> {
  return async (input, init) => {
    try {
      const response = await runtime.fetch(input, init);
      // A redirected token request would carry secrets to an address nobody checked; browsers show such a response as status 0.
      if (isRedirect(response)) throw redirected(input);
      const body = await response.arrayBuffer();
      return new Response(body.byteLength === 0 ? null : body, { status: response.status, headers: response.headers });
    } catch (cause) {
      if (isClientError(cause)) throw cause;
      throw new TesseraClientError('network', `no answer from ${new URL(input).origin}${browserHint()}`, { cause });
    }
  };
}

/**
 * Throws `invalid_response` for an answer that is no JSON and no challenge: not the server gave it, but something in front of it, or another address. `what` names what was
 * asked for.
 */
export function assertJson(response: Response, what: string): void {
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? 'no content type';
  if (/[/+]json$/.test(type) || response.headers.has('www-authenticate')) return;
  throw new TesseraClientError(
    'invalid_response',
    `${what}: expected JSON, got status ${response.status} with ${type.slice(0, 100)}; check the issuer option, and what may answer in the server's place (a proxy, the sign-in page of a network)`,
  );
}

function isRedirect({ type, status, headers }: Response): boolean {
  return type === 'opaqueredirect' || status === 0 || (status >= 300 && status < 400 && headers.has('location'));
}

function redirected(input: string): TesseraClientError {
  const { origin, pathname } = new URL(input);
  return new TesseraClientError(
    'invalid_response',
    `${origin}${pathname} answered with a redirect, expected the answer itself; check the issuer option (http or https, with or without www), and whether a proxy asks for a sign-in of its own`,
  );
}

/** A page is not told why it got no answer. Where the browser thinks it is online, there are two more reasons than the network. */
function browserHint(): string {
  if (globalThis.window === undefined || globalThis.navigator?.onLine === false) return '';
  return "; if the network is there, the server does not know this page's origin (CORS: no redirect_uri of the client lies there), or this page's Content-Security-Policy (connect-src) forbids it";
}

async function sendOnce(
  runtime: ClientRuntime,
  policy: RetryPolicy,
  send: (signal: AbortSignal) => Promise<Response>,
): Promise<Response | TesseraClientError> {
  try {
    const response = await send(AbortSignal.timeout(policy.timeoutMs));
    if (!isWorthRetrying(response.status)) return response;
    const retryAfter = parseRetryAfter(response.headers.get('retry-after'), runtime.now());
    return new TesseraClientError('server_unavailable', `the server answered ${response.status}`, { retryAfter });
  } catch (error) {
    if (isClientError(error, 'network')) return error;
    throw error;
  }
}

function isWorthRetrying(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

function backOffMs(runtime: ClientRuntime, policy: RetryPolicy, attempt: number): number {
  const jitter = (runtime.random(1)[0] ?? 0) / 255 / 4;
  return Math.round(policy.firstWaitMs * 2 ** (attempt - 1) * (1 + jitter));
}
