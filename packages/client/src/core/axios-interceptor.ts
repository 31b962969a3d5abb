import { bodyNotReplayable } from './authorized-fetch.ts';
import { decideResend, type Remedies } from './challenge.ts';
import type { TokenClient } from './token-client.ts';

/** The part of an axios request configuration that is used here. */
export type AxiosRequestLike = {
  method?: string | undefined;
  data?: unknown;
  headers: { set(name: string, value: string): unknown };
};

/** The part of an axios instance (1.x) that is used here. `axios` itself and `axios.create()` both fit; axios is no dependency. */
export type AxiosLike<Config extends AxiosRequestLike> = {
  getUri(config: NoInfer<Config>): string;
  request(config: NoInfer<Config>): Promise<unknown>;
  interceptors: {
    request: { use(onFulfilled: (config: Config) => Config | Promise<Config>): number; eject(id: number): void };
    response: { use(onFulfilled: undefined, onRejected: (error: unknown) => unknown): number; eject(id: number): void };
  };
};

/** What is noted on a configuration. Plain properties, because axios copies configurations and keeps only those. */
type Notes = {
  tesseraSent?: { accessToken: string; nonce: string | undefined; isBound: boolean; url: string };
  tesseraTried?: Remedies;
};

/**
 * Puts the access token on every request of an axios instance, and on a 401 refreshes and repeats once, like `client.fetch`. The instance should only
 * call your APIs: other origins are refused with `origin_not_allowed`. Returns a function that takes the interceptors out again.
 */
export function createAxiosInterceptor<Config extends AxiosRequestLike>(
  client: Pick<TokenClient, 'authorize' | 'rememberNonce' | 'replaceAccessToken' | 'correctClock'>,
  axios: AxiosLike<Config>,
): () => void {
  const requestId = axios.interceptors.request.use(async (config) => {
    const url = new URL(axios.getUri(config), globalThis.location?.href);
    const { headers, accessToken, nonce } = await client.authorize(config.method ?? 'get', url);
    for (const [name, value] of Object.entries(headers)) config.headers.set(name, value);
    const notes: Notes = { tesseraSent: { accessToken, nonce, isBound: headers.dpop !== undefined, url: url.href } };
    return Object.assign(config, notes);
  });
  const responseId = axios.interceptors.response.use(undefined, async (error) => {
    const refused = readRefusal<Config>(error);
    if (refused === undefined) throw error;
    const { config, sent, status, header } = refused;
    const url = new URL(sent.url);
    client.rememberNonce(url, header('dpop-nonce'));
    const tried = { nonce: 0, clock: 0, refresh: 0, ...config.tesseraTried };
    const resend = decideResend({ status, header, sentNonce: sent.nonce, isBound: sent.isBound }, tried);
    if (resend === 'nothing') throw error;
    if (resend === 'clock' && !(await client.correctClock(sent.accessToken))) throw error;
    if (resend === 'refresh') await client.replaceAccessToken(sent.accessToken);
    if (isStream(config.data)) throw bodyNotReplayable(url);
    const notes: Notes = { tesseraTried: { ...tried, [resend]: tried[resend] + 1 } };
    return axios.request(Object.assign(config, notes));
  });
  return () => {
    axios.interceptors.request.eject(requestId);
    axios.interceptors.response.eject(responseId);
  };
}

type Refusal<Config> = {
  status: number;
  header(name: string): string | undefined;
  config: Config & Notes;
  sent: NonNullable<Notes['tesseraSent']>;
};

/** Takes an AxiosError apart; `undefined` for anything that is not the answer to a request this interceptor authorized. */
function readRefusal<Config>(error: unknown): Refusal<Config> | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { config, response } = error as {
    config?: Config & Notes;
    response?: { status: number; headers: Record<string, unknown> };
  };
  const sent = config?.tesseraSent;
  if (config === undefined || sent === undefined || response === undefined) return undefined;
  const header = (name: string) => {
    const value = response.headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return { status: response.status, header, config, sent };
}

function isStream(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return false;
  return data instanceof ReadableStream || typeof (data as { pipe?: unknown }).pipe === 'function';
}
