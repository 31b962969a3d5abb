import assert from 'node:assert/strict';
import test from 'node:test';
import { becauseOf, makeSignedInStage, makeStage, signIn } from '../../testing/signed-in-client.ts';
import { memoryDpopKeys } from './dpop-keys.ts';
import { TokenClient } from './token-client.ts';
import { memoryStorage } from './token-storage.ts';

test('B10: refresh gives a new pair and keeps what the answer leaves out', async (t) => {
  const { client, server, changes } = await makeSignedInStage(t);
  const before = await client.getTokens();
  server.refreshesIdToken = false;
  const after = await client.refresh();
  assert.notEqual(after.access_token, before?.access_token);
  assert.notEqual(after.refresh_token, before?.refresh_token);
  assert.equal(after.id_token, before?.id_token);
  assert.equal(after.keyId, before?.keyId);
  assert.deepEqual(await client.getTokens(), after);
  assert.deepEqual(changes, ['signed_in', 'refreshed']);
});

test('B10: a refresh token that is not replaced stays (RFC 6749 section 6)', async (t) => {
  let isSignedIn = false;
  const fetchWithoutRotation: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!isSignedIn || !String(input).endsWith('/token')) return response;
    const { refresh_token: _, ...body } = (await response.json()) as Record<string, unknown>;
    return Response.json(body, { status: response.status });
  };
  const stage = await makeSignedInStage(t, { runtime: { fetch: fetchWithoutRotation } });
  isSignedIn = true;
  const before = await stage.client.getTokens();
  const after = await stage.client.refresh();
  assert.notEqual(after.access_token, before?.access_token);
  assert.equal(after.refresh_token, before?.refresh_token);
});

test('B10: a refused refresh throws refresh_refused, empties the storage and asks for sign-in once', async (t) => {
  const storage = memoryStorage();
  const stage = await makeSignedInStage(t, { storage });
  stage.server.endAllGrants();
  await assert.rejects(stage.client.refresh(), { code: 'refresh_refused', error: 'invalid_grant' });
  assert.equal(await stage.client.getTokens(), undefined);
  assert.deepEqual(stage.required, ['refresh_refused']);
  assert.deepEqual(stage.changes, ['signed_in', 'lost']);
});

test('refreshing without being signed in throws sign_in_required', async (t) => {
  const { client, required } = await makeStage(t);
  await assert.rejects(client.refresh(), { code: 'sign_in_required' });
  assert.deepEqual(required, ['sign_in_required']);
});

test('B12: idle across expiry, then 20 calls at once: one refresh, no visible failure', async (t) => {
  const { client, server, pass } = await makeSignedInStage(t);
  pass(5000);
  const responses = await Promise.all(Array.from({ length: 20 }, () => client.fetch(`${server.origin}/api`)));
  assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200]);
  assert.equal(server.count('/token', 'refresh_token'), 1);
  assert.equal(server.count('/api'), 20);
});

test('B13: 20 calls refused at once cause one refresh and one retry each', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  server.expireAccessTokens();
  const responses = await Promise.all(Array.from({ length: 20 }, () => client.fetch(`${server.origin}/api`)));
  assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200]);
  assert.equal(server.count('/token', 'refresh_token'), 1);
  assert.equal(server.count('/api'), 40);
});

test('D1: 20 explicit refreshes at once are one', async (t) => {
  const { client, server } = await makeSignedInStage(t);
  const all = await Promise.all(Array.from({ length: 20 }, () => client.refresh()));
  assert.equal(new Set(all.map(({ access_token }) => access_token)).size, 1);
  assert.equal(server.count('/token', 'refresh_token'), 1);
});

const survivable: [
  name: string,
  failures: Parameters<typeof Array.of<'lost_before' | 'lost_after' | 'cut_body' | 503 | 500 | 429>>[0][],
][] = [
  ['lost before it reached the server', ['lost_before']],
  ['whose answer is lost', ['lost_after']],
  ['whose answer is cut in the middle', ['cut_body']],
  ['lost twice, then answered', ['lost_after', 'lost_after']],
  ['met by 503', [503]],
  ['met by 500, 429 and a lost answer', [500, 429, 'lost_after']],
];

for (const [name, failures] of survivable) {
  test(`D1: a refresh ${name} succeeds with the same refresh token`, async (t) => {
    const stage = await makeSignedInStage(t);
    const before = await stage.client.getTokens();
    stage.server.failures = [...failures];
    await stage.client.refresh();
    const sent = stage.server.requests
      .filter(({ grant_type }) => grant_type === 'refresh_token')
      .map(({ body }) => body.get('refresh_token'));
    assert.deepEqual([...new Set(sent)], [before?.refresh_token]);
    assert.equal(sent.length, failures.length + 1);
    assert.equal(stage.waits.length, failures.length);
    assert.equal([...stage.server.grants.values()][0]?.generation, 1, 'one rotation');
    assert.deepEqual(stage.required, []);
  });
}

