import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import * as client from 'openid-client';
import type { TestBrowser } from '../test-browser.ts';
import { ordersApi, password, secret, startTestServer, type TestServer, testConfig } from '../test-server.ts';

const signing = await generateKeyPair('ES256', { extractable: true });
const { clients: declared = [] } = testConfig('http://localhost:8080');
const clients = [
  ...declared,
  {
    client_id: 'signs',
    jwks: { keys: [{ ...(await exportJWK(signing.publicKey)), kid: 'one', alg: 'ES256' }] },
    redirect_uris: ['https://signs.example.com/callback'],
    scope: 'openid orders:read',
    consent: 'skip' as const,
  },
];

/** Our own assertions check little here: the library refuses whatever is not as the specifications say. */
describe('openid-client, a stock client', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer({ listen: true, config: { clients } });
    browser = test.browser();
  });
  after(() => test.close());

  const discover = (clientId: string, authentication?: client.ClientAuth) =>
    client.discovery(new URL(test.issuer), clientId, undefined, authentication, {
      execute: [client.allowInsecureRequests],
    });

  async function signIn(config: client.Configuration, clientId: string, options?: client.DPoPOptions) {
    const verifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const nonce = client.randomNonce();
    const parameters = {
      redirect_uri: `https://${clientId}.example.com/callback`,
      scope: 'openid orders:read',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    };
    const url = client.buildAuthorizationUrl(config, parameters);
    const callback = await browser.authorize(Object.fromEntries(url.searchParams), { username: 'ada', password });
    return client.authorizationCodeGrant(
      config,
      callback,
      { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
      undefined,
      options,
    );
  }

  it('A23 code + PKCE, userinfo, refresh, introspection and revocation by a confidential client', async () => {
    const config = await discover('web', client.ClientSecretBasic(secret));
    const tokens = await signIn(config, 'web');
    const claims = tokens.claims();
    assert.ok(claims?.sub);
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, claims.sub)).sub, claims.sub);
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token as string);
    assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
    assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, true);
    await client.tokenRevocation(config, refreshed.refresh_token as string);
    assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, false);
    await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token as string), {
      error: 'invalid_grant',
    });
  });

  it('A23 a public client with DPoP, whose proofs follow the nonces it is given', async () => {
    const config = await discover('spa', client.None());
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const tokens = await signIn(config, 'spa', { DPoP });
    assert.equal(tokens.token_type, 'dpop');
    const sub = tokens.claims()?.sub as string;
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).sub, sub);
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token as string, undefined, { DPoP });
    assert.ok(refreshed.refresh_token);
    const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    await assert.rejects(
      client.refreshTokenGrant(config, refreshed.refresh_token as string, undefined, { DPoP: other }),
      { error: 'invalid_grant' },
    );
  });

  it('private_key_jwt for code, refresh and introspection', async () => {
    const config = await discover('signs', client.PrivateKeyJwt({ key: signing.privateKey, kid: 'one' }));
    const tokens = await signIn(config, 'signs');
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token as string);
    assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, true);
  });

  it('C1 client credentials, by header and with a resource', async () => {
    const config = await discover('machine', client.ClientSecretBasic(secret));
    const tokens = await client.clientCredentialsGrant(config, { scope: 'orders:read', resource: ordersApi });
    assert.equal(tokens.scope, 'orders:read');
    assert.equal(tokens.expires_in, 900);
  });

  it('prompt=none without a session comes back as the library’s typed error', async () => {
    const config = await discover('spa', client.None());
    const state = client.randomState();
    const verifier = client.randomPKCECodeVerifier();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: 'https://spa.example.com/callback',
      scope: 'openid',
      prompt: 'none',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
    });
    const callback = await test.browser().authorize(Object.fromEntries(url.searchParams));
    await assert.rejects(
      client.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: state }),
      { error: 'login_required' },
    );
  });

  it('A17 the end-session address signs out and leads back', async () => {
    const config = await discover('spa', client.None());
    const tokens = await signIn(config, 'spa');
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token as string,
      post_logout_redirect_uri: 'https://spa.example.com/',
      state: 'bye',
    });
    assert.equal((await browser.go(url.href)).url, 'https://spa.example.com/?state=bye');
    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token as string), { error: 'invalid_grant' });
  });
});
