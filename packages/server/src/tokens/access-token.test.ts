import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { compactVerify, createLocalJWKSet, jwtVerify, SignJWT } from 'jose';
import { randomSecret, systemRandom } from '../secrets/random.ts';
import { RootKeys } from '../secrets/root-keys.ts';
import { seal } from '../secrets/sealed.ts';
import type { ResourceServerRecord, SigningKeyRecord } from '../store/records.ts';
import { sampleClient, sampleGrant, sampleResourceServer, sampleSession } from '../store/sample-records.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import { type AccessTokenFacts, issueAccessToken, readAccessToken } from './access-token.ts';
import { readSigningKeys, rotateSigningKeys } from './key-rotation.ts';
import { SigningKeys } from './signing-keys.ts';

const now = 1_800_000_000;
const issuer = 'https://auth.example.com';
const rootKeys = new RootKeys([{ id: 'AAAAAA', secret: new Uint8Array(32).fill(1), state: 'current' }]);
const orders = 'https://api.example.com/orders';

describe('an access token', () => {
  const signingKeys = new SigningKeys(rootKeys);
  const tools = {
    config: { issuer } as Parameters<typeof issueAccessToken>[0]['config'],
    signingKeys,
    rootKeys,
    random: systemRandom,
    nowMs: () => now * 1000,
  };
  let records: SigningKeyRecord[];
  before(async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    await rotateSigningKeys(
      { store, rootKeys, random: systemRandom, now: () => now },
      { rotateEvery: 1000, announceFor: 100, keepRetiredFor: 50 },
    );
    records = await readSigningKeys(store);
    signingKeys.load(records);
    await store.close();
  });

  const client = sampleClient({ clientId: 'web' });
  const session = sampleSession({ sid: 'sid-1', userId: 'ada' });
  function factsWith(
    changes: Partial<AccessTokenFacts> = {},
    server: Partial<ResourceServerRecord> = {},
  ): AccessTokenFacts {
    return {
      client,
      grant: sampleGrant(session, { grantId: 'grant-1', authTime: now - 5, amr: ['pwd'], acr: 'urn:example:1' }),
      sub: 'ada',
      audiences: [orders],
      resourceServers: [sampleResourceServer({ audiences: [orders], ...server })],
      scopes: ['openid', 'orders:read'],
      roles: [],
      permissions: [],
      jkt: undefined,
      issuerEpoch: 0,
      iat: now,
      exp: now + 900,
      ...changes,
    };
  }
  const read = (token: string, servers: ResourceServerRecord[] = []) => readAccessToken(tools, servers, token);

  it('C3 C4: has exactly these claims, and nobody is named beyond sub (RFC 9068 section 2.2)', async () => {
    const token = issueAccessToken(tools, factsWith());
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(signingKeys.publicJwks() as never), {
      currentDate: new Date(now * 1000),
    });
    assert.deepEqual(protectedHeader, { alg: 'ES256', typ: 'at+jwt', kid: signingKeys.currentKid('ES256') });
    const { jti, ...rest } = payload;
    assert.match(String(jti), /^[A-Za-z0-9_-]{22}$/);
    assert.deepEqual(rest, {
      iss: issuer,
      sub: 'ada',
      aud: orders,
      client_id: 'web',
      iat: now,
      nbf: now,
      exp: now + 900,
      scope: 'openid orders:read',
      auth_time: now - 5,
      acr: 'urn:example:1',
      amr: ['pwd'],
      grant_id: 'grant-1',
      sid: 'sid-1',
    });
  });

  const variants: { name: string; changes: Partial<AccessTokenFacts>; expected: Record<string, unknown> }[] = [
    {
      name: 'for several audiences lists them',
      changes: { audiences: [orders, 'https://b.example'] },
      expected: { aud: [orders, 'https://b.example'] },
    },
    {
      name: 'of an offline grant has no sid: it must not die with the session',
      changes: { grant: sampleGrant(session, { kind: 'offline' }) },
      expected: { sid: undefined },
    },
    {
      name: 'of a client for itself hangs on no grant',
      changes: { grant: undefined, sub: 'web' },
      expected: { sub: 'web', grant_id: undefined, sid: undefined, auth_time: undefined },
    },
    {
      name: 'bound to a key says so (RFC 9449 section 6)',
      changes: { jkt: 'key-a' },
      expected: { cnf: { jkt: 'key-a' } },
    },
    {
      name: 'of a client that was cut off before carries its epoch',
      changes: { client: { ...client, epoch: 2 } },
      expected: { client_epoch: 2 },
    },
    {
      name: 'of an issuer that was cut off before carries its epoch',
      changes: { issuerEpoch: 3 },
      expected: { issuer_epoch: 3 },
    },
    {
      name: 'A18: carries roles and permissions',
      changes: { roles: ['editor'], permissions: ['orders:write'] },
      expected: { roles: ['editor'], permissions: ['orders:write'] },
    },
  ];
  for (const { name, changes, expected } of variants)
    it(name, () => {
      const claims = read(issueAccessToken(tools, factsWith(changes))) as Record<string, unknown>;
      for (const [claim, value] of Object.entries(expected)) assert.deepEqual(claims[claim], value, claim);
    });

  for (const algorithm of ['ES256', 'RS256', 'EdDSA'] as const)
    it(`C2: signed with ${algorithm} verifies with jose and with the server`, async () => {
      const token = issueAccessToken(tools, factsWith({}, { algorithm }));
      const { protectedHeader } = await compactVerify(token, createLocalJWKSet(signingKeys.publicJwks() as never));
      assert.equal(protectedHeader.alg, algorithm);
      assert.equal(read(token)?.sub, 'ada');
    });

  it('C2: two thousand ES256 signatures are all 64 bytes that jose verifies, also those whose DER is shorter or longer', async () => {
    const keySet = createLocalJWKSet(signingKeys.publicJwks() as never);
    let leadingZeros = 0;
    for (let count = 0; count < 2000; count++) {
      const token = signingKeys.sign('ES256', 'JWT', { count });
      const signature = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
      assert.equal(signature.length, 64);
      if (signature[0] === 0 || signature[32] === 0) leadingZeros++;
      await compactVerify(token, keySet);
    }
    // One in 128 has an r or s that DER writes shorter: without any the test would prove little (chance 1 in 6 million).
    assert.ok(leadingZeros > 0);
  });

  it('C2: HS256 with the secret of its resource server, which jose verifies', async () => {
    const secret = randomSecret(systemRandom);
    const server = {
      resourceServerId: 'legacy',
      algorithm: 'HS256' as const,
      encryptedSecret: seal(rootKeys, 'stored-secret', secret, systemRandom),
    };
    const facts = factsWith({}, server);
    const token = issueAccessToken(tools, facts);
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
      algorithms: ['HS256'],
      currentDate: new Date(now * 1000),
    });
    assert.equal(payload.sub, 'ada');
    assert.equal(read(token, facts.resourceServers)?.sub, 'ada');
    assert.equal(read(token, []), undefined);
    const other = sampleResourceServer({ ...facts.resourceServers[0], audiences: ['https://other.example'] });
    assert.equal(read(token, [other]), undefined);
    const otherSecret = {
      ...facts.resourceServers[0]!,
      encryptedSecret: seal(rootKeys, 'stored-secret', 'another', systemRandom),
    };
    assert.equal(read(token, [otherSecret]), undefined);
  });

  it('opaque ones say nothing to whoever holds them, and the same to the server', () => {
    const token = issueAccessToken(tools, factsWith({}, { tokenFormat: 'opaque' }));
    assert.match(token, /^tsa_[A-Za-z0-9_-]+$/);
    assert.ok(!Buffer.from(token.slice(4), 'base64url').toString('latin1').includes('ada'));
    assert.equal(read(token)?.grant_id, 'grant-1');
    assert.equal(read(`${token.slice(0, -2)}AA`), undefined);
    assert.equal(read(`tsa_${seal(rootKeys, 'authorization-code', read(token), systemRandom)}`), undefined);
  });

  describe('that somebody else made', () => {
    const forged: { name: string; make: () => Promise<string> | string }[] = [
      { name: 'with alg none', make: () => rewrite(issueAccessToken(tools, factsWith()), { alg: 'none' }, '') },
      {
        name: 'with HS256 under the public key (RFC 8725 section 2.1)',
        make: () => {
          const [, payload] = issueAccessToken(tools, factsWith()).split('.');
          const header = encode({ alg: 'HS256', typ: 'at+jwt', kid: signingKeys.currentKid('ES256') });
          const jwk = records.find((one) => one.algorithm === 'ES256')?.publicJwk;
          return `${header}.${payload}.${createHmac('sha256', JSON.stringify(jwk)).update(`${header}.${payload}`).digest('base64url')}`;
        },
      },
      {
        name: 'an ID token of ours',
        make: () => signingKeys.sign('ES256', 'JWT', { iss: issuer, sub: 'ada', aud: 'web', exp: now + 900 }),
      },
      {
        name: 'of another issuer under our key',
        make: () => signingKeys.sign('ES256', 'at+jwt', { iss: 'https://other.example', sub: 'ada' }),
      },
      {
        name: 'with another payload',
        make: () => swapPayload(issueAccessToken(tools, factsWith()), { iss: issuer, sub: 'bob' }),
      },
      {
        name: 'with a header nobody understands (crit)',
        make: () => rewrite(issueAccessToken(tools, factsWith()), { crit: ['x'], x: 1 }),
      },
      {
        name: 'with the kid of another key',
        make: () => rewrite(issueAccessToken(tools, factsWith()), { kid: signingKeys.currentKid('RS256') }),
      },
      { name: 'without kid', make: () => rewrite(issueAccessToken(tools, factsWith()), { kid: undefined }) },
      {
        name: 'under a key of their own, sent along',
        make: async () => {
          const { generateKeyPair, exportJWK } = await import('jose');
          const { publicKey, privateKey } = await generateKeyPair('ES256');
          const jwk = await exportJWK(publicKey);
          return new SignJWT({ iss: issuer, sub: 'ada' })
            .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: signingKeys.currentKid('ES256') as string, jwk })
            .sign(privateKey);
        },
      },
      { name: 'with its signature cut off', make: () => issueAccessToken(tools, factsWith()).replace(/\.[^.]+$/, '.') },
      { name: 'with its signature in DER', make: () => `${issueAccessToken(tools, factsWith())}AAAA` },
      { name: 'that is no token', make: () => 'a.b.c' },
      { name: 'that is empty', make: () => '' },
    ];
    for (const { name, make } of forged) it(name, async () => assert.equal(read(await make()), undefined));
  });

  it('of a revoked key is nothing any more', () => {
    const keys = new SigningKeys(rootKeys);
    keys.load(records);
    const token = issueAccessToken({ ...tools, signingKeys: keys }, factsWith());
    keys.load(records.map((one) => ({ ...one, state: one.algorithm === 'ES256' ? 'revoked' : one.state })));
    assert.equal(readAccessToken({ ...tools, signingKeys: keys }, [], token), undefined);
    assert.throws(() => keys.sign('ES256', 'JWT', {}), TypeError);
  });
});

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function rewrite(token: string, changes: Record<string, unknown>, signature?: string): string {
  const [header = '', payload, before] = token.split('.');
  const changed = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), ...changes };
  return `${encode(changed)}.${payload}.${signature ?? before}`;
}

function swapPayload(token: string, payload: object): string {
  const [header, , signature] = token.split('.');
  return `${header}.${encode(payload)}.${signature}`;
}