const enduring: [
  name: string,
  failures: ('lost_before' | 503 | 'html' | 'invalid_client' | 'bearer')[],
  code: string,
][] = [
  ['no network', ['lost_before', 'lost_before', 'lost_before', 'lost_before'], 'network'],
  ['a server that is away', [503, 503, 503, 503], 'server_unavailable'],
  ['a page of a captive portal', ['html'], 'invalid_response'],
  ['a refusal of the client', ['invalid_client'], 'server_refused'],
  ['a bearer token', ['bearer'], 'dpop_not_bound'],
];

for (const [name, failures, code] of enduring) {
  test(`D1: ${name} is ${code}, not a sign-out, and the next refresh succeeds`, async (t) => {
    const stage = await makeSignedInStage(t);
    const before = await stage.client.getTokens();
    stage.server.failures = [...failures];
    await assert.rejects(stage.client.refresh(), { code });
    assert.deepEqual(await stage.client.getTokens(), before);
    assert.deepEqual(stage.required, []);
    assert.equal(stage.server.count('/token', 'refresh_token'), failures.length);
    await stage.client.refresh();
    assert.equal([...stage.server.grants.values()][0]?.ended, false);
  });
}

test('the pauses between attempts grow, with a random part', async (t) => {
  const stage = await makeSignedInStage(t, { runtime: { random: (size) => new Uint8Array(size).fill(255) } });
  stage.server.failures = [503, 503, 503, 503];
  await assert.rejects(stage.client.refresh(), { code: 'server_unavailable' });
  assert.deepEqual(stage.waits, [500, 1000, 2000]);
});

test('D1: no attempt begins so late that the token of a lost answer would look stolen', async (t) => {
  let pass: (seconds: number) => void = () => {};
  // Each attempt and its pause take twelve seconds.
  const stage = await makeSignedInStage(t, { runtime: { wait: async () => pass(12) } });
  pass = stage.pass;
  stage.server.failures = [503, 503, 503, 503];
  await assert.rejects(stage.client.refresh(), { code: 'server_unavailable' });
  assert.equal(stage.server.count('/token', 'refresh_token'), 3, 'at 0, 12 and 24 s; at 36 the window of 30 is over');
});

test('D1: a device that slept through the pause between attempts does not present the token hours later', async (t) => {
  let pass: (seconds: number) => void = () => {};
  const stage = await makeSignedInStage(t, { runtime: { wait: async () => pass(7200) } });
  pass = stage.pass;
  stage.server.failures = [503];
  await assert.rejects(stage.client.refresh(), { code: 'server_unavailable' });
  assert.equal(stage.server.count('/token', 'refresh_token'), 1);
});

test('a short Retry-After is kept between attempts', async (t) => {
  const stage = await makeSignedInStage(t);
  Object.assign(stage.server, { failures: [503], retryAfter: '4' });
  await stage.client.refresh();
  assert.deepEqual(stage.waits, [4000]);
});

test('a long Retry-After is told to the caller and kept by all later calls', async (t) => {
  const stage = await makeSignedInStage(t);
  Object.assign(stage.server, { failures: [503], retryAfter: '120' });
  await assert.rejects(stage.client.refresh(), { code: 'server_unavailable', retryAfter: 120 });
  stage.pass(20);
  await assert.rejects(stage.client.refresh(), { code: 'server_unavailable', retryAfter: 100 });
  assert.equal(stage.server.count('/token', 'refresh_token'), 1, 'the server was left alone');
  stage.pass(100);
  await stage.client.refresh();
  assert.deepEqual(stage.required, []);
});

test('a token that is about to end but still good is used when the server is away', async (t) => {
  const stage = await makeSignedInStage(t);
  stage.pass(870);
  stage.server.failures = [503, 503, 503, 503];
  assert.equal((await stage.client.fetch(`${stage.server.origin}/api`)).status, 200);
  assert.equal((await stage.client.fetch(`${stage.server.origin}/api`)).status, 200);
  assert.equal(stage.server.count('/token', 'refresh_token'), 4, 'the second call did not wait for it again');
  stage.pass(11);
  await stage.client.fetch(`${stage.server.origin}/api`);
  assert.equal(stage.server.count('/token', 'refresh_token'), 5);
});

