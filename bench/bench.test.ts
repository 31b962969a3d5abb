import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAnswer } from './load/http-connection.ts';
import { quantile } from './measure/distribution.ts';
import type { Row } from './report.ts';

const subjectsOf: Record<string, string[]> = {
  client_credentials: ['tessera', 'oidc-provider', 'limit'],
  client_credentials_rs256: ['tessera', 'oidc-provider', 'limit'],
  refresh: ['tessera', 'oidc-provider'],
  introspect: ['tessera', 'oidc-provider'],
  userinfo: ['tessera', 'oidc-provider'],
  revoke: ['tessera', 'oidc-provider'],
  code_flow_sso: ['tessera', 'oidc-provider'],
  password_sign_in: ['tessera', 'oidc-provider', 'limit'],
  edge_verify_first: ['tessera', 'limit'],
  edge_verify_remembered: ['tessera'],
  revocation_to_refusal_1: ['tessera'],
  revocation_to_refusal_10: ['tessera'],
  revocation_to_refusal_100: ['tessera'],
  cold_start: ['tessera', 'oidc-provider'],
  idle_memory: ['tessera', 'oidc-provider'],
  disk_flush: ['limit'],
};

test('a smoke run measures every scenario at every subject without an error, and leaves nothing behind', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-bench-test-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const { code, output, complaints } = await runBench(['--smoke', '--json', '--folder', folder]);
  assert.equal(code, 0, complaints);
  const rows = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
  for (const [scenario, subjects] of Object.entries(subjectsOf)) {
    const own = rows.filter((row) => row.scenario === scenario);
    assert.deepEqual(own.map((row) => row.subject).sort(), [...subjects].sort(), scenario);
    for (const row of own) {
      assert.equal(row.errors, 0, `${scenario} at ${row.subject}: ${complaints}`);
      assert.equal(row.store, 'sqlite');
      assert.ok(row.value > 0, `${scenario} at ${row.subject} has the value ${row.value}`);
      const hasPeer = row.subject === 'tessera' && subjects.includes('oidc-provider');
      assert.equal(row.ratio_to_peer !== null, hasPeer, `${scenario}: the ratio stands where there is a peer`);
    }
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('a scenario that does not exist is refused with the names of those that do', async () => {
  const { code, complaints } = await runBench(['--only', 'refresh,tea']);
  assert.equal(code, 1);
  assert.match(complaints, /"tea" is none of client_credentials, .*disk_flush/);
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

function runBench(flags: string[]): Promise<{ code: number | null; output: string; complaints: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        '--conditions=tessera-source',
        '--disable-warning=ExperimentalWarning',
        join(import.meta.dirname, 'run.ts'),
        ...flags,
      ],
      { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
    );
    let output = '';
    let complaints = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output, complaints }));
  });
}
