import type { AddressInfo } from 'node:net';
import express, { Router } from 'express';
import { contractBody, middlewareContract } from './contract.ts';
import { authOf, protect, resourceMetadata } from './express.ts';

middlewareContract('express', async (edge) => {
  const app = express();
  const nested = Router();
  nested.get('/orders', (request, response) => void response.json(contractBody(authOf(request))));
  app.use(resourceMetadata(edge));
  app.get('/health', (_request, response) => void response.json({}));
  app.get(
    '/orders',
    protect(edge, { scopes: ['orders:read'] }),
    (request, response) => void response.json(contractBody(authOf(request))),
  );
  app.post(
    '/orders',
    protect(edge, { scopes: ['orders:write'] }),
    (request, response) => void response.json(contractBody(authOf(request))),
  );
  app.use('/v1/nested', protect(edge), nested);
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
});
