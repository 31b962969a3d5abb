import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import {
  basic,
  introspect,
  password,
  pkce,
  secret,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const odd = 'a:b%c+d"';
const oddSecret = `${secret}:%+&=`;
const keys = await Promise.all(['ES256', 'ES256', 'RS256'].map((alg) => generateKeyPair(alg, { extractable: true })));
const [own, others, rsa] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]];
const [ownJwk, othersJwk, rsaJwk] = await Promise.all(keys.map((pair) => exportJWK(pair.publicKey)));

const { clients: declared = [] } = testConfig('http://localhost:8080');
const machineLike = { grant_types: ['client_credentials' as const], scope: 'orders:read' };
const clients = [
  ...declared,
  {
    client_id: 'posts',
    client_secret: secret,
    token_endpoint_auth_method: 'client_secret_post' as const,
    ...machineLike,
  },
  { client_id: odd, client_secret: oddSecret, ...machineLike },
  { client_id: 'off', client_secret: secret, disabled: true, ...machineLike },
  {
    client_id: 'signs',
    jwks: {
      keys: [
        { ...ownJwk, kid: 'one' },
        { ...rsaJwk, kid: 'two' },
      ],
    },
    ...machineLike,
  },
  { client_id: 'signs-too', jwks: { keys: [{ ...othersJwk, kid: 'one' }] }, ...machineLike },
];

describe('client authentication', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer({
      config: { clients, throttle: { client: { failures: 1000 }, source: { failures: 5000 } } } as never,
    });
  });
  after(() => test.close());

  const form = { grant_type: 'client_credentials' };
  const ask = (more: Record<string, string>, headers: Record<string, string> = {}) =>
    test.post('/token', { ...form, ...more }, headers);

  async function assertion(
    options: { key?: CryptoKey; alg?: string; header?: object; sub?: string } & Record<string, unknown> = {},
  ): Promise<Record<string, string>> {
    const { key = own.privateKey, alg = 'ES256', header = { kid: 'one' }, ...claims } = options;
    const payload = {
      iss: claims.sub ?? 'signs',
      sub: 'signs',
      aud: test.issuer,
      jti: randomUUID(),
      iat: test.now(),
      exp: test.now() + 60,
      ...claims,
    };
    const jwt = await new SignJWT(JSON.parse(JSON.stringify(payload))).setProtectedHeader({ alg, ...header }).sign(key);
    return { client_assertion: jwt, client_assertion_type: assertionType };
  }

  it('RFC 6749 2.3.1 a secret in the Authorization header, form-encoded', async () => {
    assert.equal((await ask({}, basic('machine'))).status, 200);
    assert.equal((await ask({ client_id: 'machine' }, basic('machine'))).status, 200);
    assert.equal((await ask({}, basic(odd, oddSecret))).status, 200);
    assert.equal((await ask({}, { authorization: `basic ${btoa(`machine:${secret}`)}` })).status, 200);
  });

  it('RFC 6749 2.3.1 a secret in the form, for the client registered for it', async () => {
    assert.equal((await ask({ client_id: 'posts', client_secret: secret })).status, 200);
  });

  it('a client that is unknown, disabled, wrong in secret or in method gets one and the same answer', async () => {
    const answers = [
      await ask({}, basic('nobody')),
      await ask({}, basic('off')),
      await ask({}, basic('machine', 'wrong')),
      await ask({}, basic('machine', '')),
      await ask({}, basic('machine', `${secret} `)),
      await ask({}, basic('spa', secret)),
      await ask({}, basic('posts')),
      await ask({}, basic('signs')),
      await ask({}, basic('nul\0', 'x')),
      await ask({}, basic('x'.repeat(5000))),
      await ask({ client_id: 'machine', client_secret: secret }),
      await ask({ client_id: 'nobody', client_secret: secret }),
      await ask({ client_id: 'machine' }),
      await ask({ client_id: 'nobody' }),
      await ask({ client_id: '__proto__' }),
      await ask(await assertion({ sub: 'nobody' })),
      await ask(await assertion({ sub: 'machine' })),
    ];
    const seen = new Set(
      answers.map(({ status, body, headers }) =>
        JSON.stringify([status, body.error, body.error_description, headers.get('www-authenticate')]),
      ),
    );
    assert.deepEqual(
      [...seen],
      [JSON.stringify([401, 'invalid_client', 'client authentication failed', `Basic realm="${test.issuer}"`])],
    );
  });

  it('RFC 6749 5.2 a broken Authorization header is challenged', async () => {
    for (const value of [
      'Basic',
      'Basic %%%',
      `Basic ${btoa('nocolon')}`,
      `Basic ${btoa(':x')}`,
      `Basic ${btoa('%zz:x')}`,
    ]) {
      const answer = await ask({}, { authorization: value });
      assert.equal(answer.status, 401, value);
      assert.equal(answer.body.error, 'invalid_client', value);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic /, value);
    }
  });

  it('RFC 6749 2.3 more than one method, or two names, are refused', async () => {
    const signed = await assertion();
    const ambiguous: [Record<string, string>, Record<string, string>][] = [
      [{ client_id: 'machine', client_secret: secret }, basic('machine')],
      [{ client_id: 'posts' }, basic('machine')],
      [signed, basic('machine')],
      [{ ...signed, client_id: 'signs', client_secret: secret }, {}],
      [{ ...signed, client_id: 'machine' }, {}],
    ];
    for (const [more, headers] of ambiguous) {
      const answer = await ask(more, headers);
      assert.equal(answer.status, 400);
      assert.equal(answer.body.error, 'invalid_request');
    }
    const missing = await ask({});
    assert.equal(missing.status, 401);
    assert.equal(missing.body.error, 'invalid_client');
  });

  it('a public client cannot act for itself', async () => {
    assert.equal((await ask({ client_id: 'spa' })).body.error, 'unauthorized_client');
  });

  it('RFC 7523 3 a signed assertion of the client’s own key is good, to the issuer or its token endpoint, alone or in a list', async () => {
    assert.equal((await ask(await assertion())).status, 200);
    assert.equal((await ask(await assertion({ aud: `${test.issuer}/token` }))).status, 200);
    assert.equal((await ask(await assertion({ aud: [test.issuer] }))).status, 200);
    assert.equal((await ask({ ...(await assertion()), client_id: 'signs' })).status, 200);
    assert.equal(
      (await ask(await assertion({ key: rsa.privateKey, alg: 'RS256', header: { kid: 'two' } }))).status,
      200,
    );
    assert.equal((await ask(await assertion({ header: {} }))).status, 200, 'without kid, by its algorithm');
  });

  it('RFC 7523 3 an assertion is refused for another audience, old, too long, without jti, or by another key', async () => {
    const now = test.now();
    const table: [string, Record<string, unknown>][] = [
      ['another server', { aud: 'https://other.example.com' }],
      ['a list with another server', { aud: [test.issuer, 'https://other.example.com'] }],
      ['an empty list', { aud: [] }],
      ['no aud', { aud: undefined }],
      ['expired', { exp: now - 6 }],
      ['an hour long', { exp: now + 3600 }],
      ['no exp', { exp: undefined }],
      ['not yet', { nbf: now + 60 }],
      ['no jti', { jti: undefined }],
      ['jti is no text', { jti: { a: 1 } }],
      ['iss differs', { iss: 'machine' }],
      ['no iss', { iss: undefined }],
      ['another client’s key', { key: others.privateKey }],
      ['for another client', { sub: 'signs-too', key: own.privateKey }],
      ['key of another kid', { header: { kid: 'two' } }],
      ['unknown kid', { header: { kid: 'three' } }],
    ];
    for (const [what, options] of table) {
      const answer = await ask(await assertion(options));
      assert.equal(answer.status, 401, what);
      assert.equal(answer.body.error_description, 'client authentication failed', what);
    }
    for (const alg of ['none', 'HS256']) {
      const [, body] = (await assertion()).client_assertion?.split('.') ?? [];
      const head = Buffer.from(JSON.stringify({ alg, kid: 'one' })).toString('base64url');
      const forged = {
        client_assertion: `${head}.${body}.${alg === 'none' ? '' : 'AAAA'}`,
        client_assertion_type: assertionType,
      };
      assert.equal((await ask(forged)).status, 401, alg);
    }
    const { client_assertion } = await assertion();
    assert.equal((await ask({ client_assertion: client_assertion as string })).status, 400);
    assert.equal((await ask({ client_assertion_type: assertionType, client_id: 'signs' })).status, 400);
    assert.equal((await ask({ client_assertion: 'x', client_assertion_type: assertionType })).status, 401);
  });

  it('RFC 7523 3 an assertion is good once, also of twenty at once and at another endpoint', async () => {
    const signed = await assertion();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(signed)));
    assert.equal(answers.filter((one) => one.status === 200).length, 1);
    const elsewhere = await test.post('/revoke', { ...signed, token: 'x' });
    assert.equal(elsewhere.status, 401);
    const jti = 'the-same';
    assert.equal((await ask(await assertion({ jti }))).status, 200);
    const too = { sub: 'signs-too', key: others.privateKey };
    assert.equal((await ask(await assertion({ jti, ...too }))).status, 200, 'of another client it is another');
  });

  it('private_key_jwt works at introspection and revocation too', async () => {
    const { body } = await ask(await assertion());
    const asked = await test.post('/introspect', { token: String(body.access_token), ...(await assertion()) });
    assert.equal(asked.body.active, true);
    const revoked = await test.post('/revoke', { token: String(body.access_token), ...(await assertion()) });
    assert.equal(revoked.status, 200);
    assert.equal((await introspect(test, body.access_token)).active, false);
  });

  it('a public client cannot introspect', async () => {
    const answer = await test.post('/introspect', { token: 'x', client_id: 'spa' });
    assert.equal(answer.status, 401);
  });
});

