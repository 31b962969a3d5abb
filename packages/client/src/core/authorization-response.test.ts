import assert from 'node:assert/strict';
import test from 'node:test';
import { makeStage, redirect_uri, type Stage, signIn } from '../../testing/signed-in-client.ts';
import { memoryDpopKeys } from './dpop-keys.ts';

test('C17: a sign-in yields DPoP-bound tokens and the user of a validated ID token', async (t) => {
  const stage = await makeStage(t);
  await signIn(stage);
  const tokens = await stage.client.getTokens();
  assert.equal(tokens?.token_type, 'DPoP');
  assert.equal((tokens?.expiresAt ?? 0) - (tokens?.receivedAt ?? 0), 900);
  const user = await stage.client.getUser();
  assert.equal(user?.sub, 'alice');
  assert.equal(user?.name, 'Alice');
  assert.deepEqual(stage.changes, ['signed_in']);
  assert.equal(stage.server.count('/jwks'), 1, 'the signature was checked');
});

test('the token request carries verifier and redirect_uri and no secret', async (t) => {
  const stage = await makeStage(t);
  await signIn(stage);
  const body = stage.server.last('/token')?.body;
  assert.deepEqual([...(body?.keys() ?? [])].sort(), [
    'client_id',
    'code',
    'code_verifier',
    'grant_type',
    'redirect_uri',
  ]);
});

test('a nonce asked for at the token endpoint is answered at once and remembered', async (t) => {
  const stage = await makeStage(t);
  stage.server.tokenNonce = 'n1';
  await signIn(stage);
  assert.equal(stage.server.count('/token'), 2);
  await stage.client.refresh();
  assert.equal(stage.server.count('/token'), 3, 'the second request knew the nonce');
});

type Attack = {
  name: string;
  code: string;
  error?: string;
  arrange(server: Stage['server']): unknown;
  parameters?: object;
  tokenRequests: number;
};

const attacks: Attack[] = [
  {
    name: 'a forged state (RFC 6749 section 10.12)',
    code: 'state_mismatch',
    tokenRequests: 0,
    arrange: (server) => Object.assign(server, { responseParameters: { state: 'forged' } }),
  },
  {
    name: 'a missing state',
    code: 'state_mismatch',
    tokenRequests: 0,
    arrange: (server) => Object.assign(server, { responseParameters: { state: undefined } }),
  },
  {
    name: 'another issuer (RFC 9207: mix-up)',
    code: 'issuer_mismatch',
    tokenRequests: 0,
    arrange: (server) => Object.assign(server, { responseParameters: { iss: 'https://evil.example' } }),
  },
  {
    name: 'another issuer from a server that does not say it names itself (RFC 9207 section 2.4)',
    code: 'issuer_mismatch',
    tokenRequests: 0,
    arrange: (server) =>
      Object.assign(server, {
        metadata: { authorization_response_iss_parameter_supported: undefined },
        responseParameters: { iss: 'https://evil.example' },
      }),
  },
  {
    name: 'no issuer from a server that always names itself',
    code: 'issuer_mismatch',
    tokenRequests: 0,
    arrange: (server) => Object.assign(server, { responseParameters: { iss: undefined } }),
  },
  {
    name: 'an error of the user',
    code: 'authorization_refused',
    error: 'access_denied',
    tokenRequests: 0,
    arrange: (server) => Object.assign(server, { responseParameters: { code: undefined, error: 'access_denied' } }),
  },
  {
    name: 'neither code nor error',
    code: 'invalid_response',
    tokenRequests: 0,
    arrange: (server) => Object.assign(server, { responseParameters: { code: undefined } }),
  },
  {
    name: 'a code of somebody else (section 4.5 of RFC 9700: injection)',
    code: 'authorization_refused',
    error: 'invalid_grant',
    tokenRequests: 1,
    arrange: (server) => Object.assign(server, { responseParameters: { code: 'stolen' } }),
  },
  {
    name: 'a bearer token although a proof was sent',
    code: 'dpop_not_bound',
    tokenRequests: 1,
    arrange: (server) => void server.failures.push('bearer'),
  },
  {
    name: 'an ID token with another nonce',
    code: 'invalid_id_token',
    tokenRequests: 1,
    arrange: (server) => Object.assign(server, { idTokenClaims: { nonce: 'replayed' } }),
  },
  {
    name: 'an ID token without nonce',
    code: 'invalid_id_token',
    tokenRequests: 1,
    arrange: (server) => Object.assign(server, { idTokenClaims: { nonce: undefined } }),
  },
  {
    name: 'an ID token for another client',
    code: 'invalid_id_token',
    tokenRequests: 1,
    arrange: (server) => Object.assign(server, { idTokenClaims: { aud: 'other' } }),
  },
  {
    name: 'an ID token for several clients without azp',
    code: 'invalid_id_token',
    tokenRequests: 1,
    arrange: (server) => Object.assign(server, { idTokenClaims: { aud: ['web', 'other'] } }),
  },
  {
    name: 'an ID token of another issuer',
    code: 'invalid_id_token',
    tokenRequests: 1,
    arrange: (server) => Object.assign(server, { idTokenClaims: { iss: 'https://evil.example' } }),
  },
  {
    name: 'an expired ID token',
    code: 'invalid_id_token',
    tokenRequests: 1,
    arrange: (server) => Object.assign(server, { idTokenClaims: { exp: 1000 } }),
  },
  {
    name: 'an older sign-in than max_age allows',
    code: 'invalid_id_token',
    tokenRequests: 1,
    parameters: { max_age: 60 },
    arrange: () => undefined,
  },
  {
    name: 'an ID token signed by somebody else',
    code: 'invalid_id_token',
    tokenRequests: 1,
    arrange: (server) => void server.useStrangersKey(),
  },
  {
    name: 'an ID token signed with an algorithm the server does not offer',
    code: 'invalid_id_token',
    tokenRequests: 1,
    arrange: (server) => Object.assign(server, { metadata: { id_token_signing_alg_values_supported: ['RS256'] } }),
  },
  {
    name: 'a page of a captive portal',
    code: 'invalid_response',
    tokenRequests: 1,
    arrange: (server) => void server.failures.push('html'),
  },
];

