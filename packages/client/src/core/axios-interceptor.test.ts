import assert from 'node:assert/strict';
import test from 'node:test';
import axiosLibrary from 'axios';
import { makeSignedInStage } from '../../testing/signed-in-client.ts';
import { createAxiosInterceptor } from './axios-interceptor.ts';

const makeAxios = (baseURL: string) => axiosLibrary.create({ baseURL });

test('B13: axios requests carry token and proof, and 20 refused at once cause one refresh and one retry each', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.expireAccessTokens();
  const answers = await Promise.all(Array.from({ length: 20 }, () => axios.request({ url: '/api?page=1' })));
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
  assert.equal(server.count('/token', 'refresh_token'), 1);
  assert.equal(server.count('/api'), 40);
});

test('axios: a nonce is answered, a second 401 is thrown as axios throws it, with no loop', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.apiNonce = 'n1';
  assert.equal((await axios.request({ url: '/api' })).status, 200);
  assert.equal(server.count('/api'), 2);
  server.apiAnswers = Array.from({ length: 9 }, () => ({ status: 401, challenge: 'DPoP error="invalid_token"' }));
  await assert.rejects(axios.request({ url: '/api' }), { message: 'Request failed with status code 401' });
  assert.equal(server.count('/api'), 4);
  assert.equal(server.count('/token', 'refresh_token'), 1);
});

test('axios: other refusals, strangers and lost sign-ins surface', async (t) => {
  const { client, server, required } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.apiAnswers = [{ status: 403 }];
  await assert.rejects(axios.request({ url: '/api' }), { message: 'Request failed with status code 403' });
  await assert.rejects(axios.request({ url: 'https://evil.example/' }), { code: 'origin_not_allowed' });
  server.endAllGrants();
  await assert.rejects(axios.request({ url: '/api' }), { code: 'sign_in_required' });
  assert.deepEqual(required, ['refresh_refused']);
});

test('axios: a stream cannot be sent again', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = axiosLibrary.create({ baseURL: server.origin, adapter: 'fetch' });
  createAxiosInterceptor(client, axios);
  server.expireAccessTokens();
  const data = new Blob(['hello']).stream();
  await assert.rejects(axios.request({ url: '/api', method: 'post', data }), { code: 'body_not_replayable' });
});

test('axios: the interceptors can be taken out again', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios)();
  await assert.rejects(axios.request({ url: '/api' }), { message: 'Request failed with status code 401' });
  assert.equal(server.last('/api')?.headers.authorization, undefined);
});

test('axios: where the app takes every status for an answer, a 401 is repeated all the same', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = axiosLibrary.create({ baseURL: server.origin, validateStatus: () => true });
  createAxiosInterceptor(client, axios);
  server.expireAccessTokens();
  assert.equal((await axios.request({ url: '/api' })).status, 200);
  server.apiAnswers = Array.from({ length: 9 }, () => ({ status: 401, challenge: 'DPoP error="invalid_token"' }));
  assert.equal((await axios.request({ url: '/api' })).status, 401);
  assert.equal(server.count('/api'), 4);
});

test('axios: the nonce of a good answer is used for the next request', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.apiAnswers = [{ status: 200, nonce: 'n1' }];
  await axios.request({ url: '/api' });
  server.apiNonce = 'n1';
  assert.equal((await axios.request({ url: '/api' })).status, 200);
  assert.equal(server.count('/api'), 2, 'nothing was sent twice');
});

test('axios: where the server refuses to refresh for reasons of its own, the answer of the API surfaces', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const axios = makeAxios(server.origin);
  createAxiosInterceptor(client, axios);
  server.apiAnswers = [{ status: 401, challenge: 'DPoP error="invalid_token"' }];
  server.failures = ['invalid_client'];
  await assert.rejects(axios.request({ url: '/api' }), { message: 'Request failed with status code 401' });
});
