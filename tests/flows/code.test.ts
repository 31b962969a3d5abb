import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import { ProofKey } from '../proof-key.ts';
import type { TestBrowser } from '../test-browser.ts';
import {
  basic,
  claimsOf,
  eventsOf,
  introspect,
  type ObtainedCode,
  obtainCode,
  pkce,
  redeemCode,
  refresh,
  secret,
  slowed,
  startTestServer,
  type TestServer,
  testConfig,
} from '../test-server.ts';

const { clients: declared = [] } = testConfig('http://localhost:8080');
const clients = [
  ...declared,
  {
    client_id: 'other',
    redirect_uris: ['https://other.example.com/callback', 'https://spa.example.com/callback'],
    scope: 'openid orders:read',
    consent: 'skip' as const,
  },
  {
    client_id: 'old',
    client_secret: secret,
    redirect_uris: ['https://old.example.com/callback'],
    scope: 'openid orders:read',
    pkce: 'optional' as const,
    consent: 'skip' as const,
  },
];

type Answer = Awaited<ReturnType<typeof redeemCode>>;

function assertRefused(answer: Answer, error = 'invalid_grant', status = 400): void {
  assert.equal(answer.body.error, error);
  assert.equal(answer.status, status);
  assert.equal(answer.body.access_token, undefined);
  assert.ok(answer.body.refusal_id);
}

