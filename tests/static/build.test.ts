import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { it } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

// The server refuses what it does not know there, such as how these tests are run.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TESSERA_')));

function run(...programArguments: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, programArguments, {
    cwd: root,
    env,
    encoding: 'utf8',
  });
  assert.equal(status, 0, `${stdout}${stderr}`.slice(-4000));
  assert.doesNotMatch(stderr, /Warning/);
  return stdout;
}

it('the packages build to plain JavaScript that runs without their sources', { timeout: 300_000 }, () => {
  run('scripts/build.ts');
  const program = `
    const names = ['@tessera/protocol', '@tessera/edge', '@tessera/edge/express', '@tessera/client', '@tessera/client/browser', '@tessera/server'];
    for (const name of names) if (!import.meta.resolve(name).endsWith('.js')) throw new Error(import.meta.resolve(name));
    const [{ formatScope }, { createEdge }, { protect }, { decodeJwt }, , { createServer }] = await Promise.all(names.map((name) => import(name)));
    console.log([formatScope, createEdge, protect, decodeJwt, createServer].map((one) => typeof one).join());`;
  const types = run(
    '--disable-warning=ExperimentalWarning',
    '--no-strip-types',
    '--input-type=module',
    '--eval',
    program,
  );
  assert.equal(types.trim(), Array(5).fill('function').join());
  const tessera = 'packages/server/dist/bin/tessera.mjs';
  assert.match(run('--no-strip-types', tessera, '--help'), /Usage: tessera/);
  const folder = mkdtempSync(join(tmpdir(), 'tessera-build-'));
  try {
    const config = join(folder, 'tessera.config.ts');
    writeFileSync(config, "export default { issuer: 'https://auth.example' as string, data: 'here' };");
    assert.match(run(tessera, 'check', '--config', config), /auth\.example/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
