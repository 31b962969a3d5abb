import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { TokenClient } from '@tessera/client';
import type { Edge } from '@tessera/edge';
import { protect } from '@tessera/edge/express';
import express, { Router } from 'express';
import { ordersApi, password, startTestServer, type TestServer } from '../test-server.ts';
import { ordersEdge } from './orders-edge.ts';

describe('a command-line app at the real server, and an API under a path that is protected twice', () => {
  let test: TestServer;
  let edge: Edge;
  let api: string;
  let close: () => void;
  before(async () => {
    test = await startTestServer({ listen: true });
    edge = ordersEdge(test.issuer);
    await edge.start();
    const router = Router().get(
      '/orders',
      protect(edge, { scopes: ['orders:read'] }),
      (_request, response) => void response.json([]),
    );
    const server = express().use('/shop', protect(edge), router).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    close = () => {
      server.close();
      server.closeAllConnections();
    };
  });
  after(async () => {
    close();
    await edge.close();
    await test.close();
  });

  for (const seconds of [0, 30, 3600, -3600])
    it(`signs in, calls, refreshes and signs out with a clock that is ${seconds} s fast`, async () => {
      const client = new TokenClient({
        issuer: test.issuer,
        client_id: 'spa',
        scope: 'openid orders:read',
        resource: ordersApi,
        apiOrigins: [api],
        runtime: { now: () => Math.floor(Date.now() / 1000) + seconds },
      });
      const { url, pending } = await client.createAuthorizationRequest('http://127.0.0.1:49152/callback');
      const user = { username: 'ada', password };
      const back = await test.browser().authorize(Object.fromEntries(url.searchParams), user);
      await client.redeemAuthorizationResponse(pending, back.searchParams);
      assert.equal((await client.fetch(`${api}/shop/orders?page=2`)).status, 200);
      const { access_token } = await client.refresh();
      assert.equal((await client.fetch(`${api}/shop/orders`)).status, 200);
      assert.equal(access_token, (await client.getTokens())?.access_token, 'no second refresh was needed');
      assert.deepEqual(await client.signOut(), { revocation: 'done' });
    });
});
