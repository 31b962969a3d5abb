import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Row } from './report.ts';
import type { StoreName } from './scenarios/scenario.ts';

const servers = ['tessera', 'oidc-provider', 'oidc-provider-grouped'];
const subjectsOf: Record<string, string[]> = {
  client_credentials: ['tessera', 'oidc-provider', 'limit'],
  client_credentials_rs256: ['tessera', 'oidc-provider', 'limit'],
  refresh: servers,
  refresh_one_caller: ['tessera', 'oidc-provider'],
  introspect: [...servers, 'limit'],
  userinfo: [...servers, 'limit'],
  revoke: servers,
  code_flow_sso: servers,
  password_sign_in: ['tessera', 'oidc-provider', 'limit'],
  edge_verify_first: ['tessera', 'limit'],
  edge_verify_remembered: ['tessera'],
  revocation_to_refusal_1: ['tessera'],
  revocation_to_refusal_10: ['tessera'],
  revocation_to_refusal_100: ['tessera'],
  cold_start: ['tessera', 'oidc-provider'],
  idle_memory: ['tessera', 'oidc-provider'],
  disk_flush: ['limit'],
  bytes_per_session: ['tessera'],
  growth_refresh: ['tessera', 'tessera'],
  growth_introspect: ['tessera', 'tessera'],
  growth_cold_start: ['tessera', 'tessera'],
  growth_idle_memory: ['tessera', 'tessera'],
  million_refreshes: ['tessera'],
};

/** More than a smoke run takes on a busy machine, in milliseconds. */
export const smokeMs = 900_000;

/** Runs the bench as small as it goes on one store: every scenario must have a figure of every subject, without an error. For tests. */
export async function assertSmokeRun(context: TestContext, store: StoreName): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-bench-test-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  // Others pass through to folders of their own, as they do through the usual one.
  chmodSync(folder, 0o711);
  const { code, output, complaints } = await runBench(['--smoke', '--json', '--store', store, '--folder', folder]);
  assert.equal(code, 0, complaints);
  const rows = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
  const expected = { ...subjectsOf, ...(store === 'sqlite' && { commit_under_load: ['tessera'] }) };
  for (const [scenario, subjects] of Object.entries(expected)) {
    const own = rows.filter((row) => row.scenario === scenario);
    assert.deepEqual(own.map((row) => row.subject).sort(), [...subjects].sort(), scenario);
    for (const row of own) {
      assert.equal(row.errors, 0, `${scenario} at ${row.subject}: ${complaints}`);
      assert.equal(row.store, store);
      assert.ok(row.value > 0, `${scenario} at ${row.subject} has the value ${row.value}`);
      const hasPeer = row.subject === 'tessera' && subjects.includes('oidc-provider');
      assert.equal(row.ratio_to_peer !== null, hasPeer, `${scenario}: the ratio stands where there is a peer`);
      const hasGrouped = row.subject === 'tessera' && subjects.includes('oidc-provider-grouped');
      assert.equal(row.ratio_to_grouped_peer !== null, hasGrouped, `${scenario}: and where there is one that groups`);
    }
  }
  const refreshed = rows.find((row) => row.scenario === 'million_refreshes');
  assert.equal(refreshed?.value, refreshed?.details?.rows_before, 'a refresh leaves no row');
  assert.deepEqual(readdirSync(folder), []);
}

/** Runs the bench as its command does. For tests. */
export function runBench(flags: string[]): Promise<{ code: number | null; output: string; complaints: string }> {
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
