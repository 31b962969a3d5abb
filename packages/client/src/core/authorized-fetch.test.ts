import assert from 'node:assert/strict';
import test from 'node:test';
import { makeSignedInStage } from '../../testing/signed-in-client.ts';

test('B1: the token goes in the Authorization header, with a proof for this request, and nowhere else', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const response = await client.fetch(`${server.origin}/api?page=2`, { headers: { 'x-app': '1' } });
  assert.equal(response.status, 200);
  const seen = server.last('/api');
  const { access_token } = (await client.getTokens()) ?? { access_token: '' };
  assert.equal(seen?.headers.authorization, `DPoP ${access_token}`);
  assert.equal(seen?.headers['x-app'], '1');
  assert.equal(seen?.query.toString(), 'page=2');
});

test('B13: a 401 leads to one refresh and one retry', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.expireAccessTokens();
  const response = await client.fetch(`${server.origin}/api`, { method: 'POST', body: 'hello' });
  assert.deepEqual(await response.json(), { sub: 'alice', method: 'POST', body: 'hello' });
  assert.equal(server.count('/api'), 2);
  assert.equal(server.count('/token', 'refresh_token'), 1);
});

test('C11: an API that refuses every token gets two requests, and its answer is returned', async (t) => {
  const { client, server, required } = await makeSignedInStage(t);
  const challenge = 'DPoP error="invalid_token"';
  server.apiAnswers = Array.from({ length: 10 }, () => ({ status: 401, challenge }));
  const response = await client.fetch(`${server.origin}/api`);
  assert.equal(response.status, 401);
  assert.equal(server.count('/api'), 2);
  assert.equal(server.count('/token', 'refresh_token'), 1);
  assert.deepEqual(required, []);
});

test('the nonce of an API is answered once and remembered for its origin (RFC 9449 section 9)', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.apiNonce = 'n1';
  assert.equal((await client.fetch(`${server.origin}/api`)).status, 200);
  assert.equal(server.count('/api'), 2);
  assert.equal((await client.fetch(`${server.origin}/api`)).status, 200);
  assert.equal(server.count('/api'), 3);
  assert.equal(server.count('/token', 'refresh_token'), 0);
});

test('an expired token and a nonce are both mended in one call', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.expireAccessTokens();
  server.apiNonce = 'n1';
  assert.equal((await client.fetch(`${server.origin}/api`)).status, 200);
  assert.equal(server.count('/token', 'refresh_token'), 1);
});

test('an API whose nonces nobody can catch up with gets at most four requests', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.rotatesApiNonce = true;
  const response = await client.fetch(`${server.origin}/api`);
  assert.equal(response.status, 401);
  assert.ok(server.count('/api') <= 4);
  assert.ok(server.count('/token', 'refresh_token') <= 1);
});

test('A21: insufficient_scope is the app’s to see', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.apiAnswers = [{ status: 403, challenge: 'DPoP error="insufficient_scope"' }];
  assert.equal((await client.fetch(`${server.origin}/api`)).status, 403);
  assert.equal(server.count('/api'), 1);
});

const bodies: [name: string, make: () => BodyInit][] = [
  ['text', () => 'hello'],
  ['a buffer', () => new TextEncoder().encode('hello')],
  ['a blob', () => new Blob(['hello'])],
  ['a form', () => new URLSearchParams({ hello: '1' })],
];

for (const [name, make] of bodies) {
  test(`a body that is ${name} is sent again`, async (t) => {
    const { client, server } = await makeSignedInStage(t);
    server.expireAccessTokens();
    const response = await client.fetch(`${server.origin}/api`, { method: 'PUT', body: make() });
    assert.match(((await response.json()) as { body: string }).body, /^hello/);
    assert.equal(server.count('/api'), 2);
  });
}

test('a Request with a body is sent again too, and stays usable', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.expireAccessTokens();
  const response = await client.fetch(new Request(`${server.origin}/api`, { method: 'POST', body: 'hello' }));
  assert.equal(((await response.json()) as { body: string }).body, 'hello');
});

const stream = () => new Blob(['hello']).stream();

test('a stream is sent once; asked for it again, the client is ready and says body_not_replayable', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.expireAccessTokens();
  const send = () => client.fetch(`${server.origin}/api`, { method: 'POST', body: stream(), duplex: 'half' });
  await assert.rejects(send(), { code: 'body_not_replayable' });
  assert.equal(server.count('/api'), 1);
  assert.equal((await send()).status, 200, 'the token was refreshed meanwhile');
});

test('a stream that is accepted at once just works', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const response = await client.fetch(`${server.origin}/api`, { method: 'POST', body: stream(), duplex: 'half' });
  assert.equal(((await response.json()) as { body: string }).body, 'hello');
});

const strangers: [url: string, code: string][] = [
  ['https://evil.example/api', 'origin_not_allowed'],
  ['http://127.0.0.1:1/api', 'origin_not_allowed'],
  ['https://api.example.com.evil.example/', 'origin_not_allowed'],
  ['http://api.example.com/', 'insecure_url'],
];

for (const [url, code] of strangers) {
  test(`the token is not sent to ${url}: ${code}`, async (t) => {
    const reached: string[] = [];
    const { client } = await makeSignedInStage(t, {
      apiOrigins: ['https://api.example.com'],
      runtime: {
        fetch: (input, init) => {
          reached.push(String(input instanceof Request ? input.url : input));
          return globalThis.fetch(input, init);
        },
      },
    });
    await assert.rejects(client.fetch(url), { code });
    assert.ok(!reached.includes(url));
  });
}

test('resources that are addresses may receive the token; opaque ones add nothing', async (t) => {
  const { client } = await makeSignedInStage(t, { resource: ['https://api.example.com/v1', 'urn:example:api'] });
  await client.authorize('GET', new URL('https://api.example.com/orders'));
  await assert.rejects(client.authorize('GET', new URL('https://other.example/')), { code: 'origin_not_allowed' });
});

test('fetch can be handed to a library without its client', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const { fetch } = client;
  assert.equal((await fetch(`${server.origin}/api`)).status, 200);
});

test('a network failure at the API is what fetch throws, and no reason to refresh', async (t) => {
  const { client, server } = await makeSignedInStage(t, { apiOrigins: ['http://127.0.0.1:9'] });
  await assert.rejects(client.fetch('http://127.0.0.1:9/'), TypeError);
  assert.equal(server.count('/token', 'refresh_token'), 0);
});

test('a call that is aborted ends at once, also while its token is refreshed, and the refresh helps the next', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.expireAccessTokens();
  const held = server.holdToken();
  const abort = new AbortController();
  const call = client.fetch(`${server.origin}/api`, { signal: abort.signal });
  await held.isAsked();
  abort.abort(new Error('the user left'));
  await assert.rejects(call, /the user left/);
  held.release();
  assert.equal((await client.fetch(`${server.origin}/api`)).status, 200);
  assert.equal(server.count('/token', 'refresh_token'), 1);
});

test('a call that was aborted before it began asks nobody', async (t) => {
  const { client, server, pass } = await makeSignedInStage(t);
  pass(5000);
  await assert.rejects(client.fetch(`${server.origin}/api`, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(server.count('/token', 'refresh_token'), 0);
  assert.equal(server.count('/api'), 0);
});
