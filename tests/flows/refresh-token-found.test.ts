import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { basic, claimsOf, refresh, signInTokens, startTestServer, type TestServer } from '../test-server.ts';

describe('a refresh token that was found somewhere', () => {
  let test: TestServer;
  let authorization: string;
  before(async () => {
    test = await startTestServer();
    const form = { grant_type: 'client_credentials', resource: `${test.issuer}/admin/api` };
    const { body } = await test.post('/token', form, basic('operator'));
    authorization = `Bearer ${body.access_token}`;
  });
  after(() => test.close());

  const call = async (path: string, body?: object) => {
    const response = await test.server.fetch(
      new Request(`${test.issuer}/admin/api${path}`, {
        method: body ? 'POST' : 'GET',
        headers: { authorization, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      }),
    );
    return { status: response.status, text: await response.text() };
  };
  const find = (refreshToken: unknown) => call('/grants/find', { refreshToken });

  it('A12 leads to its grant, client, session and device, whichever application has it, current or spent', async () => {
    for (const clientId of ['spa', 'web'] as const) {
      const headers = { 'user-agent': `phone of ${clientId}` };
      const tokens = await signInTokens(test, { clientId, headers });
      const found = await find(tokens.refresh_token);
      assert.equal(found.status, 200);
      const grant = JSON.parse(found.text);
      assert.equal(grant.grantId, claimsOf(tokens.access_token).grant_id);
      assert.equal(grant.clientId, clientId);
      assert.equal(grant.lastOrigin.userAgent, headers['user-agent']);
      const { session } = JSON.parse((await call(`/sessions/${grant.sid}`)).text);
      assert.equal(session.userId, claimsOf(tokens.access_token).sub);
      if (clientId === 'web') continue;
      const { body } = await refresh(test, tokens.refresh_token);
      for (const token of [tokens.refresh_token, body.refresh_token]) {
        const again = JSON.parse((await find(token)).text);
        assert.deepEqual([again.grantId, again.generation], [grant.grantId, 2], 'looking it up uses nothing up');
      }
    }
  });

  it('what is none leads nowhere, and the answer does not repeat it', async () => {
    const { refresh_token } = await signInTokens(test);
    const forged = `${refresh_token.slice(0, -4)}AAAA`;
    for (const [token, status] of [
      [forged, 404],
      ['a-secret-of-somebody', 404],
      ['', 400],
      [['a-secret-of-somebody'], 400],
    ] as const) {
      const answer = await find(token);
      assert.equal(answer.status, status);
      assert.ok(!answer.text.includes('somebody') && !answer.text.includes(forged));
    }
  });
});