describe('who exists', () => {
  it('takes as long to find out for an unknown user as for a wrong password, and reads the same', async () => {
    const test = await startTestServer({
      config: { throttle: { account: { failures: 1000 }, source: { failures: 1000 } } } as never,
    });
    const parameters = {
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: 'https://spa.example.com/callback',
      code_challenge: pkce().challenge,
      code_challenge_method: 'S256',
    };
    const browser = test.browser();
    const page = await browser.go(`${test.issuer}/authorize?${new URLSearchParams(parameters)}`);
    const attempt = async (username: string) => {
      const started = process.hrtime.bigint();
      const answer = await browser.submit(page, { username, password: `${password}!` });
      return { took: Number(process.hrtime.bigint() - started), answer };
    };
    const strip = (html: string) => html.replace(/value="[^"]*"/g, '').replace(/request=[\w-]+/g, '');
    const known: number[] = [];
    const unknown: number[] = [];
    // The shortest of each: what a busy machine adds to one attempt says nothing of the server.
    const ratio = () => Math.min(...known) / Math.min(...unknown);
    for (let i = 0; i < 7 || (i < 70 && !(ratio() > 0.5 && ratio() < 2)); i++) {
      const wrong = await attempt('ada');
      const nobody = await attempt('eve');
      assert.equal(wrong.answer.status, nobody.answer.status);
      assert.equal(strip(wrong.answer.html), strip(nobody.answer.html));
      known.push(wrong.took);
      unknown.push(nobody.took);
    }
    assert.ok(ratio() > 0.5 && ratio() < 2, `ratio ${ratio()}`);
    await test.close();
  });
});