test('a short-lived token is not refreshed at every call', async (t) => {
  const stage = await makeStage(t);
  stage.server.accessTokenLifetime = 40;
  await signIn(stage);
  stage.pass(29);
  await stage.client.getAccessToken();
  assert.equal(stage.server.count('/token', 'refresh_token'), 0);
  stage.pass(1);
  await stage.client.getAccessToken();
  assert.equal(stage.server.count('/token', 'refresh_token'), 1);
});

test('C11: sign-in required is raised once however many calls fail, and again only for the next sign-in', async (t) => {
  const stage = await makeSignedInStage(t);
  stage.server.endAllGrants();
  stage.pass(1000);
  const call = () => stage.client.fetch(`${stage.server.origin}/api`);
  const failures = await Promise.allSettled(Array.from({ length: 20 }, call));
  for (const failure of failures)
    assert.equal(failure.status === 'rejected' && failure.reason.code, 'sign_in_required');
  await assert.rejects(call(), { code: 'sign_in_required' });
  assert.deepEqual(stage.required, ['refresh_refused']);
  assert.equal(stage.server.count('/token', 'refresh_token'), 1, 'no loop');
  assert.equal(stage.server.count('/api'), 0);
  await signIn(stage);
  stage.server.endAllGrants();
  await assert.rejects(stage.client.refresh(), { code: 'refresh_refused' });
  assert.deepEqual(stage.required, ['refresh_refused', 'refresh_refused']);
});

test('a slow adapter that still returns what was removed raises nothing a second time', async (t) => {
  const inner = memoryStorage();
  let late: string | null | undefined;
  const storage = { ...inner, get: async (key: string) => late ?? inner.get(key) };
  const stage = await makeSignedInStage(t, { storage });
  const text = await inner.get(`tessera:${stage.server.origin}/:web:tokens`);
  stage.server.endAllGrants();
  await assert.rejects(stage.client.refresh());
  late = text;
  await assert.rejects(stage.client.getAccessToken(), { code: 'sign_in_required' });
  await assert.rejects(stage.client.refresh(), { code: 'sign_in_required' });
  assert.deepEqual(stage.required, ['refresh_refused']);
});

test('signing out while a refresh is under way is not undone by its answer', async (t) => {
  const stage = await makeSignedInStage(t);
  const { isAsked, release } = stage.server.holdToken();
  const refreshing = stage.client.refresh();
  await isAsked();
  await stage.client.signOut();
  release();
  await assert.rejects(refreshing, { code: 'sign_in_required' });
  assert.equal(await stage.client.getTokens(), undefined);
  assert.deepEqual(stage.changes, ['signed_in', 'signed_out']);
  assert.deepEqual(stage.required, [], 'the user wanted it');
});

test('signing in again while a refresh is under way wins over its answer', async (t) => {
  const stage = await makeSignedInStage(t);
  const { url, pending } = await stage.client.createAuthorizationRequest('http://localhost/callback');
  const back = await stage.server.approve(url);
  const { isAsked, release } = stage.server.holdToken();
  const refreshing = stage.client.refresh();
  await isAsked();
  const fresh = await stage.client.redeemAuthorizationResponse(pending, back.searchParams);
  release();
  assert.deepEqual(await refreshing, fresh);
  assert.deepEqual(await stage.client.getTokens(), fresh);
});

test('D1: two clients on one storage without a lock: the slower finds the other was quicker and nobody is signed out', async (t) => {
  const shared = { storage: memoryStorage(), dpopKeys: memoryDpopKeys() };
  const stage = await makeSignedInStage(t, shared);
  const second = new TokenClient({
    issuer: stage.server.origin,
    client_id: 'web',
    ...shared,
    runtime: { now: () => stage.server.now() },
  });
  const [one, two] = await Promise.all([stage.client.refresh(), second.refresh()]);
  assert.equal(stage.server.count('/token', 'refresh_token'), 2);
  assert.equal(one.refresh_token, two.refresh_token);
  assert.equal([...stage.server.grants.values()][0]?.generation, 1);
  assert.deepEqual(stage.required, []);
});

test('D1: a refused token that another client has meanwhile replaced is no sign-out', async (t) => {
  const shared = { storage: memoryStorage(), dpopKeys: memoryDpopKeys() };
  const stage = await makeSignedInStage(t, shared);
  const second = new TokenClient({
    issuer: stage.server.origin,
    client_id: 'web',
    ...shared,
    runtime: { now: () => stage.server.now() },
  });
  await second.getTokens();
  const { isAsked, release } = stage.server.holdToken();
  const slow = stage.client.refresh();
  await isAsked();
  const quick = await second.refresh();
  stage.server.failures = ['invalid_grant'];
  release();
  assert.equal((await slow).access_token, quick.access_token);
  assert.deepEqual(stage.required, []);
});

