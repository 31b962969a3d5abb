import assert from 'node:assert/strict';
import test from 'node:test';
import { makeSignedInStage } from '../../testing/signed-in-client.ts';
import { createAxiosInterceptor } from './axios-interceptor.ts';
import type { TokenClient } from './token-client.ts';

type Config = {
  url: string;
  method?: string;
  data?: unknown;
  headers: Headers & { set(name: string, value: string): unknown };
};
type Answer = { status: number; data: unknown; headers: Record<string, string>; config: Config };

/** Behaves like an axios 1.x instance as far as interceptors see it: copies configurations, throws for 4xx with `config` and `response`. */
function makeAxios(baseURL: string) {
  const before: ((config: Config) => Config | Promise<Config>)[] = [];
  const after: ((error: unknown) => unknown)[] = [];
  const getUri = (config: Config) => new URL(config.url, baseURL).href;
  const request = async (given: Partial<Config>): Promise<unknown> => {
    let config = { ...given, headers: new Headers(given.headers) } as Config;
    for (const interceptor of before) config = await interceptor(config);
    try {
      const body = config.data === undefined ? {} : { body: config.data as BodyInit, duplex: 'half' as const };
      const response = await fetch(getUri(config), {
        method: config.method ?? 'get',
        headers: config.headers,
        ...body,
      });
      const headers = Object.fromEntries(response.headers);
      const answer: Answer = { status: response.status, headers, config, data: await response.text() };
      if (response.status < 400) return answer;
      throw Object.assign(new Error(`status ${response.status}`), { config, response: answer });
    } catch (error) {
      const [handler] = after;
      if (handler === undefined) throw error;
      return handler(error);
    }
  };
  const interceptors = {
    request: {
      use: (interceptor: (config: Config) => Config | Promise<Config>) => before.push(interceptor) - 1,
      eject: () => void before.pop(),
    },
    response: {
      use: (_: undefined, rejected: (error: unknown) => unknown) => after.push(rejected) - 1,
      eject: () => void after.pop(),
    },
  };
  return { getUri, request, interceptors };
}

test('B13: axios requests carry token and proof, and 20 refused at once cause one refresh and one retry each', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.expireAccessTokens();
  const answers = await Promise.all(Array.from({ length: 20 }, () => axios.request({ url: '/api?page=1' })));
  assert.deepEqual([...new Set(answers.map((answer) => (answer as Answer).status))], [200]);
  assert.equal(server.count('/token', 'refresh_token'), 1);
  assert.equal(server.count('/api'), 40);
});

test('axios: a nonce is answered, a second 401 is thrown as axios throws it, with no loop', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.apiNonce = 'n1';
  assert.equal(((await axios.request({ url: '/api' })) as Answer).status, 200);
  assert.equal(server.count('/api'), 2);
  server.apiAnswers = Array.from({ length: 9 }, () => ({ status: 401, challenge: 'DPoP error="invalid_token"' }));
  await assert.rejects(axios.request({ url: '/api' }), { message: 'status 401' });
  assert.equal(server.count('/api'), 4);
  assert.equal(server.count('/token', 'refresh_token'), 1);
});

test('axios: other refusals, strangers and lost sign-ins surface', async (t) => {
  const { client, server, required } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.apiAnswers = [{ status: 403 }];
  await assert.rejects(axios.request({ url: '/api' }), { message: 'status 403' });
  await assert.rejects(axios.request({ url: 'https://evil.example/' }), { code: 'origin_not_allowed' });
  server.endAllGrants();
  await assert.rejects(axios.request({ url: '/api' }), { code: 'sign_in_required' });
  assert.deepEqual(required, ['refresh_refused']);
});

test('axios: a stream cannot be sent again', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.expireAccessTokens();
  const data = new Blob(['hello']).stream();
  await assert.rejects(axios.request({ url: '/api', method: 'post', data }), { code: 'body_not_replayable' });
});

test('axios: the interceptors can be taken out again', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios)();
  await assert.rejects(axios.request({ url: '/api' }), { message: 'status 401' });
  assert.equal(server.last('/api')?.headers.authorization, undefined);
});

/** The types of axios 1.x as it declares them, in short. */
type AxiosRequestConfig = { url?: string; method?: string; baseURL?: string; data?: unknown };
type InternalAxiosRequestConfig = AxiosRequestConfig & {
  headers: { set(name?: string, value?: string | number | null, rewrite?: boolean): unknown; [name: string]: unknown };
};
type AxiosInterceptorManager<Value> = {
  use: (
    onFulfilled?: ((value: Value) => Value | Promise<Value>) | null,
    onRejected?: ((error: unknown) => unknown) | null,
    options?: { synchronous?: boolean },
  ) => number;
  eject(id: number): void;
  clear(): void;
};
type RealAxios = {
  interceptors: {
    request: AxiosInterceptorManager<InternalAxiosRequestConfig>;
    response: AxiosInterceptorManager<{ status: number }>;
  };
  getUri(config?: AxiosRequestConfig): string;
  request<Data = unknown, Result = { data: Data }>(config: AxiosRequestConfig): Promise<Result>;
};

test('the types of an axios instance fit without a cast', () => {
  const attach = (client: TokenClient, axios: RealAxios) => createAxiosInterceptor(client, axios);
  assert.equal(typeof attach, 'function');
});
