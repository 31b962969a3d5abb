import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { timeout } from 'hono/timeout';
import { contractBody, middlewareContract, slowly } from './contract.ts';
import { type ProtectedEnv, protect, resourceMetadata } from './hono.ts';

middlewareContract('hono', async (edge) => {
  const app = new Hono();
  const nested = new Hono<ProtectedEnv>();
  nested.use(protect(edge));
  nested.get('/orders', (context) => context.json(contractBody(context.get('auth'))));
  nested.get('/reports', protect(edge, { scopes: ['orders:read'] }), (context) =>
    context.json(contractBody(context.get('auth'))),
  );
  app.use(resourceMetadata(edge));
  app.get('/health', (context) => context.json({}));
  app.get('/orders', protect(edge, { scopes: ['orders:read'] }), (context) =>
    context.json(contractBody(context.get('auth'))),
  );
  app.post('/orders', protect(edge, { scopes: ['orders:write'] }), (context) =>
    context.json(contractBody(context.get('auth'))),
  );
  app.get('/late', timeout(5), protect(slowly(edge)), (context) => context.json({}));
  app.route('/v1/nested', nested);
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
});
