import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { eventually, withinASecond } from '../../../../tests/eventually.ts';
import { createEdge, type Edge } from '../create-edge.ts';
import type { EdgeOptions } from '../options.ts';
import { DpopClient } from '../testing/dpop-client.ts';
import { TestIssuer } from '../testing/test-issuer.ts';
import type { Refusal, VerifiedAccessToken } from '../verification.ts';

/** A running app of one framework. */
export type RunningApp = { url: string; close: () => Promise<void> };

/**
 * Starts an app of the framework with four things behind the edge: `GET /orders` (scope `orders:read`) and `POST /orders` (scope `orders:write`) that answer
 * `contractBody(token)` as JSON, `GET /v1/nested/orders?…` (no scope) under a router or prefix where the framework has one, and the API's metadata. `GET /health` is not
 * protected. `GET /late` is behind `slowly(edge)`, and answered with 504 by the app's own time limit before the edge has judged.
 */
export type StartApp = (edge: Edge) => Promise<RunningApp>;

/** What a protected route of the contract's app answers. */
export function contractBody(token: VerifiedAccessToken): Record<string, unknown> {
  return { sub: token.subject, scopes: token.scopes, client: token.clientId, session: token.sessionId };
}

/** The same edge, taking its time over every request. */
export function slowly(edge: Edge): Edge {
  return {
    verifyAccessToken: async (request, requirement) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return edge.verifyAccessToken(request, requirement);
    },
    start: () => edge.start(),
    close: () => edge.close(),
    status: () => edge.status(),
    metadata: () => edge.metadata(),
    metadataUrl: edge.metadataUrl,
    publicUrl: edge.publicUrl,
  };
}

type Exchange = { status: number; headers: Record<string, string[]>; body: Record<string, unknown> };
type Sent = {
  method?: string;
  authorization?: string | string[];
  dpop?: string | string[];
  headers?: Record<string, string>;
  body?: string;
};

