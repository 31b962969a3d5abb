import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBasicAuthorization } from './introspect.ts';
import { DpopClient } from './testing/dpop-client.ts';
import { type EdgeUnderTest, edgeUnderTest } from './testing/edge-under-test.ts';

const introspecting = { mode: 'introspection' } as const;

async function withEdge(
  options: Parameters<typeof edgeUnderTest>[0],
  run: (at: EdgeUnderTest) => Promise<void>,
): Promise<void> {
  const at = await edgeUnderTest(options);
  try {
    await run(at);
  } finally {
    await at.close();
  }
}

test('an opaque token is accepted on the issuer’s word, with the same kind of result as a signed one', () =>
  withEdge(introspecting, async (at) => {
    const verification = await at.judge(at.issuer.opaqueToken({ scope: 'a b', roles: ['clerk'], permissions: ['p'] }));
    assert.ok(verification.ok);
    const { claims, ...rest } = verification.token;
    assert.deepEqual(rest, {
      subject: 'user-1',
      clientId: 'web',
      audiences: ['https://api.example.com'],
      scopes: ['a', 'b'],
      permissions: ['p'],
      roles: ['clerk'],
      sessionId: 'sid-1',
      grantId: 'grant-1',
      tokenId: claims.jti,
      expiresAt: at.clock.seconds + 900,
      verifiedBy: 'introspection',
    });
    assert.equal(await at.reasonOf('unknown-to-the-issuer'), 'token_inactive');
    assert.equal(at.issuer.counts.polls, 0, 'there is no feed in this mode');
  }));

test('A13, A20: a revoked session is inactive on the next call', () =>
  withEdge(introspecting, async (at) => {
    const token = await at.issuer.accessToken({ sid: 's-x' });
    assert.equal(await at.reasonOf(token), 'accepted');
    at.issuer.endSession('s-x');
    assert.equal(await at.reasonOf(token), 'token_inactive');
  }));

test('A20: signature and introspection agree on twenty tokens', async () => {
  await withEdge({}, async (at) => {
    await at.edge.start();
    const asking = at.another(introspecting);
    const { issuer } = at;
    const now = at.clock.seconds;
    const client = await DpopClient.create();
    const good = await issuer.accessToken();
    const [head, payload, signature = ''] = good.split('.');
    const foreign = await edgeUnderTest({});
    issuer.endSession('s-dead');
    const tokens: [name: string, token: string][] = [
      ['good', good],
      ['good, two audiences', await issuer.accessToken({ aud: ['https://x.example.com', issuer.audience] })],
      ['good, no session', await issuer.accessToken({ sid: undefined })],
      ['good, no scope', await issuer.accessToken({ scope: '' })],
      ['good, more scopes', await issuer.accessToken({ scope: 'orders:read orders:write' })],
      ['another audience', await issuer.accessToken({ aud: 'https://x.example.com' })],
      ['no audience', await issuer.accessToken({ aud: undefined })],
      ['expired', await issuer.accessToken({ exp: now - 100 })],
      ['not yet valid', await issuer.accessToken({ nbf: now + 100 })],
      ['another issuer’s claim', await issuer.accessToken({ iss: 'https://evil.example.com' })],
      ['another issuer', await foreign.issuer.accessToken()],
      ['ID token', await issuer.accessToken({}, { typ: 'JWT' })],
      ['badly signed', `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`],
      ['unsigned', `${head}.${payload}.`],
      ['unknown key', await issuer.accessToken({}, { kid: 'nobody' })],
      ['critical header', await issuer.accessToken({}, { crit: ['x-later'], 'x-later': 1 })],
      ['not a token', 'abc'],
      ['ended session', await issuer.accessToken({ sid: 's-dead' })],
      ['bound to a key, sent as Bearer', await issuer.accessToken({ cnf: { jkt: client.jkt } })],
      ['bound to a certificate', await issuer.accessToken({ cnf: { 'x5t#S256': 'abc' } })],
    ];
    assert.equal(tokens.length, 20);
    while ((await at.reasonOf(tokens[17]?.[1] as string)) === 'accepted')
      await new Promise((resolve) => setTimeout(resolve, 5));
    const requirement = { scopes: ['orders:read'] };
    const answerOf = async (edge: EdgeUnderTest, token: string) => {
      const verification = await edge.judge(token, {}, requirement);
      return verification.ok ? [200] : [verification.status, verification.error];
    };
    for (const [name, token] of tokens)
      assert.deepEqual(await answerOf(asking, token), await answerOf(at, token), name);
    await foreign.close();
  });
});

