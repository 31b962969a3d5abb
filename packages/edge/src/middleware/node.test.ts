import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { contractBody, middlewareContract, slowly } from './contract.ts';
import { protect } from './node.ts';

middlewareContract('node', async (edge) => {
  const answerAs = (scopes: string[]) =>
    protect(edge, { scopes }, (request, response) => response.end(JSON.stringify(contractBody(request.auth))));
  const read = answerAs(['orders:read']);
  const write = answerAs(['orders:write']);
  const any = answerAs([]);
  const reports = protect(edge, {}, read);
  const late = protect(slowly(edge), {}, () => assert.fail('handled although it was answered'));
  const server = createServer((request, response) => {
    if (request.url === '/late') {
      setImmediate(() => response.writeHead(504).end());
      late(request, response);
    } else if (request.url === '/health') response.end('{}');
    else if (request.url === '/v1/nested/reports') reports(request, response);
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
