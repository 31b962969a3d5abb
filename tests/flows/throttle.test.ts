import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createClientAddress, sourceOf } from '../../packages/server/src/http/client-address.ts';
import type { Page, TestBrowser } from '../test-browser.ts';
import {
  basic,
  eventsOf,
  obtainCode,
  password,
  pkce,
  redeemCode,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

const limits = {
  account: { failures: 3, window: 300 },
  source: { failures: 10, window: 500 },
  client: { failures: 4, window: 400 },
};

describe('guessing passwords', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer({ config: { throttle: limits } });
  });
  after(() => test.close());

  async function signInPage(browser: TestBrowser): Promise<Page> {
    const parameters = {
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: 'https://spa.example.com/callback',
      prompt: 'login',
      code_challenge: pkce().challenge,
      code_challenge_method: 'S256',
    };
    return browser.go(`${test.issuer}/authorize?${new URLSearchParams(parameters)}`);
  }
  let lastIp = 0;
  const stranger = () => test.browser(`198.51.100.${++lastIp}`);
  async function guess(browser: TestBrowser, username: string, guessed = 'wrong password') {
    return browser.submit(await signInPage(browser), { username, password: guessed });
  }

  it('is slowed after a few failures for one account, from wherever they come, and says how long to wait', async () => {
    for (let i = 0; i < 3; i++) assert.equal((await guess(stranger(), 'ada')).status, 401);
    const refused = await guess(stranger(), 'ada', password);
    assert.equal(refused.status, 429, 'even the right one, from an unknown browser');
    const wait = Number(refused.headers.get('retry-after'));
    assert.ok(wait > 0 && wait <= 100, String(wait));
    assert.equal((await guess(stranger(), 'ADA ', password)).status, 429, 'in any spelling');
    assert.equal((await guess(stranger(), 'ada@example.com', password)).status, 429, 'and by e-mail address');
    assert.equal((await guess(stranger(), 'bob', 'wrong')).status, 401, 'other accounts are not concerned');
    test.advance(wait);
    assert.ok((await guess(stranger(), 'ada', password)).url.includes('code='));
    await test.server.context.refusals.flush();
    const [event] = await eventsOf(test, 'sign_in.throttled');
    assert.equal(event?.userId, (await test.store.findUser('ada'))?.userId);
  });

  it('an unknown user is counted and answered alike', async () => {
    const strip = (page: Page) => page.html.replace(/value="[^"]*"/g, '').replace(/request=[\w-]+/g, '');
    const seen: Record<string, string[]> = { bob: [], eve: [] };
    test.advance(1000);
    for (const username of ['bob', 'eve'])
      for (let i = 0; i < 5; i++) {
        const page = await guess(stranger(), username);
        seen[username]?.push(`${page.status} ${page.headers.get('retry-after')} ${strip(page)}`);
      }
    assert.deepEqual(seen.bob, seen.eve);
    assert.equal(seen.bob?.filter((one) => one.startsWith('429')).length, 2);
  });

  it('a stranger cannot lock out a browser that signed in to the account before', async () => {
    test.advance(1000);
    const home = test.browser('203.0.113.7');
    assert.ok((await guess(home, 'ada', password)).url.includes('code='));
    for (let i = 0; i < 5; i++) await guess(stranger(), 'ada');
    assert.equal((await guess(stranger(), 'ada', password)).status, 429);
    assert.ok((await guess(home, 'ada', password)).url.includes('code='));
    // Nor does the cookie of an account of one's own help against another.
    const mine = stranger();
    assert.ok((await guess(mine, 'bob', password)).url.includes('code='));
    assert.equal((await guess(mine, 'ada', password)).status, 429);
  });

  it('a known browser that guesses is slowed by its own count', async () => {
    test.advance(1000);
    const stolen = stranger();
    assert.ok((await guess(stolen, 'bob', password)).url.includes('code='));
    for (let i = 0; i < 3; i++) assert.equal((await guess(stolen, 'bob')).status, 401);
    assert.equal((await guess(stolen, 'bob', password)).status, 429);
  });

  it('guesses at many accounts from one source are slowed, an IPv6 source by its /64', async () => {
    test.advance(1000);
    for (let i = 0; i < 10; i++)
      assert.equal((await guess(test.browser(`2001:db8:1:2::${i.toString(16)}`), `user${i}`)).status, 401);
    assert.equal((await guess(test.browser('2001:db8:1:2:ffff::1'), 'userX')).status, 429);
    assert.equal((await guess(test.browser('2001:db8:1:3::1'), 'userX')).status, 401);
  });

  it('forty parallel guesses are no way around the limit: at most three are looked at', async () => {
    test.advance(1000);
    const { passwords } = test.server.context;
    const verify = passwords.verify.bind(passwords);
    let looked = 0;
    passwords.verify = (text, hash) => {
      looked++;
      return verify(text, hash);
    };
    const pages = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const browser = stranger();
        return { browser, page: await signInPage(browser) };
      }),
    );
    const answers = await Promise.all(
      pages.map(({ browser, page }, i) =>
        browser.submit(page, { username: 'ada', password: i === 39 ? password : `guess ${i}` }),
      ),
    );
    passwords.verify = verify;
    assert.ok(looked <= 3, `${looked} were looked at`);
    assert.equal(answers.filter((one) => one.status === 429).length, 40 - looked);
    test.advance(101);
    assert.ok(
      (await guess(stranger(), 'ada', password)).url.includes('code='),
      'and the account is not locked for longer',
    );
  });
});

