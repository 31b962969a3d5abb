import assert from 'node:assert/strict';
import fastify from 'fastify';
import { contractBody, middlewareContract, slowly } from './contract.ts';
import { authOf, protect, resourceMetadata } from './fastify.ts';

middlewareContract('fastify', async (edge) => {
  const app = fastify({ forceCloseConnections: true });
  app.addContentTypeParser('application/x-www-form-urlencoded', (_request, _body, done) => done(null, {}));
  app.register(resourceMetadata(edge));
  app.get('/health', async () => ({}));
  app.get('/orders', { onRequest: protect(edge, { scopes: ['orders:read'] }) }, async (request) =>
    contractBody(authOf(request)),
  );
  app.post('/orders', { onRequest: protect(edge, { scopes: ['orders:write'] }) }, async (request) =>
    contractBody(authOf(request)),
  );
  app.addHook('onRequest', async (request, reply) => {
    if (request.url === '/late') setImmediate(() => void reply.code(504).send());
  });
  app.get('/late', { onRequest: protect(slowly(edge)) }, async () => assert.fail('handled although it was answered'));
  app.register(
    async (nested) => {
      nested.addHook('onRequest', protect(edge));
      nested.get('/orders', async (request) => contractBody(authOf(request)));
      nested.get('/reports', { onRequest: protect(edge, { scopes: ['orders:read'] }) }, async (request) =>
        contractBody(authOf(request)),
      );
    },
    { prefix: '/v1/nested' },
  );
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: async () => void (await app.close()) };
});