test('B13: clients on one storage with a lock send one refresh', async (t) => {
  let queue: Promise<unknown> = Promise.resolve();
  const exclusively = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work);
    queue = turn.catch(() => undefined);
    return turn;
  };
  const shared = { storage: memoryStorage(), dpopKeys: memoryDpopKeys(), exclusively };
  const stage = await makeSignedInStage(t, shared);
  const second = new TokenClient({
    issuer: stage.server.origin,
    client_id: 'web',
    ...shared,
    runtime: { now: () => stage.server.now() },
  });
  const [one, two] = await Promise.all([stage.client.refresh(), second.refresh()]);
  assert.equal(stage.server.count('/token', 'refresh_token'), 1);
  assert.deepEqual(one, two);
});

const strangeIdTokens: [name: string, claims: Record<string, unknown>][] = [
  ['another user', { sub: 'mallory' }],
  ['another issuer', { iss: 'https://evil.example' }],
  ['another audience', { aud: 'other' }],
  ['another sign-in', { auth_time: 2000 }],
  ['another nonce', { nonce: 'other' }],
];

for (const [name, claims] of strangeIdTokens) {
  test(`a refreshed ID token of ${name} is refused with the whole answer (OpenID Connect Core section 12.2)`, async (t) => {
    const stage = await makeSignedInStage(t);
    const before = await stage.client.getTokens();
    stage.server.idTokenClaims = claims;
    await assert.rejects(stage.client.refresh(), { code: 'invalid_id_token' });
    assert.deepEqual(await stage.client.getTokens(), before);
    assert.deepEqual(stage.required, []);
  });
}

test('a lost DPoP key ends the sign-in, because nobody can use the tokens any more', async (t) => {
  const dpopKeys = memoryDpopKeys();
  const stage = await makeSignedInStage(t, { dpopKeys });
  await dpopKeys.remove((await stage.client.getTokens())?.keyId ?? '');
  await assert.rejects(stage.client.fetch(`${stage.server.origin}/api`), becauseOf('dpop_key_lost'));
  assert.deepEqual(stage.required, ['dpop_key_lost']);
  assert.equal(await stage.client.getTokens(), undefined);
});

test('a place of keys that fails is no lost key', async (t) => {
  const dpopKeys = memoryDpopKeys();
  let isBroken = false;
  const stage = await makeSignedInStage(t, {
    dpopKeys: {
      ...dpopKeys,
      load: async (keyId) => (isBroken ? Promise.reject(new Error('blocked')) : dpopKeys.load(keyId)),
    },
  });
  isBroken = true;
  await assert.rejects(stage.client.refresh(), { code: 'storage_unavailable' });
  isBroken = false;
  await stage.client.refresh();
  assert.deepEqual(stage.required, []);
});

test('B1: an access token without refresh token is used to its end, then sign-in is required', async (t) => {
  const storage = memoryStorage();
  const stage = await makeSignedInStage(t, { storage });
  const key = `tessera:${stage.server.origin}/:web:tokens`;
  const { refresh_token, ...rest } = JSON.parse((await storage.get(key)) ?? '');
  assert.equal(typeof refresh_token, 'string');
  await storage.set(key, JSON.stringify(rest));
  stage.pass(890);
  await stage.client.getAccessToken();
  stage.pass(10);
  await assert.rejects(stage.client.getAccessToken(), { code: 'sign_in_required' });
  assert.deepEqual(stage.required, ['sign_in_required']);
});

test('no error ever quotes a token', async (t) => {
  const stage = await makeSignedInStage(t);
  const tokens = await stage.client.getTokens();
  const secrets = [tokens?.access_token, tokens?.refresh_token, tokens?.id_token].map(String);
  const provoke = async (work: () => unknown) => {
    const error = await Promise.resolve()
      .then(work)
      .then(
        () => assert.fail('should fail'),
        (reason: unknown) => reason,
      );
    const told = describe(error);
    for (const secret of secrets) assert.ok(!told.includes(secret), 'an error quotes a token');
  };
  for (const failure of ['html', 'invalid_client', 'bearer'] as const) {
    stage.server.failures = [failure];
    await provoke(() => stage.client.refresh());
  }
  stage.server.idTokenClaims = { sub: 'mallory' };
  await provoke(() => stage.client.refresh());
  stage.server.endAllGrants();
  await provoke(() => stage.client.refresh());
});

function describe(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? String(error);
  return `${error.message} ${error.stack} ${JSON.stringify(error)} ${error.cause === undefined ? '' : describe(error.cause)}`;
}
