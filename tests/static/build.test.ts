import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { it } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

function run(...programArguments: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, programArguments, { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`.slice(-4000));
  return stdout;
}

it('the packages build to plain JavaScript that runs without their sources', { timeout: 240_000 }, () => {
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
  assert.match(run('--no-strip-types', 'packages/server/dist/bin/tessera.mjs', '--help'), /Usage: tessera/);
});
