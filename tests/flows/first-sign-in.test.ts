import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { refresh, signInTokens, startTestServer, type TestServer } from '../test-server.ts';

describe('the first sign-in', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer();
  });
  after(() => test.close());

  it('A11 A23 gives a signed JWT and an opaque refresh token', async () => {
    const tokens = await signInTokens(test);
    assert.equal(tokens.access_token.split('.').length, 3);
    assert.match(tokens.refresh_token, /^tsr_[A-Za-z0-9_-]{96}$/);
    assert.equal(tokens.expires_in, 900);
  });

  it('D1 answers fifty parallel redemptions of one refresh token with one successor', async () => {
    const tokens = await signInTokens(test);
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(test, tokens.refresh_token)));
    assert.deepEqual([...new Set(answers.map((one) => one.status))], [200]);
    const successors = new Set(answers.map((one) => one.body.refresh_token));
    assert.equal(successors.size, 1);
    assert.notEqual([...successors][0], tokens.refresh_token);
  });
});
