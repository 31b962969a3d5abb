import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { refreshSigningKeys, reloadSigningKeys } from '../../packages/server/src/maintenance.ts';
import { RootKeys } from '../../packages/server/src/secrets/root-keys.ts';
import type { DocumentKind } from '../../packages/server/src/store/records.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import { StoreUnavailable } from '../../packages/server/src/store/store.ts';
import { revokeSigningKey, rotateByCommand } from '../../packages/server/src/tokens/key-rotation.ts';
import type { TestBrowser } from '../test-browser.ts';
import {
  basic,
  introspect,
  obtainCode,
  redeemCode,
  refresh,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

const day = 86_400;

describe('signing keys', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer();
    browser = test.browser();
  });
  after(() => test.close());

  async function published(): Promise<string[]> {
    const response = await test.server.fetch(new Request(`${test.issuer}/jwks`));
    return ((await response.json()) as { keys: { kid: string }[] }).keys.map((key) => key.kid);
  }
  const kidOf = (token: unknown) => decodeProtectedHeader(String(token)).kid as string;
  async function machineToken(): Promise<string> {
    const { body } = await test.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
    return String(body.access_token);
  }

  it('D10 by schedule: the successor stands in the key set a day before it signs, and no token is ever unknown', async () => {
    const first = kidOf(await machineToken());
    const announced = new Map<string, number>();
    let signsSince = 0;
    const tokens: { token: string; until: number }[] = [];
    for (let hours = 0; hours < 24 * 95; hours += 6) {
      await refreshSigningKeys(test.server.context);
      const keys = await published();
      for (const kid of keys) if (!announced.has(kid)) announced.set(kid, test.now());
      const token = await machineToken();
      const kid = kidOf(token);
      assert.ok(keys.includes(kid), 'signed by a key that is not published');
      if (kid !== first && signsSince === 0) {
        signsSince = test.now();
        assert.ok(signsSince - (announced.get(kid) as number) >= day, 'announced too late');
        assert.ok(keys.includes(first), 'the retired key is published while its tokens live');
      }
      tokens.push({ token, until: test.now() + 900 });
      const [last] = tokens.slice(-1);
      assert.equal((await introspect(test, last?.token)).active, true);
      test.advance(6 * 3600);
    }
    assert.ok(signsSince > 0, 'it rotated');
    // Kept as long as a session may last: apps hand old ID tokens back when they sign out.
    assert.equal((await published()).includes(first), true);
    test.advance(90 * day);
    await refreshSigningKeys(test.server.context);
    assert.equal((await published()).includes(first), false, 'and the old key is gone in the end');
  });

  it('D10 a token signed just before the change is good until it expires', async () => {
    const before = await redeemCode(test, await obtainCode(test, { browser }));
    await rotateByCommand(test.server.context, ['ES256', 'RS256', 'EdDSA'], true, { kind: 'cli' });
    await reloadSigningKeys(test.server.context);
    const after_ = await redeemCode(test, await obtainCode(test, { browser }));
    assert.notEqual(kidOf(before.body.access_token), kidOf(after_.body.access_token));
    assert.notEqual(kidOf(before.body.id_token), kidOf(after_.body.id_token));
    const keys = await published();
    for (const one of [before, after_]) assert.ok(keys.includes(kidOf(one.body.access_token)));
    assert.equal((await introspect(test, before.body.access_token)).active, true);
    assert.equal((await refresh(test, String(before.body.refresh_token))).status, 200);
    // The hint still signs out.
    const hint = new URLSearchParams({
      id_token_hint: String(before.body.id_token),
      post_logout_redirect_uri: 'https://spa.example.com/',
    });
    assert.equal((await browser.go(`${test.issuer}/end-session?${hint}`)).url, 'https://spa.example.com/');
  });

  it('by command, announced: the successor waits its time', async () => {
    const before = kidOf(await machineToken());
    await rotateByCommand(test.server.context, ['ES256'], false, { kind: 'cli' });
    await reloadSigningKeys(test.server.context);
    assert.equal(kidOf(await machineToken()), before);
    test.advance(day + 1);
    await refreshSigningKeys(test.server.context);
    assert.notEqual(kidOf(await machineToken()), before);
  });

  it('D10 requests in parallel with a rotation: none fails', async () => {
    const { context } = test.server;
    const results: Promise<string>[] = [];
    for (let i = 0; i < 40; i++) {
      results.push(machineToken());
      if (i % 10 === 5)
        results.push(rotateByCommand(context, ['ES256'], true, { kind: 'cli' }).then(() => machineToken()));
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    const tokens = await Promise.all(results);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const keys = await published();
    for (const token of tokens) {
      assert.ok(keys.includes(kidOf(token)));
      assert.equal((await introspect(test, token)).active, true);
    }
  });

  it('a revoked key: what it signed is refused at once, it leaves the set, and a successor signs', async () => {
    const tokens = await redeemCode(test, await obtainCode(test, { browser }));
    const kid = kidOf(tokens.body.access_token);
    assert.equal((await introspect(test, tokens.body.access_token)).active, true);
    assert.equal(await revokeSigningKey(test.server.context, kid, test.now() + 1000, { kind: 'cli' }), true);
    await reloadSigningKeys(test.server.context);
    assert.equal((await introspect(test, tokens.body.access_token)).active, false);
    assert.equal((await published()).includes(kid), false);
    const again = await refresh(test, String(tokens.body.refresh_token));
    assert.equal(again.status, 200, 'sessions are not concerned');
    assert.notEqual(kidOf(again.body.access_token), kid);
    assert.equal(await revokeSigningKey(test.server.context, 'nobody', test.now() + 1000, { kind: 'cli' }), false);
  });
});

describe('signing keys of two processes on one store', () => {
  it('D10 A13 a process that hears of a revoked key and cannot read the keys answers nobody until it can', async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    const rootKeys = new RootKeys([{ id: 'AAAAAA', secret: randomBytes(32), state: 'current' }]);
    let failures = 0;
    const failing = new Proxy(store, {
      get(target, name) {
        if (name === 'close') return async () => undefined;
        const value = Reflect.get(target, name);
        if (name !== 'list') return value.bind?.(target) ?? value;
        return (kind: DocumentKind, ...rest: unknown[]) => {
          if (kind === 'signing_key' && failures-- > 0) return Promise.reject(new StoreUnavailable('for a moment'));
          return value.call(target, kind, ...rest);
        };
      },
    });
    const one = await startTestServer({ store, rootKeys });
    const other = await startTestServer({ store: failing, rootKeys });
    try {
      const { body } = await one.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
      const token = String(body.access_token);
      const ask = () => other.post('/introspect', { token }, basic('orders-api'));
      assert.equal((await ask()).body.active, true);
      const { context } = one.server;
      const revokedKid = String(decodeProtectedHeader(token).kid);
      failures = 1;
      await revokeSigningKey(context, revokedKid, one.now() + 1000, { kind: 'cli' });
      // Its follower wakes, hears of it, and fails.
      while (failures > 0) await sleep(5);
      await sleep(20);
      failures = 1;
      other.advance(2);
      const { status, headers } = await ask();
      assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
      assert.equal((await ask()).body.active, false);
      const issued = await other.post('/token', { grant_type: 'client_credentials' }, basic('machine'));
      assert.notEqual(decodeProtectedHeader(String(issued.body.access_token)).kid, revokedKid);
    } finally {
      await other.close();
      await one.close();
    }
  });
});
