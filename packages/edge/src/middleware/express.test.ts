import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler, Router } from 'express';
import { contractBody, middlewareContract, slowly } from './contract.ts';
import { authOf, protect, resourceMetadata } from './express.ts';

middlewareContract('express', async (edge) => {
  const app = express();
  const nested = Router();
  nested.get('/orders', (request, response) => void response.json(contractBody(authOf(request))));
  nested.get(
    '/reports',
    protect(edge, { scopes: ['orders:read'] }),
    (request, response) => void response.json(contractBody(authOf(request))),
  );
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
  const answerLate: RequestHandler = (_request, response, next) => {
    setImmediate(() => response.status(504).end());
    next();
  };
  app.get('/late', answerLate, protect(slowly(edge)), () => assert.fail('handled although it was answered'));
  app.use('/v1/nested', protect(edge), nested);
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
});