describe('guessing at the token endpoint', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer({ config: { throttle: limits } });
  });
  after(() => test.close());

  async function from(ip: string, form: Record<string, string>, headers: Record<string, string> = {}) {
    const request = new Request(`${test.issuer}/token`, { method: 'POST', body: new URLSearchParams(form), headers });
    const response = await test.server.fetch(request, ip);
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Record<string, unknown>,
    };
  }
  const machine = (ip: string, secret?: string) =>
    from(ip, { grant_type: 'client_credentials' }, basic('machine', secret));

  it('client secrets are counted per client and source; the client elsewhere is not concerned', async () => {
    for (let i = 0; i < 4; i++) assert.equal((await machine('198.51.100.1', 'wrong')).status, 401);
    const refused = await machine('198.51.100.1');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.equal((await machine('203.0.113.1')).status, 200);
    test.advance(100);
    assert.equal((await machine('198.51.100.1')).status, 200);
  });

  it('invented codes are counted per source', async () => {
    const form = { grant_type: 'authorization_code', client_id: 'spa', code: 'x', code_verifier: pkce().verifier };
    for (let i = 0; i < 10; i++) assert.equal((await from('198.51.100.2', form)).status, 400);
    assert.equal((await from('198.51.100.2', form)).status, 429);
    assert.equal((await from('203.0.113.2', form)).status, 400);
  });

  it('a stranger who sends a web app invented codes does not keep its other users out', async () => {
    const form = { grant_type: 'authorization_code', code: 'x', redirect_uri: 'https://web.example.com/callback' };
    for (let i = 0; i < 15; i++) {
      const answer = await from('127.0.0.1', form, basic('web'));
      assert.equal(answer.status, 400);
    }
    const obtained = await obtainCode(test, { client_id: 'web' });
    assert.equal((await redeemCode(test, obtained, {}, basic('web'))).status, 200);
  });
});

describe('where a request comes from', () => {
  it('X-Forwarded-For is believed from trusted proxies alone, from the right, up to the first stranger', () => {
    const table: [string[], string, string | undefined, string][] = [
      [[], '198.51.100.1', '203.0.113.1', '198.51.100.1'],
      [['10.0.0.0/8'], '198.51.100.1', '203.0.113.1', '198.51.100.1'],
      [['10.0.0.0/8'], '10.0.0.1', '203.0.113.1', '203.0.113.1'],
      [['10.0.0.0/8'], '10.0.0.1', '6.6.6.6, 203.0.113.1', '203.0.113.1'],
      [['10.0.0.0/8'], '10.0.0.1', '203.0.113.1, 10.0.0.2', '203.0.113.1'],
      [['10.0.0.0/8'], '10.0.0.1', '6.6.6.6, 203.0.113.1, 10.0.0.2', '203.0.113.1'],
      [['10.0.0.0/8'], '10.0.0.1', undefined, '10.0.0.1'],
      [['10.0.0.0/8'], '10.0.0.1', 'nonsense', '10.0.0.1'],
      [['10.0.0.0/8'], '10.0.0.1', '203.0.113.1, nonsense', '10.0.0.1'],
      [['10.0.0.0/8'], '::ffff:10.0.0.1', '203.0.113.1', '203.0.113.1'],
      [['::1'], '::1', '2001:db8::1', '2001:db8::1'],
    ];
    for (const [trusted, peer, header, expected] of table)
      assert.equal(createClientAddress(trusted)(peer, header), expected, `${trusted} ${peer} ${header}`);
  });

  it('a header that is ignored is told once, with who sends it, because all behind a proxy would count as one', () => {
    const told: string[] = [];
    const address = createClientAddress(['10.0.0.1'], (peer) => told.push(peer));
    address('10.0.0.1', '203.0.113.1');
    address('198.51.100.1', undefined);
    assert.deepEqual(told, []);
    for (const peer of ['127.0.0.1', '127.0.0.1', '198.51.100.1']) address(peer, '203.0.113.1');
    assert.deepEqual(told, ['127.0.0.1']);
  });

  it('the metrics are for this machine, not for whom a proxy on it speaks for, trusted or not', async () => {
    for (const trustedProxies of [[], ['127.0.0.1']]) {
      const test = await startTestServer({ listen: true, config: { trustedProxies } });
      const ask = async (headers: Record<string, string>) =>
        (await fetch(`${test.issuer}/metrics`, { headers })).status;
      assert.equal(await ask({}), 200);
      assert.equal(await ask({ 'x-forwarded-for': '127.0.0.1' }), 200);
      assert.equal(await ask({ 'x-forwarded-for': '203.0.113.1' }), 401);
      assert.equal(await ask({ 'x-forwarded-for': '127.0.0.1, 203.0.113.1' }), 401);
      await test.close();
    }
  });

  it('an IPv6 source is its /64, in one spelling', () => {
    assert.equal(sourceOf('2001:db8:0:1::1'), sourceOf('2001:0db8:0000:0001:ffff:ffff:ffff:ffff'));
    assert.notEqual(sourceOf('2001:db8:0:1::1'), sourceOf('2001:db8:0:2::1'));
    assert.equal(sourceOf('fe80::1%eth0'), sourceOf('fe80::2'));
    assert.equal(sourceOf('::1'), '0:0:0:0::/64');
    assert.equal(sourceOf('198.51.100.1'), '198.51.100.1');
  });

  it('over a port: without trusted proxies the header changes nothing', async () => {
    const test = await startTestServer({ listen: true, config: { throttle: limits } });
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) {
      const response = await fetch(`${test.issuer}/token`, {
        method: 'POST',
        headers: { ...basic('machine', 'wrong'), 'x-forwarded-for': `203.0.113.${i}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
      statuses.push(response.status);
    }
    assert.deepEqual(statuses, [401, 401, 401, 401, 429, 429]);
    await test.close();
  });
});
