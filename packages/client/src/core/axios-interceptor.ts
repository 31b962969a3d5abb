import { bodyNotReplayable, hasReplacedToken } from './authorized-fetch.ts';
import { decideResend, type Remedies } from './challenge.ts';
import type { TokenClient } from './token-client.ts';

/** The part of an axios request configuration that is used here. */
export type AxiosRequestLike = {
  method?: string | undefined;
  data?: unknown;
  headers: { set(name: string, value: string): unknown };
};

/** The part of an axios instance (1.x) that is used here. `axios` itself and `axios.create()` both fit; axios is no dependency. */
export type AxiosLike<Config extends AxiosRequestLike, Answer = unknown> = {
  getUri(config: NoInfer<Config>): string;
  request(config: NoInfer<Config>): Promise<unknown>;
  interceptors: {
    request: { use(onFulfilled: (config: Config) => Config | Promise<Config>): number; eject(id: number): void };
    response: {
      use(onFulfilled: (response: Answer) => Answer | Promise<Answer>, onRejected: (error: unknown) => unknown): number;
      eject(id: number): void;
    };
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
export function createAxiosInterceptor<Config extends AxiosRequestLike, Answer>(
  client: Pick<TokenClient, 'authorize' | 'rememberNonce' | 'replaceAccessToken' | 'correctClock'>,
  axios: AxiosLike<Config, Answer>,
): () => void {
  const requestId = axios.interceptors.request.use(async (config) => {
    const url = new URL(axios.getUri(config), globalThis.location?.href);
    const { headers, accessToken, nonce } = await client.authorize(config.method ?? 'get', url);
    for (const [name, value] of Object.entries(headers)) config.headers.set(name, value);
    const notes: Notes = { tesseraSent: { accessToken, nonce, isBound: headers.dpop !== undefined, url: url.href } };
    return Object.assign(config, notes);
  });
  /** Sends an answered request again if that helps; `undefined` if the answer is the last. */
  const sendAgain = async ({ config, sent, status, header }: Answered<Config>): Promise<unknown> => {
    const url = new URL(sent.url);
    client.rememberNonce(url, header('dpop-nonce'));
    const tried = { nonce: 0, clock: 0, refresh: 0, ...config.tesseraTried };
    const resend = decideResend({ status, header, sentNonce: sent.nonce, isBound: sent.isBound }, tried);
    if (resend === 'nothing') return undefined;
    if (resend === 'clock' && !(await client.correctClock(sent.accessToken))) return undefined;
    if (resend === 'refresh' && !(await hasReplacedToken(client, sent.accessToken))) return undefined;
    if (isStream(config.data)) throw bodyNotReplayable(url);
    const notes: Notes = { tesseraTried: { ...tried, [resend]: tried[resend] + 1 } };
    return axios.request(Object.assign(config, notes));
  };
  const responseId = axios.interceptors.response.use(
    async (response) => {
      // Good answers bring nonces too, and with a `validateStatus` of the app's own a 401 is one of them.
      const answered = readAnswer<Config>(response, response);
      const later = answered && (await sendAgain(answered));
      return later === undefined ? response : (later as Answer);
    },
    async (error) => {
      const { response } = (typeof error === 'object' && error !== null ? error : {}) as { response?: unknown };
      const answered = readAnswer<Config>(error, response);
      const answer = answered && (await sendAgain(answered));
      if (answer === undefined) throw error;
      return answer;
    },
  );
  return () => {
    axios.interceptors.request.eject(requestId);
    axios.interceptors.response.eject(responseId);
  };
}

type Answered<Config> = {
  status: number;
  header(name: string): string | undefined;
  config: Config & Notes;
  sent: NonNullable<Notes['tesseraSent']>;
};

/** Takes an AxiosResponse, or an AxiosError and its response, apart; `undefined` for anything that is not the answer to a request this interceptor authorized. */
function readAnswer<Config>(holder: unknown, response: unknown): Answered<Config> | undefined {
  if (typeof holder !== 'object' || holder === null || typeof response !== 'object' || response === null)
    return undefined;
  const { config } = holder as { config?: Config & Notes };
  const { status, headers } = response as { status: number; headers: Record<string, unknown> };
  const sent = config?.tesseraSent;
  if (config === undefined || sent === undefined) return undefined;
  const header = (name: string) => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return { status, header, config, sent };
}

function isStream(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return false;
  return data instanceof ReadableStream || typeof (data as { pipe?: unknown }).pipe === 'function';
}
