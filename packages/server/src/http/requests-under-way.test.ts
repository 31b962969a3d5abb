import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { RequestsUnderWay } from './requests-under-way.ts';

const answerBytes = 512 * 1024;
const body = Buffer.alloc(answerBytes, 'x');
const underWay = new RequestsUnderWay();
let port: number;
let answered = 0;
const server = createServer((request, response) => {
  const { socket } = request;
  if (!underWay.begin(socket)) {
    socket.destroy();
    return;
  }
  // As in the server: an answer comes later than its request.
  setImmediate(() => {
    if (socket.destroyed) return;
    answered++;
    response.end(body);
    if (!underWay.end(socket, response)) socket.destroy();
  });
});
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const ask = (count: number) => 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(count);

test('answers that nobody reads are kept up to a bound: then the connection is cut', { timeout: 10_000 }, async () => {
  answered = 0;
  const connected = once(server, 'connection');
  const reader = connect(port, '127.0.0.1', () => reader.write(ask(90)));
  reader.on('error', () => undefined).pause();
  const [socket] = (await connected) as [Socket];
  await once(socket, 'close');
  assert.ok(answered < 40, `${answered} answers of ${answerBytes} bytes`);
});

test('whoever reads gets as many as he likes, some ahead of the answers', { timeout: 10_000 }, async () => {
  const socket = connect(port, '127.0.0.1');
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  for (let round = 1; round <= 20; round++) {
    socket.write(ask(5));
    while (received < round * 5 * answerBytes) await once(socket, 'data');
  }
  socket.destroy();
});
