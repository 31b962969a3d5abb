import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { contractBody, middlewareContract } from './contract.ts';
import { protect } from './node.ts';

middlewareContract('node', async (edge) => {
  const answerAs = (scopes: string[]) =>
    protect(edge, { scopes }, (request, response) => response.end(JSON.stringify(contractBody(request.auth))));
  const read = answerAs(['orders:read']);
  const write = answerAs(['orders:write']);
  const any = answerAs([]);
  const server = createServer((request, response) => {
    if (request.url === '/health') response.end('{}');
    else if (!request.url?.startsWith('/orders')) any(request, response);
    else if (request.method === 'POST') write(request, response);
    else read(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
});