describe('authorization codes', () => {
  let test: TestServer;
  let browser: TestBrowser;
  before(async () => {
    test = await startTestServer({ config: { clients } });
    browser = test.browser();
  });
  after(() => test.close());

  const code = (options: Parameters<typeof obtainCode>[1] = {}) => obtainCode(test, { browser, ...options });

  it('A23 C5 a code and its verifier give tokens', async () => {
    const answer = await redeemCode(test, await code());
    assert.equal(answer.status, 200);
    assert.equal(answer.body.token_type, 'Bearer');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(answer.body.scope, 'openid orders:read');
  });

  it('RFC 6749 4.1.2 of parallel redemptions exactly one wins, and the others end nothing', async () => {
    const slow = await startTestServer({ store: slowed(await openSqliteStore({ file: ':memory:' }), 3) });
    const obtained = await obtainCode(slow);
    const answers = await Promise.all(Array.from({ length: 20 }, () => redeemCode(slow, obtained)));
    const [winner, ...others] = answers.filter((one) => one.status === 200);
    assert.equal(others.length, 0);
    for (const answer of answers) if (answer !== winner) assertRefused(answer);
    assert.equal((await introspect(slow, winner?.body.access_token)).active, true);
    assert.equal((await refresh(slow, String(winner?.body.refresh_token))).status, 200);
    assert.deepEqual(await eventsOf(slow, 'code.reused'), []);
    await slow.close();
  });

  it('RFC 6749 4.1.2, RFC 9700 4.5 a later replay is refused and ends what the code issued, and nothing else', async () => {
    const { body: sibling } = await redeemCode(test, await code());
    const obtained = await code();
    const { body } = await redeemCode(test, obtained);
    test.advance(11);
    assertRefused(await redeemCode(test, obtained, {}, { 'user-agent': 'thief' }));
    assert.equal((await introspect(test, body.access_token)).active, false);
    assertRefused(await refresh(test, String(body.refresh_token)));
    assert.equal((await introspect(test, sibling.access_token)).active, true);
    const grantId = claimsOf(body.access_token).grant_id as string;
    const [event] = await test.store.readEvents({ types: ['code.reused'], grantId, limit: 9 });
    assert.deepEqual(event?.data?.presentedFrom, { ip: '127.0.0.1', userAgent: 'thief' });
    assert.ok(event?.data?.lastUsedFrom);
    // Again and again: one ending, one event.
    assertRefused(await redeemCode(test, obtained));
    assert.equal((await test.store.readEvents({ types: ['code.reused'], grantId, limit: 9 })).length, 1);
  });

  it('RFC 9700 4.5 a replay after the code has expired still ends what it issued', async () => {
    const obtained = await code();
    const { body } = await redeemCode(test, obtained);
    test.advance(300);
    assertRefused(await redeemCode(test, obtained));
    assertRefused(await refresh(test, String(body.refresh_token)));
  });

  it('C9 who lacks what the client holds is refused; the code stays good', async () => {
    const obtained = await code();
    const attempts: [string, Record<string, string>, Record<string, string>?][] = [
      ['another client', { client_id: 'other' }],
      ['a wrong verifier', { code_verifier: pkce().verifier }],
      ['a short verifier', { code_verifier: 'short' }],
      ['the challenge as verifier', { code_verifier: pkce().challenge }],
      ['no verifier', { code_verifier: '' }],
      ['another redirect_uri', { redirect_uri: 'http://127.0.0.1/callback' }],
      ['no redirect_uri', { redirect_uri: '' }],
      ['a redirect_uri in another spelling', { redirect_uri: `${obtained.redirect_uri}/` }],
    ];
    for (const [what, form, headers] of attempts) {
      const answer = await redeemCode(test, obtained, form, headers);
      assert.equal(answer.body.error, 'invalid_grant', what);
    }
    const { body, status } = await redeemCode(test, obtained);
    assert.equal(status, 200);
    test.advance(20);
    for (const [, form, headers] of attempts) assertRefused(await redeemCode(test, obtained, form, headers));
    assert.equal((await refresh(test, String(body.refresh_token))).status, 200);
  });

  it('OAuth 2.1 10.2 a client that shows its verifier need not say the redirect_uri again; one of OpenID Connect must', async () => {
    const without = ({ code, verifier }: ObtainedCode) =>
      test.post('/token', { grant_type: 'authorization_code', code, code_verifier: verifier, client_id: 'spa' });
    const plain = await obtainCode(test, { parameters: { scope: 'orders:read' } });
    const wrong = await redeemCode(test, plain, { redirect_uri: 'https://spa.example.com/other' });
    assert.equal(wrong.body.error, 'invalid_grant', 'one that is said must be right');
    const guessed = await without({ ...plain, verifier: pkce().verifier });
    assert.equal(guessed.body.error, 'invalid_grant', 'the verifier proves it');
    const { status, body } = await without(plain);
    assert.equal(status, 200, JSON.stringify(body));
    const openId = await without(await obtainCode(test, { parameters: { scope: 'openid orders:read' } }));
    assert.equal(openId.body.error, 'invalid_grant');
  });

  it('a code that went to a redirect_uri which was taken away meanwhile is refused', async () => {
    const obtained = await obtainCode(test, {
      browser,
      client_id: 'other',
      redirect_uri: 'https://spa.example.com/callback',
    });
    const other = await test.store.get('client', 'other');
    assert.ok(other);
    const record = { ...other, redirectUris: ['https://other.example.com/callback'] };
    await test.store.commit([{ change: 'put', kind: 'client', expect: other.version, record }]);
    test.server.context.registry.forgetClient('other');
    try {
      assertRefused(await redeemCode(test, obtained, { client_id: 'other' }));
    } finally {
      await test.store.commit([{ change: 'put', kind: 'client', expect: other.version + 1, record: other }]);
      test.server.context.registry.forgetClient('other');
    }
    assert.equal((await redeemCode(test, obtained, { client_id: 'other' })).status, 200);
  });

  it('a confidential client is needed, with its secret, for a code of a confidential client', async () => {
    const obtained = await obtainCode(test, { browser, client_id: 'web' });
    assertRefused(await redeemCode(test, obtained), 'invalid_client', 401);
    assertRefused(await redeemCode(test, obtained, {}, basic('web', 'wrong')), 'invalid_client', 401);
    assertRefused(await redeemCode(test, obtained, {}, basic('old')));
    assert.equal((await redeemCode(test, obtained, {}, basic('web'))).status, 200);
  });

  it('RFC 9449 10 a code bound by dpop_jkt wants that key, and another burns nothing', async () => {
    const key = await ProofKey.make(test);
    const other = await ProofKey.make(test);
    const obtained = await code({ parameters: { dpop_jkt: key.jkt } });
    assertRefused(await redeemCode(test, obtained));
    assertRefused(await redeemCode(test, obtained, {}, await other.headers()));
    const answer = await redeemCode(test, obtained, {}, await key.headers());
    assert.equal(answer.status, 200);
    assert.deepEqual(claimsOf(answer.body.access_token).cnf, { jkt: key.jkt });
  });

  it('RFC 9700 4.8.2 PKCE downgrade: a verifier without a challenge is refused, and so is a challenge without verifier', async () => {
    const callback = await browser.authorize({
      client_id: 'old',
      redirect_uri: 'https://old.example.com/callback',
      scope: 'openid',
      code_challenge_method: '',
    });
    const bare = {
      code: callback.searchParams.get('code') as string,
      verifier: pkce().verifier,
      redirect_uri: 'https://old.example.com/callback',
      client_id: 'old',
      callback,
    };
    assertRefused(await redeemCode(test, bare, {}, basic('old')));
    assert.equal((await redeemCode(test, bare, { code_verifier: '' }, basic('old'))).status, 200);
    const challenged = await code({ client_id: 'old' });
    assertRefused(await redeemCode(test, challenged, { code_verifier: '' }, basic('old')));
  });

  it('a code dies after its minute', async () => {
    const alive = await code();
    test.advance(59);
    assert.equal((await redeemCode(test, alive)).status, 200);
    const dead = await code();
    test.advance(60);
    assertRefused(await redeemCode(test, dead));
  });

  it('a code that was changed, cut or invented is refused', async () => {
    const obtained = await code();
    const { code: text } = obtained;
    const flipped = (at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
    const bad = [
      text.slice(0, -1),
      `${text}A`,
      `${text}=`,
      'x',
      text.toLowerCase(),
      ...[0, 7, 30, 60, text.length - 1].map(flipped),
    ];
    for (const one of bad) assertRefused(await redeemCode(test, { ...obtained, code: one }));
    assertRefused(await redeemCode(test, obtained, { code: '' }), 'invalid_request');
    assert.equal((await redeemCode(test, obtained)).status, 200);
  });

  it('what is sealed for another purpose is no code', async () => {
    const page = await browser.go(
      `${test.issuer}/authorize?${new URLSearchParams({ response_type: 'code', client_id: 'spa', redirect_uri: 'https://spa.example.com/callback', prompt: 'login', code_challenge: pkce().challenge, code_challenge_method: 'S256' })}`,
    );
    const sealed = new URL(page.url).searchParams.get('request') as string;
    assertRefused(await redeemCode(test, { ...(await code()), code: sealed }));
  });
});

describe('authorization codes and what happened meanwhile', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer({ config: { clients } });
  });
  after(() => test.close());

  it('A13 a code is worth nothing once its session has ended', async () => {
    const browser = test.browser();
    const { body } = await redeemCode(test, await obtainCode(test, { browser }));
    const pending = await obtainCode(test, { browser });
    await browser.go(`${test.issuer}/end-session?${new URLSearchParams({ id_token_hint: String(body.id_token) })}`);
    assertRefused(await redeemCode(test, pending));
  });

  it('A13 a code is worth nothing once its user is disabled', async () => {
    const pending = await obtainCode(test, { username: 'bob' });
    const user = await test.store.findUser('bob');
    assert.ok(user);
    const disabled = { ...user, disabled: true };
    await test.store.commit([{ change: 'put', kind: 'user', expect: user.version, record: disabled }]);
    assertRefused(await redeemCode(test, pending));
  });

  it('B20 a code is worth nothing once the consent it rests on is withdrawn', async () => {
    const browser = test.browser();
    const pending = await obtainCode(test, { browser, client_id: 'web' });
    const account = await browser.go(`${test.issuer}/account`);
    const form = account.forms.findIndex((one) => one.hidden.client === 'web');
    await browser.submit(account, { decision: 'withdraw' }, form);
    assertRefused(await redeemCode(test, pending, {}, basic('web')));
  });

  it('B20 A9 whichever comes first, redemption or the ending, nothing is alive afterwards', async () => {
    const slow = await startTestServer({ store: slowed(await openSqliteStore({ file: ':memory:' }), 2) });
    for (const [delay, decision] of [0, 4, 8, 12, 16].flatMap((ms) => [
      [ms, 'withdraw'],
      [ms, 'sign-out-everywhere'],
    ]) as [number, string][]) {
      const browser = slow.browser();
      const pending = await obtainCode(slow, { browser, client_id: 'web' });
      const account = await browser.go(`${slow.issuer}/account`);
      const form = account.forms.findIndex((one) => one.html.includes(`value="${decision}"`));
      const ending = browser.submit(account, { decision }, form);
      await new Promise((resolve) => setTimeout(resolve, delay));
      const { body } = await redeemCode(slow, pending, {}, basic('web'));
      await ending;
      if (body.access_token)
        assert.equal((await introspect(slow, body.access_token, 'web')).active, false, `${decision} ${delay}`);
    }
    await slow.close();
  });

  it('A13 a code is worth nothing once everything of its client, or of the issuer, was cut off', async () => {
    const browser = test.browser();
    const pending = await obtainCode(test, { browser });
    const client = await test.store.get('client', 'spa');
    assert.ok(client);
    const raised = { ...client, epoch: client.epoch + 1 };
    await test.store.commit([{ change: 'put', kind: 'client', expect: client.version, record: raised }]);
    test.server.context.registry.forgetClient('spa');
    assertRefused(await redeemCode(test, pending));
    assert.equal((await redeemCode(test, await obtainCode(test, { browser }))).status, 200);

    const last = await obtainCode(test, { browser });
    const until = test.now() + 1000;
    await test.store.commit(
      [
        {
          change: 'put',
          kind: 'setting',
          expect: 'absent',
          record: { name: 'issuer_epoch', version: 0, value: { epoch: 1 } },
        },
      ],
      [
        {
          type: 'issuer.epoch_raised',
          at: test.now(),
          actor: { kind: 'cli' },
          audiences: null,
          until,
          data: { epoch: 1 },
        },
      ],
    );
    await test.server.context.follower.catchUp();
    assertRefused(await redeemCode(test, last));
  });
});
