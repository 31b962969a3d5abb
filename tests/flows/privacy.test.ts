import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import { ProofKey } from '../proof-key.ts';
import {
  basic,
  obtainCode,
  ordersApi,
  password,
  redeemCode,
  refresh,
  secret,
  startTestServer,
} from '../test-server.ts';

describe('what is written down', () => {
  it('holds no token, code, secret, password or cookie: not the log, not the events, not the rows', async () => {
    const lines: string[] = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const store = await openSqliteStore({ file: ':memory:' });
    const committed: string[] = [];
    const watched = new Proxy(store, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name !== 'commit') return value.bind(target);
        return (...args: unknown[]) => {
          committed.push(JSON.stringify(args));
          return value.apply(target, args);
        };
      },
    });
    const test = await startTestServer({ store: watched, log: pino({ level: 'trace' }, stream) });
    const secrets = new Map<string, string>();
    const keep = (what: string, value: unknown) => secrets.set(String(value), what);
    keep('password', password);
    keep('client secret', secret);

    const browser = test.browser();
    const wrong = await browser.go(`${test.issuer}/account`);
    await browser.submit(wrong, { username: 'ada', password: 'Wr0ng-but-close' });
    keep('wrong password', 'Wr0ng-but-close');
    const key = await ProofKey.make(test);
    const obtained = await obtainCode(test, { browser, parameters: { scope: 'openid email orders:read' } });
    keep('code', obtained.code);
    keep('verifier', obtained.verifier);
    keep('client secret guess', 'gue55ed-client-secret');
    await test.post('/token', { grant_type: 'client_credentials' }, basic('machine', 'gue55ed-client-secret'));
    const headers = await key.headers();
    keep('proof', headers.dpop);
    const { body } = await redeemCode(test, obtained, {}, headers);
    const next = await refresh(test, String(body.refresh_token), await key.headers());
    for (const one of [body, next.body])
      for (const name of ['access_token', 'refresh_token', 'id_token']) keep(name, one[name]);
    await refresh(test, String(body.refresh_token), headers);
    test.advance(3600);
    await refresh(test, String(body.refresh_token), await key.headers());
    await redeemCode(test, obtained, {}, await key.headers());
    await test.post('/introspect', { token: String(next.body.access_token) }, basic('orders-api'));
    await test.post('/revoke', { token: String(next.body.access_token), client_id: 'spa' });
    await test.post('/revoke', { token: String(next.body.refresh_token), client_id: 'web' }, basic('web', 'x'));
    await browser.go(`${test.issuer}/end-session?${new URLSearchParams({ id_token_hint: String(body.id_token) })}`);
    await browser.go(`${test.issuer}/authorize?client_id=spa&redirect_uri=https://evil.net&token=${body.access_token}`);
    await test.server.fetch(new Request(`${test.issuer}/userinfo?access_token=${body.access_token}`));
    await obtainCode(test, { browser, client_id: 'web', parameters: { resource: ordersApi } });
    for (const [name, value] of browser.cookies) keep(`cookie ${name}`, value);
    await test.server.context.refusals.flush();
    await test.close();

    assert.ok(lines.length > 5, 'something was logged');
    const texts = { log: lines.join(''), store: committed.join('\n') };
    for (const [value, what] of secrets) {
      assert.ok(value.length > 8, what);
      for (const [where, text] of Object.entries(texts)) {
        assert.ok(!text.includes(value), `${what} stands in the ${where}`);
        // A token without its signature is a secret's shape, not a secret; its signature is what makes it one.
        const last = value.split('.').at(-1) as string;
        if (last !== value) assert.ok(!text.includes(last), `the signature of ${what} stands in the ${where}`);
      }
    }
    assert.ok(!texts.log.includes('ada@example.com') && !texts.log.includes('Lovelace'), 'no personal data in the log');
  });
});
