import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../tests/eventually.ts';
import { maxAgeOf } from './json-web-key-set.ts';
import { edgeUnderTest } from './testing/edge-under-test.ts';

const options = { allowRevokedUntilExpiry: true } as const;

test('D10: keys roll over without a failed request', async () => {
  const at = await edgeUnderTest(options);
  try {
    const old = await at.issuer.accessToken();
    assert.equal(await at.reasonOf(old), 'accepted');
    at.clock.monotonicMs += 10_000;
    await at.issuer.addKey('k2');
    const fresh = await at.issuer.accessToken();
    const answers = await Promise.all([old, fresh, fresh, fresh, old].map((token) => at.reasonOf(token)));
    assert.deepEqual(answers, Array(5).fill('accepted'));
    assert.equal(at.issuer.counts.jwks, 2, 'all who met the new key waited for one request');
  } finally {
    await at.close();
  }
});

test('D10: keys that sign from one moment to the next are found at once, again and again', async () => {
  const at = await edgeUnderTest(options);
  try {
    for (const kid of ['k2', 'k3', 'k4', 'k5']) {
      await at.issuer.addKey(kid);
      const fresh = await at.issuer.accessToken();
      const answers = await Promise.all([fresh, fresh, fresh, fresh].map((token) => at.reasonOf(token)));
      assert.deepEqual(answers, Array(4).fill('accepted'));
    }
  } finally {
    await at.close();
  }
});

test('a flood of unknown kids causes one request per cool-down, and two beyond that', async () => {
  const at = await edgeUnderTest(options);
  try {
    const good = await at.issuer.accessToken();
    assert.equal(await at.reasonOf(good), 'accepted');
    const forged = await Promise.all(
      Array.from({ length: 200 }, (_, i) => at.issuer.accessToken({}, { kid: `nobody-${i}` })),
    );
    at.clock.monotonicMs += 10_000;
    for (const token of forged) assert.equal(await at.reasonOf(token), 'token_key_unknown');
    assert.equal(at.issuer.counts.jwks, 4);
    at.clock.monotonicMs += 9999;
    await at.reasonOf(forged[0] as string);
    assert.equal(at.issuer.counts.jwks, 4);
    at.clock.monotonicMs += 1;
    await at.reasonOf(forged[0] as string);
    assert.equal(at.issuer.counts.jwks, 5);
    assert.equal(await at.reasonOf(good), 'accepted');
  } finally {
    await at.close();
  }
});

test('A4: keys held stay in use while the issuer is away, however long', async () => {
  const at = await edgeUnderTest(options);
  try {
    assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'accepted');
    const token = await at.issuer.accessToken({ jti: 'another' });
    await at.issuer.stopNode(0);
    at.clock.monotonicMs += 24 * 3_600_000;
    assert.equal(await at.reasonOf(token), 'accepted');
    const unknown = await at.issuer.accessToken({}, { kid: 'k9' });
    const verification = await at.judge(unknown);
    assert.ok(!verification.ok);
    assert.deepEqual(
      [verification.status, verification.reason],
      [503, 'keys_unavailable'],
      'whether the key exists cannot be known',
    );
  } finally {
    await at.close();
  }
});

test('before the keys were ever fetched the answer is 503, and the next try soon after succeeds', async () => {
  const at = await edgeUnderTest(options);
  try {
    const token = await at.issuer.accessToken();
    for (const fault of ['error', 'garbage', 'down'] as const) {
      at.issuer.faults.jwks = fault;
      const verification = await at.judge(token);
      assert.ok(!verification.ok && verification.status === 503 && verification.reason === 'keys_unavailable', fault);
      assert.deepEqual(verification.headers.at(-1), ['Retry-After', '1']);
      at.clock.monotonicMs += 1000;
    }
    delete at.issuer.faults.jwks;
    assert.equal(await at.reasonOf(token), 'accepted');
  } finally {
    await at.close();
  }
});

test('old keys are renewed behind the request that notices, as often as Cache-Control says', async () => {
  const at = await edgeUnderTest(options);
  try {
    at.issuer.jwksCacheControl = 'public, max-age=120';
    const token = await at.issuer.accessToken();
    assert.equal(await at.reasonOf(token), 'accepted');
    at.clock.monotonicMs += 120_000;
    await at.reasonOf(token);
    assert.equal(at.issuer.counts.jwks, 1);
    at.clock.monotonicMs += 1;
    assert.equal(await at.reasonOf(token), 'accepted');
    await eventually(() => at.edge.status().keys.fetches === 2 && at.edge.status().keys.ageMs === 0);
  } finally {
    await at.close();
  }
});

test('a key that is no longer published is out once that is noticed, what was remembered under it too', async () => {
  const at = await edgeUnderTest(options);
  try {
    const token = await at.issuer.accessToken();
    assert.equal(await at.reasonOf(token), 'accepted');
    at.issuer.signingKey.isPublished = false;
    await at.issuer.addKey('k2');
    at.clock.monotonicMs += 10_000;
    assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'accepted');
    assert.equal(await at.reasonOf(token), 'token_key_unknown');
  } finally {
    await at.close();
  }
});

test('new key material under an old kid does not inherit what was remembered', async () => {
  const at = await edgeUnderTest(options);
  try {
    const token = await at.issuer.accessToken();
    assert.equal(await at.reasonOf(token), 'accepted');
    at.issuer.signingKey.isPublished = false;
    await at.issuer.addKey('k1');
    at.clock.monotonicMs += 10_000;
    await at.reasonOf(await at.issuer.accessToken({}, { kid: 'nobody' }));
    assert.equal(await at.reasonOf(token), 'token_signature_wrong');
    assert.equal(await at.reasonOf(await at.issuer.accessToken()), 'accepted');
  } finally {
    await at.close();
  }
});

test('metadata of another issuer, or endpoints over plain http elsewhere, are not used', async () => {
  const at = await edgeUnderTest(options);
  try {
    const token = await at.issuer.accessToken();
    at.issuer.extraMetadata = { issuer: 'https://evil.example.com' };
    assert.equal(await at.reasonOf(token), 'keys_unavailable');
    assert.match(at.refusals.at(-1)?.detail ?? '', /metadata of issuer "https:\/\/evil.example.com", expected/);
    at.issuer.extraMetadata = { jwks_uri: 'http://evil.example.com/jwks' };
    at.clock.monotonicMs += 1000;
    assert.equal(await at.reasonOf(token), 'keys_unavailable');
    at.issuer.extraMetadata = {};
    at.clock.monotonicMs += 3_600_000;
    assert.equal(await at.reasonOf(token), 'accepted');
  } finally {
    await at.close();
  }
});

test('RFC 9111 section 5.2.2.1: max-age is read and bounded to 1–60 minutes', () => {
  const cases: [string | null, number][] = [
    [null, 300],
    ['', 300],
    ['public, max-age=600', 600],
    ['max-age="600"', 600],
    ['MAX-AGE=600', 600],
    ['max-age=0', 60],
    ['max-age=999999999', 3600],
    ['s-maxage=600', 300],
    ['max-age=x', 300],
    ['no-store', 60],
    ['no-cache, max-age=600', 60],
  ];
  for (const [header, seconds] of cases) assert.equal(maxAgeOf(header), seconds * 1000, String(header));
});
