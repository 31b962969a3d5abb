import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { type JWK, SignJWT } from 'jose';
import { type EdgeUnderTest, edgeUnderTest } from './testing/edge-under-test.ts';

const base64url = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

describe('a token verified by its signature', () => {
  let at: EdgeUnderTest;
  before(async () => {
    at = await edgeUnderTest({ allowRevokedUntilExpiry: true });
  });
  after(() => at.close());

  test('A18: the token tells subject, client, scopes, roles and permissions, and no look-up is made', async () => {
    await at.reasonOf(await at.issuer.accessToken());
    const asked = { ...at.issuer.counts };
    const token = await at.issuer.accessToken({
      scope: 'a b',
      roles: ['clerk'],
      permissions: ['orders:read'],
      auth_time: 1,
    });
    const verification = await at.judge(token);
    assert.ok(verification.ok);
    const { claims, ...rest } = verification.token;
    assert.deepEqual(rest, {
      subject: 'user-1',
      clientId: 'web',
      audiences: ['https://api.example.com'],
      scopes: ['a', 'b'],
      permissions: ['orders:read'],
      roles: ['clerk'],
      sessionId: 'sid-1',
      grantId: 'grant-1',
      tokenId: claims.jti,
      expiresAt: at.clock.seconds + 900,
      verifiedBy: 'signature',
    });
    assert.equal(claims.auth_time, 1);
    assert.deepEqual(at.issuer.counts, asked);
  });

  test('A18: a missing permission is refused like a missing scope, without saying which permissions exist', async () => {
    const token = await at.issuer.accessToken({ permissions: ['orders:read'] });
    assert.equal((await at.judge(token, {}, { permissions: ['orders:read'] })).ok, true);
    const verification = await at.judge(token, {}, { permissions: ['orders:read', 'orders:refund'] });
    assert.ok(!verification.ok);
    assert.deepEqual(
      [verification.status, verification.error, verification.reason],
      [403, 'insufficient_scope', 'permission_missing'],
    );
    assert.equal(JSON.stringify([verification.body, verification.headers]).includes('orders:refund'), false);
  });

  test('C1: a token of a client acting for itself, without session and grant, is verified offline', async () => {
    const token = await at.issuer.accessToken({ sub: 'web', sid: undefined, grant_id: undefined });
    const verification = await at.judge(token);
    assert.ok(verification.ok);
    assert.equal(verification.token.sessionId, undefined);
  });

  test('A22, A26: the audience may be one of several on either side', async () => {
    const many = at.another({ audience: ['https://api.example.com', 'https://orders.example.com'] });
    assert.equal(await many.reasonOf(await at.issuer.accessToken({ aud: 'https://orders.example.com' })), 'accepted');
    assert.equal(
      await at.reasonOf(await at.issuer.accessToken({ aud: ['https://x.example.com', 'https://api.example.com'] })),
      'accepted',
    );
    for (const aud of [
      'https://api.example.com/',
      'https://API.example.com',
      [],
      '',
      undefined,
      null,
      5,
      ['https://api.example.com', 5],
      {},
    ])
      assert.equal(
        await at.reasonOf(await at.issuer.accessToken({ aud })),
        'token_audience_wrong',
        JSON.stringify(aud),
      );
  });

  test('C3: exp, iat and nbf are enforced with a bounded skew', async () => {
    const now = at.clock.seconds;
    const cases: [claims: Record<string, unknown>, expected: string][] = [
      [{ exp: now + 1 }, 'accepted'],
      [{ exp: now - 4 }, 'accepted'],
      [{ exp: now - 5 }, 'token_expired'],
      [{ nbf: now + 5 }, 'accepted'],
      [{ nbf: now + 6 }, 'token_not_yet_valid'],
      [{ nbf: undefined }, 'accepted'],
      [{ iat: now + 5 }, 'accepted'],
      [{ iat: now + 6 }, 'token_not_yet_valid'],
    ];
    for (const [claims, expected] of cases)
      assert.equal(await at.reasonOf(await at.issuer.accessToken(claims)), expected, JSON.stringify(claims));
    const wide = at.another({ skew: 60 });
    assert.equal(await wide.reasonOf(await at.issuer.accessToken({ exp: now - 59 })), 'accepted');
    assert.equal(await wide.reasonOf(await at.issuer.accessToken({ exp: now - 60 })), 'token_expired');
    assert.throws(() => at.another({ skew: 61 }), /skew must be between 0 and 60/);
  });

  test('RFC 9068 section 2.2: what must be in an access token is', async () => {
    for (const name of ['sub', 'client_id', 'jti', 'exp', 'iat'])
      assert.equal(await at.reasonOf(await at.issuer.accessToken({ [name]: undefined })), 'token_malformed', name);
    for (const change of [
      { sub: '' },
      { sub: 5 },
      { exp: 'soon' },
      { iat: null },
      { nbf: 'x' },
      { scope: ['a'] },
      { scope: 'a"b' },
      { sid: 5 },
      { grant_id: {} },
    ])
      assert.equal(await at.reasonOf(await at.issuer.accessToken(change)), 'token_malformed', JSON.stringify(change));
    assert.equal(await at.reasonOf(await at.issuer.accessToken({ iss: undefined })), 'token_malformed');
    assert.equal(await at.reasonOf(await at.issuer.accessToken({ iss: `${at.issuer.url}/` })), 'token_issuer_wrong');
  });

  test('C17, RFC 9068 section 4: only typ at+jwt is an access token', async () => {
    for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt'])
      assert.equal(await at.reasonOf(await at.issuer.accessToken({}, { typ })), 'accepted', typ);
    for (const typ of [
      undefined,
      '',
      'JWT',
      'id_token',
      'dpop+jwt',
      'secevent+jwt',
      'application/application/at+jwt',
      'at+jwt ',
    ])
      assert.equal(await at.reasonOf(await at.issuer.accessToken({}, { typ })), 'token_type_wrong', String(typ));
  });

  test('C2: forged tokens are refused, whatever the header says', async () => {
    const { issuer } = at;
    const key = issuer.signingKey;
    const good = await issuer.accessToken();
    const [head, payload, signature] = good.split('.') as [string, string, string];
    const forge = (header: Record<string, unknown>) =>
      `${base64url({ typ: 'at+jwt', kid: key.kid, ...header })}.${payload}`;
    const hmac = (input: string, secret: string | Buffer) =>
      `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    const pem = createPublicKey({
      key: key.publicJwk as JsonWebKey,
      format: 'jwk',
    } as import('node:crypto').JsonWebKeyInput).export({
      type: 'spki',
      format: 'pem',
    });
    const attacker = await import('jose').then((jose) => jose.generateKeyPair('ES256', { extractable: true }));
    const attackerJwk = await import('jose').then((jose) => jose.exportJWK(attacker.publicKey));
    const signedByAttacker = (header: Record<string, unknown>) =>
      new SignJWT(issuer.claims())
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid, ...header })
        .sign(attacker.privateKey);
    const tampered = base64url({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: 'admin' });
    const cases: [name: string, token: string, reason: string][] = [
      ['alg none without signature', `${forge({ alg: 'none' })}.`, 'token_algorithm_refused'],
      ['alg None', `${forge({ alg: 'None' })}.`, 'token_algorithm_refused'],
      ['alg none with the old signature', `${forge({ alg: 'none' })}.${signature}`, 'token_algorithm_refused'],
      [
        'HS256 with the public key as the secret',
        hmac(forge({ alg: 'HS256' }), pem as string),
        'token_algorithm_refused',
      ],
      [
        'HS256 with the JWK as the secret',
        hmac(forge({ alg: 'HS256' }), JSON.stringify(key.publicJwk)),
        'token_algorithm_refused',
      ],
      ['HS256 with an empty secret', hmac(forge({ alg: 'HS256' }), ''), 'token_algorithm_refused'],
      ['ES384', `${forge({ alg: 'ES384' })}.${signature}`, 'token_algorithm_refused'],
      ['PS256', `${forge({ alg: 'PS256' })}.${signature}`, 'token_algorithm_refused'],
      ['RS256 with the kid of an EC key', `${forge({ alg: 'RS256' })}.${signature}`, 'token_key_unknown'],
      ['EdDSA with the kid of an EC key', `${forge({ alg: 'EdDSA' })}.${signature}`, 'token_key_unknown'],
      ['the attacker’s own key', await signedByAttacker({}), 'token_signature_wrong'],
      ['the attacker’s key in jwk', await signedByAttacker({ jwk: attackerJwk }), 'token_signature_wrong'],
      [
        'the attacker’s key behind jku',
        await signedByAttacker({ jku: 'https://evil.example.com/jwks' }),
        'token_signature_wrong',
      ],
      [
        'the attacker’s certificate in x5c and x5u',
        await signedByAttacker({ x5u: 'https://evil.example.com/c', x5c: ['MII'] }),
        'token_signature_wrong',
      ],
      ['kid that is a path', await signedByAttacker({ kid: '../../dev/null' }), 'token_key_unknown'],
      ['kid that is a query', await signedByAttacker({ kid: "' OR '1'='1" }), 'token_key_unknown'],
      ['kid named as a property of objects', await signedByAttacker({ kid: '__proto__' }), 'token_key_unknown'],
      ['no kid', await signedByAttacker({ kid: undefined }), 'token_key_unknown'],
      ['a critical header', await issuer.accessToken({}, { crit: ['x-later'], 'x-later': true }), 'token_malformed'],
      ['a tampered payload', `${head}.${tampered}.${signature}`, 'token_signature_wrong'],
      ['an empty signature', `${head}.${payload}.`, 'token_signature_wrong'],
      [
        'a signature of zeros (CVE-2022-21449)',
        `${head}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
        'token_signature_wrong',
      ],
      ['a signature cut short', `${head}.${payload}.${signature.slice(0, 40)}`, 'token_signature_wrong'],
      [
        'a signature in DER',
        `${head}.${payload}.${Buffer.alloc(70, 1).toString('base64url')}`,
        'token_signature_wrong',
      ],
      ['an unsigned fourth part', `${good}.x`, 'token_malformed'],
      ['too long', `${head}.${'A'.repeat(17_000)}.${signature}`, 'token_malformed'],
    ];
    for (const [name, token, reason] of cases) assert.equal(await at.reasonOf(token), reason, name);
    assert.equal(await at.reasonOf(good), 'accepted');
  });

  test('a remembered token that is changed in any character is refused', async () => {
    const good = await at.issuer.accessToken();
    assert.equal(await at.reasonOf(good), 'accepted');
    const { hits } = at.edge.status().remembered;
    assert.equal(await at.reasonOf(good), 'accepted');
    assert.equal(at.edge.status().remembered.hits, hits + 1, 'the second time the signature is remembered');
    for (let i = 0; i < good.length; i += 1) {
      if (good[i] === '.') continue;
      const changed = `${good.slice(0, i)}${good[i] === 'A' ? 'B' : 'A'}${good.slice(i + 1)}`;
      assert.notEqual(await at.reasonOf(changed), 'accepted', `character ${i}`);
    }
  });

  test('a remembered token still expires, and still is for one audience', async () => {
    const token = await at.issuer.accessToken({ exp: at.clock.seconds + 10 });
    assert.equal(await at.reasonOf(token), 'accepted');
    at.clock.seconds += 15;
    assert.equal(await at.reasonOf(token), 'token_expired');
    at.clock.seconds -= 15;
    assert.equal(await at.reasonOf(token), 'accepted');
  });

  test('D4: every refusal has an id that joins the answer and the hook, and is counted by reason', async () => {
    const before = at.edge.status().refusals.token_malformed ?? 0;
    const verification = await at.judge('x');
    assert.ok(!verification.ok);
    assert.deepEqual(at.refusals.at(-1), verification);
    assert.match(verification.id, /^[A-Za-z0-9_-]{16}$/);
    assert.deepEqual(verification.headers[0], ['Tessera-Refusal-Id', verification.id]);
    assert.equal(at.edge.status().refusals.token_malformed, before + 1);
    const again = await at.judge('x');
    assert.ok(!again.ok && again.id !== verification.id);
  });

  test('a refusal names ids only of a token whose signature held', async () => {
    await at.reasonOf(await at.issuer.accessToken({ aud: 'https://other.example.com' }));
    assert.equal(at.refusals.at(-1)?.about, undefined);
    await at.judge(await at.issuer.accessToken({ jti: 'j-about' }), {}, { scopes: ['nope'] });
    assert.deepEqual(at.refusals.at(-1)?.about, {
      clientId: 'web',
      sessionId: 'sid-1',
      grantId: 'grant-1',
      tokenId: 'j-about',
    });
  });

  test('a hook that throws changes nothing', async () => {
    const loud = at.another({
      onRefusal: () => {
        throw new Error('the log is full');
      },
    });
    assert.equal(await loud.reasonOf('x'), 'token_malformed');
  });

  test('no refusal puts the token into its detail', async () => {
    for (const { detail, description } of at.refusals)
      assert.doesNotMatch(`${detail} ${description}`, /eyJ[A-Za-z0-9_-]{20}/);
  });
});

