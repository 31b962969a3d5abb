import assert from 'node:assert/strict';
import test from 'node:test';
import { makeSignedInStage, makeStage, signIn } from '../../testing/signed-in-client.ts';
import { memoryDpopKeys } from './dpop-keys.ts';
import { TokenClient } from './token-client.ts';
import type { TokenStorage } from './token-storage.ts';

/** A storage that survives the client, for looking into. */
function makeLastingStorage(): TokenStorage & { values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    reach: 'browser',
    get: (key) => values.get(key),
    set: (key, value) => void values.set(key, value),
    remove: (key) => void values.delete(key),
  };
}

test('B14: sign-out revokes the refresh token at the server and leaves nothing here', async (t) => {
  const storage = makeLastingStorage();
  const dpopKeys = memoryDpopKeys();
  const stage = await makeSignedInStage(t, { storage, dpopKeys });
  const tokens = await stage.client.getTokens();
  assert.deepEqual(await stage.client.signOut(), { revocation: 'done' });
  assert.equal(storage.values.size, 0);
  assert.equal(await dpopKeys.load(tokens?.keyId ?? ''), undefined);
  const revoked = Object.fromEntries(stage.server.last('/revoke')?.body ?? []);
  assert.deepEqual(revoked, { client_id: 'web', token: tokens?.refresh_token, token_type_hint: 'refresh_token' });
  assert.equal([...stage.server.grants.values()][0]?.ended, true);
  await assert.rejects(stage.client.fetch(`${stage.server.origin}/api`), { code: 'sign_in_required' });
  assert.deepEqual(stage.required, [], 'a sign-out the user wanted asks for nothing');
  assert.deepEqual(stage.changes, ['signed_in', 'signed_out']);
});

test('B14: offline, sign-out is complete here at once and the server hears of it later', async (t) => {
  const storage = makeLastingStorage();
  const stage = await makeSignedInStage(t, { storage });
  const tokens = await stage.client.getTokens();
  stage.server.revocationFailures = ['lost'];
  assert.deepEqual(await stage.client.signOut(), { revocation: 'pending' });
  assert.equal(await stage.client.getTokens(), undefined);
  assert.deepEqual([...storage.values.keys()], [`tessera:${stage.server.origin}/:web:pending-revocations`]);
  assert.equal([...stage.server.grants.values()][0]?.ended, false);
  assert.equal(await stage.client.settleRevocations(), true);
  assert.equal([...stage.server.grants.values()][0]?.ended, true);
  assert.equal(stage.server.last('/revoke')?.body.get('token'), tokens?.refresh_token);
  assert.equal(storage.values.size, 0);
});

test('B14: a server that is away is told later too', async (t) => {
  const stage = await makeSignedInStage(t);
  stage.server.revocationFailures = [503, 503];
  assert.deepEqual(await stage.client.signOut(), { revocation: 'pending' });
  assert.equal(await stage.client.settleRevocations(), false);
  assert.equal(await stage.client.settleRevocations(), true);
});

test('B14: what could not be told survives a restart where the app chose a storage', async (t) => {
  const storage = makeLastingStorage();
  const stage = await makeSignedInStage(t, { storage });
  stage.server.revocationFailures = ['lost'];
  await stage.client.signOut();
  const restarted = new TokenClient({ issuer: stage.server.origin, client_id: 'web', storage });
  assert.equal(await restarted.settleRevocations(), true);
  assert.equal([...stage.server.grants.values()][0]?.ended, true);
});

test('several sign-outs offline are all told, in one go', async (t) => {
  const stage = await makeSignedInStage(t);
  stage.server.revocationFailures = ['lost', 'lost'];
  await stage.client.signOut();
  await signIn(stage);
  await stage.client.signOut();
  assert.equal(await stage.client.settleRevocations(), true);
  assert.deepEqual(
    [...stage.server.grants.values()].map(({ ended }) => ended),
    [true, true],
  );
});

test('the list of what could not be told does not grow without bound', async (t) => {
  const storage = makeLastingStorage();
  const stage = await makeStage(t, { storage });
  stage.server.revocationFailures = Array.from({ length: 30 }, () => 503);
  for (let round = 0; round < 23; round++) {
    await signIn(stage);
    await stage.client.signOut();
  }
  const [text = ''] = storage.values.values();
  assert.equal(JSON.parse(text).length, 20);
});

test('a rubbish list of pending revocations is no obstacle', async (t) => {
  const storage = makeLastingStorage();
  const stage = await makeSignedInStage(t, { storage });
  storage.values.set(`tessera:${stage.server.origin}/:web:pending-revocations`, '{"x"');
  assert.deepEqual(await stage.client.signOut(), { revocation: 'done' });
  assert.equal(storage.values.size, 0);
});

test('signing out when nobody is signed in does nothing and raises nothing', async (t) => {
  const stage = await makeStage(t);
  assert.deepEqual(await stage.client.signOut(), { revocation: 'none' });
  await assert.rejects(stage.client.getAccessToken(), { code: 'sign_in_required' });
  assert.deepEqual(stage.required, []);
  assert.equal(stage.server.count('/revoke'), 0);
});

test('a server without revocation endpoint leaves nothing pending', async (t) => {
  const stage = await makeStage(t);
  stage.server.metadata = { revocation_endpoint: undefined };
  await signIn(stage);
  assert.deepEqual(await stage.client.signOut(), { revocation: 'done' });
});

test('a listener that throws stops neither the client nor other listeners', async (t) => {
  const stage = await makeSignedInStage(t);
  const uncaught: unknown[] = [];
  const listeners = process.rawListeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => uncaught.push(error));
  stage.client.onChange(() => {
    throw new Error('the app’s mistake');
  });
  let later = 0;
  const stop = stage.client.onChange(() => later++);
  await stage.client.signOut();
  await new Promise((resolve) => setImmediate(resolve));
  for (const listener of listeners) process.on('uncaughtException', listener as (error: Error) => void);
  stop();
  assert.equal(later, 1);
  assert.equal(uncaught.length, 1);
});
