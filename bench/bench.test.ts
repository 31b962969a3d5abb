import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAnswer } from './load/http-connection.ts';
import { quantile } from './measure/distribution.ts';
import { assertSmokeRun, runBench, smokeMs } from './smoke-run.ts';

test(
  'a smoke run measures every scenario at every subject without an error, and leaves nothing behind',
  { timeout: smokeMs },
  (context) => assertSmokeRun(context, 'sqlite'),
);

test('a scenario that does not exist is refused with the names of those that do', async () => {
  const { code, complaints } = await runBench(['--only', 'refresh,tea']);
  assert.equal(code, 1);
  assert.match(complaints, /"tea" is none of client_credentials, .*disk_flush/);
});

test('a store that does not exist is refused', async () => {
  const { code, complaints } = await runBench(['--store', 'sqlite,drawer']);
  assert.equal(code, 1);
  assert.match(complaints, /"drawer" is neither sqlite nor postgres/);
});

test('the load generator reads answers that come in pieces, with a length and in chunks', () => {
  const whole = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhällo');
  assert.equal(readAnswer(whole.subarray(0, whole.length - 1)), undefined);
  assert.equal(readAnswer(whole)?.body, 'hällo');
  const chunked = Buffer.from(
    'HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
  );
  assert.equal(readAnswer(chunked.subarray(0, chunked.length - 4)), undefined);
  assert.deepEqual([readAnswer(chunked)?.status, readAnswer(chunked)?.body], [201, 'abcde']);
});

test('quantiles of a few values are among them', () => {
  assert.equal(quantile([1, 2, 3, 4], 0.5), 3);
  assert.equal(quantile([1, 2, 3, 4], 0.99), 4);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});
