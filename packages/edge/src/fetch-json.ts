/** The part of `fetch` the edge uses; replaceable, for tests and for proxies. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Why an answer of the issuer could not be used. */
export type EdgeRequestErrorCode = 'unreachable' | 'timeout' | 'status' | 'too_large' | 'not_json';

/** Thrown when the issuer could not be asked, or answered with something else than the JSON expected. Callers compare `code`. */
export class EdgeRequestError extends Error {
  readonly code: EdgeRequestErrorCode;
  readonly status: number | undefined;

  constructor(code: EdgeRequestErrorCode, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'EdgeRequestError';
    this.code = code;
    this.status = options.status;
  }
}

/** One request for JSON. `signal` cancels it from outside. */
export type JsonRequest = {
  fetch: Fetch;
  url: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  timeoutMs: number;
  largestAnswerBytes: number;
  signal?: AbortSignal;
};

/** A JSON answer with status 200. */
export type JsonAnswer = { headers: Headers; body: unknown };

/**
 * Asks for JSON, bounded in time and size, never following a redirect (which could carry credentials elsewhere). Throws `EdgeRequestError` for
 * everything but a 200 with a JSON body.
 */
export async function fetchJson(request: JsonRequest): Promise<JsonAnswer> {
  const cancel = new AbortController();
  const onAbort = () => cancel.abort();
  if (request.signal?.aborted) cancel.abort();
  request.signal?.addEventListener('abort', onAbort, { once: true });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    cancel.abort();
  }, request.timeoutMs);
  timer.unref();
  try {
    return await exchange(request, cancel.signal);
  } catch (cause) {
    if (cause instanceof EdgeRequestError) throw cause;
    if (timedOut)
      throw new EdgeRequestError('timeout', `${request.url} did not answer in ${request.timeoutMs} ms`, { cause });
    throw new EdgeRequestError('unreachable', `${request.url} could not be reached${because(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', onAbort);
  }
}

const refusedCredentials =
  '; the issuer does not accept the credentials sent: compare clientId and clientSecret with its registration';

/** What the network said, such as ECONNREFUSED or CERT_HAS_EXPIRED: `fetch` hides it in the cause. */
function because(failure: unknown): string {
  const cause = failure instanceof Error ? failure.cause : undefined;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? ` (${code})` : '';
}

async function exchange(request: JsonRequest, signal: AbortSignal): Promise<JsonAnswer> {
  const response = await request.fetch(request.url, {
    method: request.method ?? 'GET',
    headers: { accept: 'application/json', ...request.headers },
    redirect: 'error',
    signal,
    ...(request.body === undefined ? {} : { body: request.body }),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    const hint = response.status === 401 && request.headers?.authorization !== undefined ? refusedCredentials : '';
    throw new EdgeRequestError('status', `${request.url} answered ${response.status}, expected 200${hint}`, {
      status: response.status,
    });
  }
  const text = await readBounded(response, request);
  try {
    return { headers: response.headers, body: JSON.parse(text) as unknown };
  } catch (cause) {
    throw new EdgeRequestError('not_json', `${request.url} did not answer with JSON`, { cause });
  }
}

async function readBounded(response: Response, request: JsonRequest): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let received = 0;
  if (response.body === null) return text;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    received += chunk.length;
    if (received > request.largestAnswerBytes)
      throw new EdgeRequestError(
        'too_large',
        `${request.url} answered with more than ${request.largestAnswerBytes} bytes`,
      );
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