test('C2: RS256 and EdDSA work as ES256 does, each only with its own kind of key', async () => {
  for (const alg of ['RS256', 'EdDSA', 'ES256']) {
    const at = await edgeUnderTest({ allowRevokedUntilExpiry: true }, { alg });
    try {
      const token = await at.issuer.accessToken();
      assert.equal(await at.reasonOf(token), 'accepted', alg);
      const [head, payload, signature = ''] = token.split('.');
      const broken = `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
      assert.equal(await at.reasonOf(broken), 'token_signature_wrong', alg);
      for (const other of ['RS256', 'EdDSA', 'ES256'].filter((one) => one !== alg)) {
        const confused = `${base64url({ alg: other, typ: 'at+jwt', kid: 'k1' })}.${payload}.${signature}`;
        assert.equal(await at.reasonOf(confused), 'token_key_unknown', `${alg} as ${other}`);
      }
    } finally {
      await at.close();
    }
  }
});

test('C2: with a shared secret only HS256 is accepted, and only under that secret', async () => {
  const sharedSecret = new Uint8Array(32).fill(7);
  const at = await edgeUnderTest({ allowRevokedUntilExpiry: true, sharedSecret });
  try {
    const sign = (secret: Uint8Array, header: Record<string, unknown> = {}) =>
      new SignJWT(at.issuer.claims()).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', ...header }).sign(secret);
    assert.equal(await at.reasonOf(await sign(sharedSecret)), 'accepted');
    assert.equal(await at.reasonOf(await sign(new Uint8Array(32).fill(8))), 'token_signature_wrong');
    assert.equal(await at.reasonOf(await sign(sharedSecret, { typ: 'JWT' })), 'token_type_wrong');
    assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'token_algorithm_refused');
    const [, payload] = (await sign(sharedSecret)).split('.');
    assert.equal(
      await at.reasonOf(`${base64url({ alg: 'none', typ: 'at+jwt' })}.${payload}.`),
      'token_algorithm_refused',
    );
    assert.throws(() => at.another({ sharedSecret: new Uint8Array(31) }), /at least 32 bytes/);
  } finally {
    await at.close();
  }
});

test('a JWKS entry that cannot sign access tokens is not taken for one that can', async () => {
  const at = await edgeUnderTest({ allowRevokedUntilExpiry: true });
  try {
    const { issuer } = at;
    const key = issuer.signingKey;
    const token = await issuer.accessToken();
    const bad: JWK[] = [
      { ...key.publicJwk, use: 'enc' },
      { ...key.publicJwk, key_ops: ['sign'] },
      { ...key.publicJwk, alg: 'ES384' },
      { ...key.publicJwk, crv: 'P-384' },
      { ...key.publicJwk, x: 'AAAA' },
      { kty: 'oct', k: 'c2VjcmV0', kid: key.kid, alg: 'HS256' },
      { ...key.publicJwk, kid: '' },
    ];
    for (const publicJwk of bad) {
      issuer.keys.splice(0, issuer.keys.length, { ...key, publicJwk });
      assert.equal(await at.another().reasonOf(token), 'token_key_unknown', JSON.stringify(publicJwk));
    }
    issuer.keys.splice(0, issuer.keys.length, key);
    assert.equal(await at.another().reasonOf(token), 'accepted');
  } finally {
    await at.close();
  }
});