test('an active answer for another API, another issuer or a past time is refused all the same', () =>
  withEdge(introspecting, async (at) => {
    const reasons = async (changes: Record<string, unknown>, answer: Record<string, unknown>) => {
      const token = at.issuer.opaqueToken(changes);
      at.issuer.introspect = async () => ({ active: true, ...at.issuer.claims(changes), ...answer });
      return at.reasonOf(token);
    };
    assert.equal(await reasons({ aud: 'https://x.example.com' }, {}), 'token_audience_wrong');
    assert.equal(await reasons({ aud: undefined }, {}), 'token_audience_wrong');
    assert.equal(await reasons({}, { iss: 'https://evil.example.com' }), 'token_issuer_wrong');
    assert.equal(await reasons({}, { iss: undefined }), 'accepted');
    assert.equal(await reasons({}, { exp: at.clock.seconds - 6 }), 'token_expired');
    assert.equal(await reasons({}, { exp: 'soon' }), 'token_malformed');
    assert.equal(
      await reasons({}, { exp: undefined, iat: undefined, nbf: undefined, jti: undefined, sub: undefined }),
      'accepted',
    );
    for (const active of ['true', 1, null, undefined])
      assert.notEqual(await reasons({}, { active }), 'accepted', String(active));
  }));

test('never open: whatever fails at the endpoint is 503', () =>
  withEdge({ ...introspecting, introspection: { timeout: 2 } }, async (at) => {
    const token = await at.issuer.accessToken();
    for (const fault of ['error', 'garbage', 'down', 'hang'] as const) {
      at.issuer.faults.introspection = fault;
      const verification = await at.judge(token);
      assert.ok(!verification.ok);
      assert.deepEqual(
        [verification.status, verification.error, verification.reason],
        [503, 'temporarily_unavailable', 'introspection_failed'],
        fault,
      );
    }
    delete at.issuer.faults.introspection;
    assert.equal(await at.reasonOf(token), 'accepted');
    assert.equal(at.edge.status().introspection?.failed, 4);
    at.issuer.clientSecret = 'changed meanwhile';
    assert.equal(await at.reasonOf(token), 'introspection_failed');
  }));

test('RFC 7662 section 2.1: it authenticates with a bearer token where that is set up', () =>
  withEdge(
    {
      ...introspecting,
      clientId: 'x',
      clientSecret: 'wrong',
      introspection: { bearerToken: async () => 'introspection-token' },
    },
    async (at) => {
      assert.equal(await at.reasonOf(at.issuer.opaqueToken()), 'accepted');
      const wrong = at.another({ introspection: { bearerToken: 'another' } });
      assert.equal(await wrong.reasonOf(at.issuer.opaqueToken()), 'introspection_failed');
      assert.throws(
        () => at.another({ clientSecret: undefined, introspection: {} }),
        /needs clientId and clientSecret/,
      );
    },
  ));

test('the same token at the same time is one question, and questions are bounded', () =>
  withEdge({ ...introspecting, introspection: { mostInFlight: 2 } }, async (at) => {
    const token = at.issuer.opaqueToken();
    assert.deepEqual(
      await Promise.all(Array.from({ length: 10 }, () => at.reasonOf(token))),
      Array(10).fill('accepted'),
    );
    assert.equal(at.issuer.counts.introspection, 1);
    const many = Array.from({ length: 5 }, () => at.issuer.opaqueToken());
    const answers = await Promise.all(many.map((one) => at.reasonOf(one)));
    assert.deepEqual(answers.sort(), ['accepted', 'accepted', ...Array(3).fill('introspection_failed')]);
  }));

test('nothing is cached unless asked for, and then for the seconds named', () =>
  withEdge(introspecting, async (at) => {
    const token = await at.issuer.accessToken({ exp: at.clock.seconds + 5 });
    await at.reasonOf(token);
    await at.reasonOf(token);
    assert.equal(at.issuer.counts.introspection, 2);
    const caching = at.another({ introspection: { cacheSeconds: 10 } });
    assert.equal(await caching.reasonOf(token), 'accepted');
    at.clock.monotonicMs += 9999;
    assert.equal(await caching.reasonOf(token), 'accepted');
    assert.equal(at.issuer.counts.introspection, 3);
    at.clock.seconds += 10;
    assert.equal(await caching.reasonOf(token), 'token_expired', 'a cached answer does not outlive exp');
    at.clock.monotonicMs += 1;
    await caching.reasonOf(token);
    assert.equal(at.issuer.counts.introspection, 4);
  }));

test('DPoP holds for introspected tokens too', () =>
  withEdge(introspecting, async (at) => {
    const client = await DpopClient.create();
    const accessToken = at.issuer.opaqueToken({ cnf: { jkt: client.jkt } });
    assert.equal(await at.reasonOf(accessToken), 'dpop_missing');
    const dpop = [
      await client.proof({ method: 'GET', url: 'https://api.example.com/orders', accessToken, now: at.clock.seconds }),
    ];
    const verification = await at.judge('', { authorization: [`DPoP ${accessToken}`], dpop });
    assert.ok(verification.ok);
    assert.equal(verification.token.keyThumbprint, client.jkt);
  }));

test('RFC 6749 section 2.3.1: both parts of client_secret_basic are form-encoded first', () => {
  const decoded = Buffer.from(formatBasicAuthorization('a:b', 'p%s w+d').slice(6), 'base64').toString();
  assert.equal(decoded, 'a%3Ab:p%25s+w%2Bd');
});
