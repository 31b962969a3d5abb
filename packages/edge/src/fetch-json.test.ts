import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { EdgeRequestError, fetchJson, type JsonRequest } from './fetch-json.ts';
import { IssuerMetadata, metadataUrls } from './issuer-metadata.ts';

let base: string;
let followed = 0;
const bomb = gzipSync(Buffer.alloc(32 * 1024 * 1024, ' '));
let isEndlessCut = false;
const endless = (response: ServerResponse) => {
  response.on('close', () => {
    isEndlessCut = true;
  });
  response.write(' '.repeat(100_000));
};
const server = createServer((request, response) => {
  if (request.url === '/redirect') response.writeHead(302, { location: '/followed' }).end();
  else if (request.url === '/followed') followed++;
  else if (request.url === '/hang') return;
  else if (request.url === '/drip') response.write('{');
  else if (request.url === '/large') response.end(JSON.stringify({ pad: 'x'.repeat(5000) }));
  else if (request.url === '/html') response.end('<html>');
  else if (request.url === '/204') response.writeHead(204).end();
  else if (request.url === '/endless-401') response.writeHead(401).flushHeaders();
  else if (request.url === '/endless') endless(response);
  else if (request.url === '/bomb') response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
  else if (request.url === '/404') response.writeHead(404).end('{}');
  else response.end('{"ä":1}');
});

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const ask = (path: string, more: Partial<JsonRequest> = {}) =>
  fetchJson({ fetch, url: `${base}${path}`, timeoutMs: 2000, largestAnswerBytes: 4096, ...more });
const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'answered',
    (error: EdgeRequestError) => [error instanceof EdgeRequestError, error.code],
  );

test('a JSON answer is read', async () => {
  assert.deepEqual((await ask('/')).body, { ä: 1 });
});

test('everything else has a code, and nothing is awaited for ever', async () => {
  assert.deepEqual(await codeOf(ask('/redirect')), [true, 'unreachable']);
  assert.equal(followed, 0, 'a redirect could carry credentials elsewhere');
  assert.deepEqual(await codeOf(ask('/hang', { timeoutMs: 50 })), [true, 'timeout']);
  assert.deepEqual(await codeOf(ask('/drip', { timeoutMs: 50 })), [true, 'timeout']);
  assert.deepEqual(await codeOf(ask('/large')), [true, 'too_large']);
  assert.deepEqual(await codeOf(ask('/html')), [true, 'not_json']);
  assert.deepEqual(await codeOf(ask('/204')), [true, 'status']);
  assert.deepEqual(await codeOf(ask('/404')), [true, 'status']);
  assert.deepEqual(
    await codeOf(fetchJson({ fetch, url: 'http://127.0.0.1:1', timeoutMs: 2000, largestAnswerBytes: 1 })),
    [true, 'unreachable'],
  );
});

test('a refusal is told by its status at once, also where its body never goes on', async () => {
  const startedMs = performance.now();
  await assert.rejects(ask('/endless-401'), { code: 'status', status: 401 });
  assert.ok(performance.now() - startedMs < 1000);
});

test('the bound holds for what a compressed answer unpacks to, and an answer that is not read on is cut', async () => {
  assert.ok(bomb.length < 40_000);
  assert.deepEqual(await codeOf(ask('/bomb', { largestAnswerBytes: 1024 * 1024 })), [true, 'too_large']);
  assert.deepEqual(await codeOf(ask('/endless')), [true, 'too_large']);
  for (let tries = 0; !isEndlessCut && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(isEndlessCut, true);
});

test('what the network said stands in the message: the operator of an API needs it', async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
  await new Promise((resolve) => gone.close(resolve));
  await assert.rejects(fetchJson({ fetch, url, timeoutMs: 2000, largestAnswerBytes: 1 }), {
    message: `${url} could not be reached (ECONNREFUSED)`,
  });
});

test('a request is cancelled from outside, before and during', async () => {
  assert.deepEqual(await codeOf(ask('/', { signal: AbortSignal.abort() })), [true, 'unreachable']);
  const cancel = new AbortController();
  const asked = codeOf(ask('/hang', { signal: cancel.signal }));
  setTimeout(() => cancel.abort(), 20);
  assert.deepEqual(await asked, [true, 'unreachable']);
});

test('RFC 8414 section 3.1: the metadata of an issuer with a path has its well-known part before the path', () => {
  assert.deepEqual(metadataUrls('https://id.example.com'), [
    'https://id.example.com/.well-known/oauth-authorization-server',
    'https://id.example.com/.well-known/openid-configuration',
  ]);
  assert.deepEqual(metadataUrls('https://id.example.com/tenant/'), [
    'https://id.example.com/.well-known/oauth-authorization-server/tenant',
    'https://id.example.com/tenant/.well-known/openid-configuration',
  ]);
});

test('a metadata document of another issuer is refused with both names', async () => {
  const metadata = new IssuerMetadata({
    issuer: 'https://id.example.com/',
    fetch: async () => Response.json({ issuer: 'https://id.example.com' }),
    monotonicMs: () => 0,
    isAllowedUrl: () => true,
  });
  await assert.rejects(
    metadata.get(),
    /is the metadata of issuer "https:\/\/id.example.com", expected "https:\/\/id.example.com\/"/,
  );
});
