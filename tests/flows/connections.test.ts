import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../test-server.ts';

/** What comes back for text that is sent at once, until the server closes, or as soon as it has given so many answers. */
function exchange(port: number, text: string, enough: number): Promise<{ answers: number; isClosed: boolean }> {
  return new Promise((resolve) => {
    let received = '';
    const answers = () => received.split('HTTP/1.1 200').length - 1;
    const done = (isClosed: boolean) => {
      socket.destroy();
      resolve({ answers: answers(), isClosed });
    };
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      received += chunk;
      if (answers() >= enough) done(false);
    });
    // A connection that is cut while there is more to say is reset.
    socket.on('error', () => undefined);
    socket.on('close', () => done(true));
  });
}

describe('connections that ask for more than they wait for', () => {
  let test: TestServer;
  let port: number;
  before(async () => {
    test = await startTestServer({ listen: true });
    port = Number(new URL(test.issuer).port);
  });
  after(() => test.close());

  const requests = (path: string, count: number) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(count);

  for (const path of ['/health', '/admin/api/users'])
    it(`thousands of requests in one packet are not all taken in: ${path}`, async () => {
      const { answers, isClosed } = await exchange(port, requests(path, 1500), 1500);
      assert.ok(isClosed);
      assert.ok(answers <= 100, `${answers} answers`);
      const other = await fetch(`${test.issuer}/health`);
      assert.equal(other.status, 200, 'others are served');
    });

  it('a handful ahead of the answers is served, again and again on one connection', async () => {
    assert.deepEqual(await exchange(port, requests('/health', 20), 20), { answers: 20, isClosed: false });
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    for (let round = 1; round <= 8; round++) {
      socket.write(requests('/health', 20));
      while (received.split('HTTP/1.1 200').length - 1 < round * 20)
        await new Promise((resolve) => setImmediate(resolve));
    }
    socket.destroy();
  });

  for (const path of ['/health', '/admin/api/openapi.json'])
    it(`a request that names the whole address is answered like any other: ${path}`, async () => {
      const { answers } = await exchange(port, requests(`http://localhost:${port}${path}`, 1), 1);
      assert.equal(answers, 1);
    });

  it('a connection on which nothing moves is cut, but not a poll that is held as long as it may be', async () => {
    let http: Server | undefined;
    const take = (message: unknown) => {
      http = (message as { server: Server }).server;
    };
    subscribe('http.server.request.start', take);
    await fetch(`${test.issuer}/health`);
    unsubscribe('http.server.request.start', take);
    assert.ok(http && http.timeout > 60_000 && http.timeout < 120_000, `${http?.timeout} ms`);
    http.timeout = 300;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST /token HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n`);
    await once(socket, 'close');
  });
});