/** The suite every middleware passes. Rows A19, A21, A22, A25, B1, C10, C17 and D9. */
export function middlewareContract(framework: string, startApp: StartApp): void {
  describe(`the ${framework} middleware`, () => {
    let issuer: TestIssuer;
    let edge: Edge;
    let app: RunningApp;
    let client: DpopClient;
    const refusals: Refusal[] = [];
    const sources: (string | undefined)[] = [];
    const optionsOf = (): EdgeOptions => ({
      issuer: issuer.url,
      audience: issuer.audience,
      clientId: issuer.clientId,
      clientSecret: issuer.clientSecret,
      scopesSupported: ['orders:read', 'orders:write'],
      onNotice: () => {},
      onRefusal: (refusal, request) => {
        refusals.push(refusal);
        sources.push(request.source);
      },
    });

    before(async () => {
      issuer = await TestIssuer.start();
      client = await DpopClient.create();
      edge = createEdge(optionsOf());
      await edge.start();
      app = await startApp(edge);
    });

    after(async () => {
      await app.close();
      await edge.close();
      await issuer.close();
    });

    async function expectRefusal(
      sent: Sent,
      status: number,
      error: string | undefined,
      reason: string,
      path = '/orders',
    ): Promise<Exchange> {
      const answer = await send(app.url, path, sent);
      const refusal = refusals.at(-1);
      assert.equal(answer.status, status, `${reason}: ${JSON.stringify(answer.body)}`);
      assert.equal(answer.body.error, error, reason);
      assert.equal(refusal?.reason, reason);
      assert.deepEqual(answer.headers['tessera-refusal-id'], [refusal?.id]);
      assert.equal(answer.body.refusal_id, refusal?.id);
      if (error) assert.match(String(answer.headers['www-authenticate']), new RegExp(`error="${error}"`));
      assert.match(String(answer.headers['content-type']), /^application\/json/);
      return answer;
    }

    test('A19: a good token passes and the handler sees whose it is', async () => {
      const answer = await send(app.url, '/orders', { authorization: `Bearer ${await issuer.accessToken()}` });
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.body, { sub: 'user-1', scopes: ['orders:read'], client: 'web', session: 'sid-1' });
    });

    test('RFC 9110 section 11.1: the name of the scheme is read in any case', async () => {
      const answer = await send(app.url, '/orders', { authorization: `bearer ${await issuer.accessToken()}` });
      assert.equal(answer.status, 200);
    });

    test('a route that is not protected asks for nothing', async () => {
      assert.equal((await send(app.url, '/health')).status, 200);
    });

    test('RFC 6750 section 3: no credentials, no error code, both schemes offered, metadata named', async () => {
      const answer = await expectRefusal({}, 401, undefined, 'token_missing');
      const challenges = answer.headers['www-authenticate']?.flatMap((value) => value.split(/, (?=DPoP )/));
      assert.deepEqual(challenges, [
        'Bearer scope="orders:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"',
        'DPoP scope="orders:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", algs="ES256 ES384 RS256 PS256 EdDSA Ed25519"',
      ]);
      assert.equal(sources.at(-1)?.includes('127.0.0.1'), true);
    });

    test('B1: a token in the URL is refused, also beside a good header and in disguise', async () => {
      const token = await issuer.accessToken();
      for (const path of [`/orders?access_token=${token}`, `/orders?a=1&access%5Ftoken=${token}`])
        for (const sent of [{}, { authorization: `Bearer ${token}` }])
          await expectRefusal(sent, 400, 'invalid_request', 'token_in_query', path);
    });

    test('a token in a form body counts for nothing', async () => {
      const token = await issuer.accessToken({ scope: 'orders:write' });
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      await expectRefusal({ method: 'POST', headers, body: `access_token=${token}` }, 401, undefined, 'token_missing');
    });

    test('C10: bad tokens, each refused with the standard challenge', async () => {
      const now = issuer.now();
      const good = await issuer.accessToken();
      const [head, payload, signature] = good.split('.') as [string, string, string];
      const cases: [name: string, token: string, reason: string][] = [
        ['malformed', 'not-a-jwt', 'token_malformed'],
        [
          'badly signed',
          `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
          'token_signature_wrong',
        ],
        ['expired', await issuer.accessToken({ iat: now - 100, nbf: now - 100, exp: now - 6 }), 'token_expired'],
        ['not yet valid', await issuer.accessToken({ nbf: now + 60 }), 'token_not_yet_valid'],
        [
          'A22: for another API',
          await issuer.accessToken({ aud: 'https://other.example.com' }),
          'token_audience_wrong',
        ],
        ['of another issuer', await issuer.accessToken({ iss: 'https://evil.example.com' }), 'token_issuer_wrong'],
        ['C17: an ID token', await issuer.accessToken({}, { typ: 'JWT' }), 'token_type_wrong'],
      ];
      for (const [name, token, reason] of cases) {
        const answer = await expectRefusal({ authorization: `Bearer ${token}` }, 401, 'invalid_token', reason);
        assert.equal(
          JSON.stringify(answer.body).includes(reason),
          false,
          `${name}: the wire does not learn the reason`,
        );
      }
    });

    test('two Authorization headers, another scheme, no token after the scheme', async () => {
      const token = await issuer.accessToken();
      await expectRefusal(
        { authorization: [`Bearer ${token}`, `Bearer ${token}`] },
        400,
        'invalid_request',
        'malformed_request',
      );
      await expectRefusal({ authorization: `Bearer ${token} ${token}` }, 400, 'invalid_request', 'malformed_request');
      await expectRefusal({ authorization: 'Bearer' }, 400, 'invalid_request', 'malformed_request');
      await expectRefusal({ authorization: 'Basic YTpi' }, 401, undefined, 'token_missing');
    });

    test('A21: a missing scope is 403 and names the scope that is needed', async () => {
      const authorization = `Bearer ${await issuer.accessToken()}`;
      const answer = await expectRefusal({ method: 'POST', authorization }, 403, 'insufficient_scope', 'scope_missing');
      assert.match(String(answer.headers['www-authenticate']), /scope="orders:write"/);
      const write = `Bearer ${await issuer.accessToken({ scope: 'orders:write' })}`;
      assert.equal((await send(app.url, '/orders', { method: 'POST', authorization: write })).status, 200);
    });

    test('A13: a revoked session is refused within a second, with the same token that just passed', async () => {
      let ended = 0;
      await withinASecond(async () => {
        const sid = `sid-to-end-${ended++}`;
        const authorization = `Bearer ${await issuer.accessToken({ sid })}`;
        assert.equal((await send(app.url, '/orders', { authorization })).status, 200);
        issuer.endSession(sid);
        const tookMs = await eventually(async () => (await send(app.url, '/orders', { authorization })).status !== 200);
        await expectRefusal({ authorization }, 401, 'invalid_token', 'session_ended');
        assert.equal(refusals.at(-1)?.about?.sessionId, sid);
        return tookMs;
      });
    });

    test('RFC 9449 section 7: a bound token needs its scheme, its key and a proof for this very request', async () => {
      const accessToken = await issuer.accessToken({ cnf: { jkt: client.jkt } });
      const authorization = `DPoP ${accessToken}`;
      const request = { method: 'GET', url: `${app.url}/orders`, accessToken, now: issuer.now() };
      const dpop = await client.proof(request);
      assert.equal((await send(app.url, '/orders?page=2', { authorization, dpop })).status, 200);
      await expectRefusal({ authorization, dpop }, 401, 'invalid_dpop_proof', 'dpop_replayed');
      assert.equal(refusals.at(-1)?.firstSource?.includes('127.0.0.1'), true);
      await expectRefusal(
        { authorization: `Bearer ${accessToken}`, dpop: await client.proof(request) },
        401,
        'invalid_token',
        'dpop_missing',
      );
      await expectRefusal({ authorization }, 401, 'invalid_dpop_proof', 'dpop_missing');
      const wrong = await client.proof({ ...request, url: `${app.url}/other` });
      await expectRefusal({ authorization, dpop: wrong }, 401, 'invalid_dpop_proof', 'dpop_invalid');
      const twice = [await client.proof(request), await client.proof(request)];
      await expectRefusal({ authorization, dpop: twice }, 401, 'invalid_dpop_proof', 'dpop_invalid');
      const thief = await DpopClient.create();
      const answer = await expectRefusal(
        { authorization, dpop: await thief.proof(request) },
        401,
        'invalid_token',
        'dpop_key_mismatch',
      );
      assert.match(String(answer.headers['www-authenticate']), /^DPoP .*algs="ES256 /);
    });

    test('a route under a prefix is judged by its whole path', async () => {
      const accessToken = await issuer.accessToken({ cnf: { jkt: client.jkt } });
      const url = `${app.url}/v1/nested/orders`;
      const dpop = await client.proof({ method: 'GET', url, accessToken, now: issuer.now() });
      assert.equal(
        (await send(app.url, '/v1/nested/orders?x=1', { authorization: `DPoP ${accessToken}`, dpop })).status,
        200,
      );
    });

    test('a route with a requirement of its own, under a router that is protected too, does not take the proof for a replay', async () => {
      const url = `${app.url}/v1/nested/reports`;
      const proven = async (scope: string) => {
        const accessToken = await issuer.accessToken({ cnf: { jkt: client.jkt }, scope });
        const dpop = await client.proof({ method: 'GET', url, accessToken, now: issuer.now() });
        return { authorization: `DPoP ${accessToken}`, dpop };
      };
      const sent = await proven('orders:read');
      assert.equal((await send(app.url, '/v1/nested/reports', sent)).status, 200);
      await expectRefusal(sent, 401, 'invalid_dpop_proof', 'dpop_replayed', '/v1/nested/reports');
      const path = '/v1/nested/reports';
      await expectRefusal(await proven('orders:write'), 403, 'insufficient_scope', 'scope_missing', path);
    });

    test('D9: RFC 9728 metadata is open to anyone, from any origin', async () => {
      const answer = await send(app.url, '/.well-known/oauth-protected-resource');
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.headers['access-control-allow-origin'], ['*']);
      assert.deepEqual(answer.body, {
        resource: 'https://api.example.com',
        authorization_servers: [issuer.url],
        bearer_methods_supported: ['header'],
        scopes_supported: ['orders:read', 'orders:write'],
        dpop_signing_alg_values_supported: ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
      });
    });

    test('RFC 3986 section 6.2.2: another spelling of the metadata path is no failure of the API', async () => {
      for (const path of ['/.well-known/oauth%2Dprotected-resource', '/%2Ewell-known/oauth-protected-resource'])
        assert.ok((await send(app.url, path)).status < 500, path);
    });

    test('an app that answered by itself while the edge judged is left alone', async (t) => {
      const failures: unknown[] = [];
      const complaints = t.mock.method(console, 'error', () => {});
      const note = (error: unknown) => failures.push(error);
      process.on('unhandledRejection', note);
      try {
        for (const authorization of [undefined, `Bearer ${await issuer.accessToken()}`]) {
          const answer = await send(app.url, '/late', authorization === undefined ? {} : { authorization });
          assert.equal(answer.status, 504);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        assert.deepEqual(failures, []);
        assert.equal(complaints.mock.callCount(), 0);
        assert.equal((await send(app.url, '/health')).status, 200);
      } finally {
        process.off('unhandledRejection', note);
      }
    });

    test('behind a proxy the proof names the public URL, and forwarded headers are never believed', async () => {
      const behind = createEdge({ ...optionsOf(), publicUrl: 'https://public.example.com/api' });
      await behind.start();
      const proxied = await startApp(behind);
      try {
        const accessToken = await issuer.accessToken({ cnf: { jkt: client.jkt } });
        const authorization = `DPoP ${accessToken}`;
        const request = { method: 'GET', url: 'https://public.example.com/api/orders', accessToken, now: issuer.now() };
        assert.equal(
          (await send(proxied.url, '/orders', { authorization, dpop: await client.proof(request) })).status,
          200,
        );
        const headers = {
          'x-forwarded-host': 'evil.example.com',
          'x-forwarded-proto': 'https',
          forwarded: 'host=evil.example.com;proto=https',
        };
        const dpop = await client.proof({ ...request, url: 'https://evil.example.com/orders' });
        for (const url of [proxied.url, app.url])
          assert.equal((await send(url, '/orders', { authorization, dpop, headers })).status, 401);
      } finally {
        await proxied.close();
        await behind.close();
      }
    });

    test('server nonces: asked for, then accepted', async () => {
      const strict = createEdge({ ...optionsOf(), dpop: { nonces: true } });
      await strict.start();
      const nonced = await startApp(strict);
      try {
        const accessToken = await issuer.accessToken({ cnf: { jkt: client.jkt } });
        const authorization = `DPoP ${accessToken}`;
        const request = { method: 'GET', url: `${nonced.url}/orders`, accessToken, now: issuer.now() };
        const asked = await send(nonced.url, '/orders', { authorization, dpop: await client.proof(request) });
        assert.equal(asked.status, 401);
        assert.equal(asked.body.error, 'use_dpop_nonce');
        const [nonce] = asked.headers['dpop-nonce'] ?? [];
        const dpop = await client.proof(request, { nonce });
        assert.equal((await send(nonced.url, '/orders', { authorization, dpop })).status, 200);
      } finally {
        await nonced.close();
        await strict.close();
      }
    });
  });
}

/** One request, with headers repeated where a list is given, which `fetch` cannot do. */
async function send(base: string, path: string, sent: Sent = {}): Promise<Exchange> {
  const { method = 'GET', authorization, dpop, headers, body } = sent;
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${base}${path}`, { method, agent: false, headers: { ...headers } });
    if (authorization !== undefined) request.setHeader('authorization', authorization);
    if (dpop !== undefined) request.setHeader('dpop', dpop);
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        const fields = response.headersDistinct as Record<string, string[]>;
        resolve({
          status: response.statusCode ?? 0,
          headers: fields,
          body: text.startsWith('{') ? JSON.parse(text) : {},
        });
      });
    });
    request.end(body);
  });
}
