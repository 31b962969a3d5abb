import assert from 'node:assert/strict';
import test from 'node:test';
import { makeSignedInStage, makeStage, signIn } from '../../testing/signed-in-client.ts';

const time = 1_900_000_000;

for (const untimelyProofs of ['refused', 'good-with-nonce'] as const)
  for (const ahead of [10, -75, 3600, -86_400])
    test(`C23: a device whose clock is ${ahead} s off signs in, refreshes and calls APIs; its proofs are ${untimelyProofs}`, async (t) => {
      const { server, client, required } = await makeStage(t, { runtime: { now: () => time + ahead } });
      server.now = () => time;
      server.tokenNonce = 'n1';
      server.untimelyProofs = untimelyProofs;
      await signIn({ server, client });
      assert.equal((await client.getUser())?.sub, 'alice');
      await client.refresh();
      assert.equal((await client.fetch(`${server.origin}/api`)).status, 200);
      assert.deepEqual(required, []);
    });

test('B12: a clock that is set while the app runs costs one refresh, however many calls are under way', async (t) => {
  const device = { ahead: 3600 };
  const { server, client, required } = await makeStage(t, { runtime: { now: () => time + device.ahead } });
  server.now = () => time;
  await signIn({ server, client });
  device.ahead = 0;
  server.requests.length = 0;
  const calls = Array.from({ length: 10 }, () => client.fetch(`${server.origin}/api`));
  assert.deepEqual([...new Set((await Promise.all(calls)).map(({ status }) => status))], [200]);
  // One that was refused, and one with the right time.
  assert.equal(server.requests.filter(({ path }) => path === '/token').length, 2);
  assert.deepEqual(required, []);
});

test('B13: an API that refuses proofs for another reason is left at that, with one refresh a minute', async (t) => {
  const { client, server, pass } = await makeSignedInStage(t);
  const refused = { status: 401, challenge: 'DPoP error="invalid_dpop_proof"' };
  const call = async () => {
    server.apiAnswers.push(refused);
    server.requests.length = 0;
    assert.equal((await client.fetch(`${server.origin}/api`)).status, 401);
    return server.requests.filter(({ path }) => path === '/token').length;
  };
  assert.deepEqual([await call(), await call(), await call()], [1, 0, 0]);
  pass(61);
  assert.deepEqual([await call(), await call()], [1, 0]);
});

test('RFC 9110 6.6.1: without a date, or with nonsense for one, the device’s clock counts', async (t) => {
  for (const date of [undefined, 'yesterday']) {
    const { server, client } = await makeStage(t, {
      runtime: {
        now: () => time + 3600,
        fetch: async (input, init) => {
          const answer = await fetch(input, init);
          const headers = new Headers(answer.headers);
          headers.delete('date');
          if (date !== undefined) headers.set('date', date);
          return new Response(await answer.text(), { status: answer.status, headers });
        },
      },
    });
    server.now = () => time;
    await assert.rejects(signIn({ server, client }), { code: 'server_refused' });
  }
});