for (const { name, code, error, arrange, parameters, tokenRequests } of attacks) {
  test(`an authorization response with ${name} signs nobody in: ${code}`, async (t) => {
    const stage = await makeStage(t);
    arrange(stage.server);
    await assert.rejects(signIn(stage, parameters), { code, error });
    assert.equal(await stage.client.getTokens(), undefined);
    assert.equal(stage.server.count('/token'), tokenRequests);
    assert.deepEqual(stage.changes, []);
  });
}

test('an answer to a sign-in begun with another issuer, before a deployment changed it, is not redeemed here', async (t) => {
  const { client, server } = await makeStage(t);
  const { url, pending } = await client.createAuthorizationRequest(redirect_uri);
  const back = await server.approve(url);
  const elsewhere = { ...pending, issuer: 'https://former.example' };
  await assert.rejects(client.redeemAuthorizationResponse(elsewhere, back.searchParams), { code: 'issuer_mismatch' });
  assert.equal(server.count('/token'), 0);
});

test('signing in again leaves no key of the earlier sign-in behind', async (t) => {
  const keys = memoryDpopKeys();
  const stage = await makeStage(t, { dpopKeys: keys });
  await signIn(stage);
  const first = (await stage.client.getTokens())?.keyId ?? '';
  assert.ok(await keys.load(first));
  await signIn(stage);
  assert.equal(await keys.load(first), undefined);
});

test('a parameter given twice is not accepted (RFC 6749 section 3.1)', async (t) => {
  const { client, server } = await makeStage(t);
  const { url, pending } = await client.createAuthorizationRequest(redirect_uri);
  const back = await server.approve(url);
  back.searchParams.append('state', 'second');
  await assert.rejects(client.redeemAuthorizationResponse(pending, back.searchParams), { code: 'state_mismatch' });
});

test('max_age is met by a fresh sign-in', async (t) => {
  const stage = await makeStage(t);
  stage.server.idTokenClaims = { auth_time: 1_900_000_000 - 10 };
  await signIn(stage, { max_age: 60 });
  assert.equal((await stage.client.getUser())?.sub, 'alice');
});

test('a redemption whose answer never comes fails as network, and what the server says about it stays out of the error', async (t) => {
  const stage = await makeStage(t, { retry: { attempts: 2 } });
  stage.server.failures = ['lost_before', 'lost_before'];
  await assert.rejects(signIn(stage), { code: 'network' });
});

test('useBearerTokens sends no proof and keeps bearer tokens', async (t) => {
  const stage = await makeStage(t, { useBearerTokens: true });
  await signIn(stage);
  assert.equal(stage.server.last('/token')?.headers.dpop, undefined);
  assert.equal((await stage.client.getTokens())?.token_type, 'Bearer');
  const response = await stage.client.fetch(`${stage.server.origin}/api`);
  assert.equal(response.status, 200);
});

test('a sign-in that fails leaves an earlier one as it was', async (t) => {
  const stage = await makeStage(t);
  await signIn(stage);
  const before = await stage.client.getTokens();
  stage.server.idTokenClaims = { aud: 'other' };
  await assert.rejects(signIn(stage), { code: 'invalid_id_token' });
  assert.deepEqual(await stage.client.getTokens(), before);
  assert.equal((await stage.client.fetch(`${stage.server.origin}/api`)).status, 200);
});
