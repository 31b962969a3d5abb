import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as oauth from 'oauth4webapi';
import type { TestBrowser } from '../test-browser.ts';
import { ordersApi, password, secret, startTestServer, type TestServer } from '../test-server.ts';

const insecure = { [oauth.allowInsecureRequests]: true } as const;

/** The strictest of the stock clients: it validates every answer against the specifications and throws for what is not so. */
describe('oauth4webapi, a stock client', () => {
  let test: TestServer;
  let browser: TestBrowser;
  let server: oauth.AuthorizationServer;
  before(async () => {
    test = await startTestServer({ listen: true });
    browser = test.browser();
    const issuer = new URL(test.issuer);
    server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
  });
  after(() => test.close());

  const spa: oauth.Client = { client_id: 'spa' };
  const redirectUri = 'https://spa.example.com/callback';

  async function callback(state: string, verifier: string, nonce: string): Promise<URL> {
    return browser.authorize(
      {
        client_id: 'spa',
        redirect_uri: redirectUri,
        scope: 'openid email orders:read',
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      },
      { username: 'ada', password },
    );
  }

  it('RFC 8414: the metadata at the OAuth place are good too', async () => {
    const issuer = new URL(test.issuer);
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
    const metadata = await oauth.processDiscoveryResponse(issuer, response);
    assert.deepEqual(metadata, server);
    assert.equal(metadata.authorization_response_iss_parameter_supported, true);
  });

  it('A23 RFC 9207 RFC 9449: code with iss, ID token with signature, userinfo, refresh, all bound to a key, nonces followed', async () => {
    const DPoP = oauth.DPoP(spa, await oauth.generateKeyPair('ES256'));
    const [state, verifier, nonce] = [
      oauth.generateRandomState(),
      oauth.generateRandomCodeVerifier(),
      oauth.generateRandomNonce(),
    ];
    const url = await callback(state, verifier, nonce);
    const parameters = oauth.validateAuthResponse(server, spa, url, state);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      spa,
      oauth.None(),
      parameters,
      redirectUri,
      verifier,
      {
        DPoP,
        ...insecure,
      },
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, spa, response, {
      expectedNonce: nonce,
      requireIdToken: true,
      maxAge: 3600,
    });
    await oauth.validateApplicationLevelSignature(server, response, insecure);
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    assert.ok(claims);
    assert.equal(tokens.token_type, 'dpop');

    const info = await oauth.userInfoRequest(server, spa, tokens.access_token, { DPoP, ...insecure });
    const user = await oauth.processUserInfoResponse(server, spa, claims.sub, info);
    assert.equal(user.email, 'ada@example.com');

    const again = await oauth.refreshTokenGrantRequest(server, spa, oauth.None(), tokens.refresh_token as string, {
      DPoP,
      ...insecure,
    });
    const refreshed = await oauth.processRefreshTokenResponse(server, spa, again);
    assert.notEqual(refreshed.refresh_token, tokens.refresh_token);

    const revoked = await oauth.revocationRequest(
      server,
      spa,
      oauth.None(),
      refreshed.refresh_token as string,
      insecure,
    );
    assert.equal(await oauth.processRevocationResponse(revoked), undefined);
    const late = await oauth.refreshTokenGrantRequest(server, spa, oauth.None(), refreshed.refresh_token as string, {
      DPoP,
      ...insecure,
    });
    await assert.rejects(oauth.processRefreshTokenResponse(server, spa, late), { error: 'invalid_grant' });
  });

  it('RFC 9449 8: asked for a nonce the client comes again with it', async () => {
    const DPoP = oauth.DPoP(spa, await oauth.generateKeyPair('ES256'));
    const [state, verifier] = [oauth.generateRandomState(), oauth.generateRandomCodeVerifier()];
    const parameters = oauth.validateAuthResponse(server, spa, await callback(state, verifier, 'n'), state);
    // What the server answers first is swapped for a nonce that has gone stale.
    const withStaleNonce = async (url: string, init?: object) => {
      const answer = await fetch(url, init as RequestInit);
      const headers = new Headers(answer.headers);
      headers.set('dpop-nonce', 'stale');
      return new Response(answer.body, { status: answer.status, headers });
    };
    const redeemed = await oauth.authorizationCodeGrantRequest(
      server,
      spa,
      oauth.None(),
      parameters,
      redirectUri,
      verifier,
      {
        DPoP,
        [oauth.customFetch]: withStaleNonce,
        ...insecure,
      },
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, spa, redeemed, { expectedNonce: 'n' });
    const request = () =>
      oauth.refreshTokenGrantRequest(server, spa, oauth.None(), tokens.refresh_token as string, { DPoP, ...insecure });
    const asked = await oauth
      .processRefreshTokenResponse(server, spa, await request())
      .catch((error: unknown) => error);
    assert.equal(oauth.isDPoPNonceError(asked), true);
    const refreshed = await oauth.processRefreshTokenResponse(server, spa, await request());
    assert.ok(refreshed.refresh_token);
  });

  it('RFC 7662: introspection by a resource server’s client', async () => {
    const api: oauth.Client = { client_id: 'orders-api' };
    const machine: oauth.Client = { client_id: 'machine' };
    const parameters = new URLSearchParams({ scope: 'orders:read', resource: ordersApi });
    const grant = await oauth.clientCredentialsGrantRequest(
      server,
      machine,
      oauth.ClientSecretBasic(secret),
      parameters,
      insecure,
    );
    const tokens = await oauth.processClientCredentialsResponse(server, machine, grant);
    const response = await oauth.introspectionRequest(
      server,
      api,
      oauth.ClientSecretBasic(secret),
      tokens.access_token,
      insecure,
    );
    const told = await oauth.processIntrospectionResponse(server, api, response);
    assert.equal(told.active, true);
    assert.equal(told.aud, ordersApi);
  });

  it('RFC 9068: a resource server validates the access token', async () => {
    const machine: oauth.Client = { client_id: 'machine' };
    const parameters = new URLSearchParams({ scope: 'orders:read' });
    const grant = await oauth.clientCredentialsGrantRequest(
      server,
      machine,
      oauth.ClientSecretBasic(secret),
      parameters,
      insecure,
    );
    const tokens = await oauth.processClientCredentialsResponse(server, machine, grant);
    const request = new Request(ordersApi, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    const claims = await oauth.validateJwtAccessToken(server, request, ordersApi, insecure);
    assert.equal(claims.scope, 'orders:read');
    await assert.rejects(oauth.validateJwtAccessToken(server, request, 'https://other.example.com', insecure));
  });

  it('errors come back as typed errors, with the challenge where there is one', async () => {
    const machine: oauth.Client = { client_id: 'machine' };
    const grant = await oauth.clientCredentialsGrantRequest(
      server,
      machine,
      oauth.ClientSecretBasic('wrong'),
      {},
      insecure,
    );
    await assert.rejects(oauth.processClientCredentialsResponse(server, machine, grant), (error: Error) => {
      assert.ok(error instanceof oauth.WWWAuthenticateChallengeError || error instanceof oauth.ResponseBodyError);
      return true;
    });
    const info = await oauth.userInfoRequest(server, spa, 'x', insecure);
    await assert.rejects(oauth.processUserInfoResponse(server, spa, oauth.skipSubjectCheck, info), (error: Error) => {
      assert.ok(error instanceof oauth.WWWAuthenticateChallengeError);
      assert.equal(error.cause[0]?.scheme, 'bearer');
      assert.equal(error.cause[0]?.parameters.error, 'invalid_token');
      return true;
    });
    const state = oauth.generateRandomState();
    const refused = await browser.authorize({
      client_id: 'spa',
      redirect_uri: redirectUri,
      state,
      code_challenge: 'x',
    });
    assert.throws(() => oauth.validateAuthResponse(server, spa, refused, state), { error: 'invalid_request' });
  });
});
