import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { makeStage, redirect_uri } from '../../testing/signed-in-client.ts';

test('C9: a request carries PKCE S256, state and nonce, and keeps their secrets here', async (t) => {
  const { client, server } = await makeStage(t, { scope: 'openid profile' });
  const { url, pending } = await client.createAuthorizationRequest(redirect_uri);
  const sent = Object.fromEntries(url.searchParams);
  assert.equal(url.origin + url.pathname, `${server.origin}/authorize`);
  assert.deepEqual(sent, {
    response_type: 'code',
    client_id: 'web',
    redirect_uri,
    scope: 'openid profile',
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: createHash('sha256').update(pending.code_verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  assert.match(pending.code_verifier, /^[A-Za-z0-9_-]{43}$/);
  assert.ok(!url.href.includes(pending.code_verifier));
});

test('no two requests share a secret', async (t) => {
  const { client } = await makeStage(t);
  const one = (await client.createAuthorizationRequest(redirect_uri)).pending;
  const two = (await client.createAuthorizationRequest(redirect_uri)).pending;
  const secrets = [one, two].flatMap(({ state, nonce, code_verifier }) => [state, nonce, code_verifier]);
  assert.equal(new Set(secrets).size, 6);
});

test('everything an app may ask for is passed on by its name', async (t) => {
  const { client } = await makeStage(t, { resource: 'https://ignored.example' });
  const { url } = await client.createAuthorizationRequest(redirect_uri, {
    resource: ['https://a.example', 'https://b.example'],
    prompt: 'login',
    max_age: 0,
    login_hint: 'alice@example.com',
    ui_locales: 'de en',
    acr_values: 'high',
    extraParameters: { audience_hint: 'x' },
  });
  const { searchParams } = url;
  assert.deepEqual(searchParams.getAll('resource'), ['https://a.example', 'https://b.example']);
  assert.equal(searchParams.get('prompt'), 'login');
  assert.equal(searchParams.get('max_age'), '0');
  assert.equal(searchParams.get('login_hint'), 'alice@example.com');
  assert.equal(searchParams.get('ui_locales'), 'de en');
  assert.equal(searchParams.get('acr_values'), 'high');
  assert.equal(searchParams.get('audience_hint'), 'x');
});

for (const name of [
  'state',
  'nonce',
  'redirect_uri',
  'code_challenge_method',
  'response_type',
  'client_id',
  'request_uri',
]) {
  test(`extra parameters cannot override ${name}`, async (t) => {
    const { client } = await makeStage(t);
    const extraParameters = { [name]: 'attacker' };
    await assert.rejects(client.createAuthorizationRequest(redirect_uri, { extraParameters }), TypeError);
  });
}

test('without the openid scope no nonce is sent, because nothing could carry it back', async (t) => {
  const { client } = await makeStage(t, { scope: 'orders:read' });
  const { url, pending } = await client.createAuthorizationRequest(redirect_uri);
  assert.equal(url.searchParams.has('nonce'), false);
  assert.equal(pending.nonce, undefined);
});

test('the query of the authorization endpoint itself is kept (RFC 6749 section 3.1)', async (t) => {
  const { client, server } = await makeStage(t);
  server.metadata = { authorization_endpoint: `${server.origin}/authorize?tenant=7` };
  const { url } = await client.createAuthorizationRequest(redirect_uri);
  assert.equal(url.searchParams.get('tenant'), '7');
  assert.equal(url.searchParams.get('client_id'), 'web');
});

test('B16: a redirect_uri over plain http is refused', async (t) => {
  const { client } = await makeStage(t);
  await assert.rejects(client.createAuthorizationRequest('http://app.example/callback'), { code: 'insecure_url' });
});

const badMetadata: [name: string, metadata: Record<string, unknown>, code: string][] = [
  ['of another issuer', { issuer: 'https://evil.example' }, 'invalid_response'],
  ['with an endpoint over plain http', { token_endpoint: 'http://auth.example/token' }, 'insecure_url'],
  ['with a revocation endpoint over plain http', { revocation_endpoint: 'http://auth.example/revoke' }, 'insecure_url'],
  ['without token endpoint', { token_endpoint: undefined }, 'invalid_response'],
  ['with an endpoint that is no URL', { end_session_endpoint: '/bye' }, 'invalid_response'],
  ['that offers only PKCE plain', { code_challenge_methods_supported: ['plain'] }, 'invalid_response'],
];

for (const [name, metadata, code] of badMetadata) {
  test(`metadata ${name} is refused: ${code}`, async (t) => {
    const { client, server } = await makeStage(t);
    server.metadata = metadata;
    await assert.rejects(client.createAuthorizationRequest(redirect_uri), { code });
  });
}

test('metadata is fetched once, and again after a failure', async (t) => {
  const { client, server } = await makeStage(t);
  server.metadata = { issuer: 'https://evil.example' };
  await assert.rejects(client.createAuthorizationRequest(redirect_uri));
  server.metadata = {};
  await Promise.all([client.createAuthorizationRequest(redirect_uri), client.createAuthorizationRequest(redirect_uri)]);
  assert.equal(server.count('/.well-known/openid-configuration'), 2);
});
