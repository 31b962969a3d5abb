import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  basic,
  obtainCode,
  ordersApi,
  redeemCode,
  signInTokens,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

type Explained = { reason: string; event: { clientId?: string; data: Record<string, unknown> } };

describe('why a request was refused', () => {
  let test: TestServer;
  let token: string;
  before(async () => {
    test = await startTestServer();
    const form = { grant_type: 'client_credentials', resource: `${test.issuer}/admin/api` };
    token = String((await test.post('/token', form, basic('operator'))).body.access_token);
  });
  after(() => test.close());

  const ask = (path: string, headers: Record<string, string> = {}) =>
    test.server.fetch(new Request(`${test.issuer}${path}`, { headers }));

  async function explain(refusalId: unknown): Promise<Explained> {
    const answer = await ask(`/admin/api/refusals/${refusalId}`, { authorization: `Bearer ${token}` });
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()) as Explained;
  }

  it('D4 is told to whoever asks right after the answer', async () => {
    const { body } = await test.post('/introspect', { token: 'x' }, basic('orders-api', 'wrong'));
    assert.equal((await explain(body.refusal_id)).reason, 'client_secret_wrong');
    const unknown = await ask('/admin/api/refusals/b3J0cXVpbWFn', { authorization: `Bearer ${token}` });
    assert.equal(unknown.status, 404);
  });

  it('D4 names what was expected and what came', async () => {
    const { access_token, refresh_token } = await signInTokens(test);
    const plain = await signInTokens(test, { parameters: { scope: 'orders:read' } });
    const redirectUri = 'https://spa.example.com/elsewhere';
    const bearer = { authorization: `Bearer ${access_token}` };
    const refresh = { grant_type: 'refresh_token', refresh_token };
    const authorize = new URLSearchParams({ client_id: 'spa', response_type: 'code', redirect_uri: redirectUri });
    const signOut = new URLSearchParams({ client_id: 'spa', post_logout_redirect_uri: redirectUri });
    const registered = 'http://127.0.0.1/callback https://spa.example.com/callback';
    const cases: [reason: string, asked: Promise<{ headers: Headers }>, expected: string, got: string][] = [
      ['redirect_uri_unregistered', ask(`/authorize?${authorize}`), registered, redirectUri],
      ['redirect_uri_unregistered', ask(`/end-session?${signOut}`), 'https://spa.example.com/', redirectUri],
      ['refresh_foreign', test.post('/token', refresh, basic('web')), 'client spa', 'client web'],
      [
        'resource_not_granted',
        test.post('/token', { ...refresh, client_id: 'spa', resource: 'https://other.example.com' }),
        ordersApi,
        'https://other.example.com',
      ],
      ['token_audience_wrong', ask('/admin/api/users', bearer), `${test.issuer}/admin/api`, ordersApi],
      ['scope_missing', ask('/userinfo', { authorization: `Bearer ${plain.access_token}` }), 'openid', 'orders:read'],
    ];
    for (const [reason, asked, expected, got] of cases) {
      const explained = await explain((await asked).headers.get('tessera-refusal-id'));
      assert.equal(explained.reason, reason);
      assert.partialDeepStrictEqual(explained.event.data, { expected, got }, reason);
    }
  });

  it('D4 names the moment up to which a code, or a refresh token, was good', async () => {
    const obtained = await obtainCode(test);
    const { refresh_token } = await signInTokens(test);
    const start = test.now();
    test.advance(61);
    const late = await redeemCode(test, obtained);
    test.advance(7 * 86_400);
    const idle = await test.post('/token', { grant_type: 'refresh_token', refresh_token, client_id: 'spa' });
    const form = { grant_type: 'client_credentials', resource: `${test.issuer}/admin/api` };
    token = String((await test.post('/token', form, basic('operator'))).body.access_token);
    const utc = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
    assert.partialDeepStrictEqual(await explain(late.body.refusal_id), {
      reason: 'code_expired',
      event: { data: { expected: `redemption before ${utc(start + 60)}`, got: utc(start + 61) } },
    });
    assert.partialDeepStrictEqual(await explain(idle.body.refusal_id), {
      reason: 'grant_idle',
      event: { data: { expected: `use before ${utc(start + 604_800)}`, got: utc(start + 604_861) } },
    });
  });
});

it('D4 a refusal of the admin API tells whose address it was, also behind a trusted proxy', async () => {
  const test = await startTestServer({ listen: true, config: { trustedProxies: ['127.0.0.1'] } });
  try {
    const headers = { 'x-forwarded-for': '203.0.113.7', authorization: 'Bearer stolen' };
    for (const path of ['/admin/api/users', '/admin/api/nowhere']) {
      const refusalId = (await fetch(`${test.issuer}${path}`, { headers })).headers.get('tessera-refusal-id');
      await test.server.context.refusals.flush();
      const events = await test.store.readEvents({ types: ['request.refused'], limit: 100 });
      const event = events.find(({ data }) => data?.refusalId === refusalId);
      assert.partialDeepStrictEqual(event?.data, { origin: { ip: '203.0.113.7' } }, path);
    }
  } finally {
    await test.close();
  }
});
