// Builds the packages as they are published: plain JavaScript and declarations in each `dist`, in the order in which they need each other.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { bundleServer } from './bundle-server.ts';

const root = resolve(import.meta.dirname, '..');

for (const name of ['protocol', 'edge', 'client', 'server']) {
  const folder = resolve(root, 'packages', name);
  rmSync(resolve(folder, 'dist'), { recursive: true, force: true });
  const compiler = resolve(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: folder,
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(`packages/${name} could not be built; the compiler's messages are above`);
    process.exit(1);
  }
  console.log(`built packages/${name}/dist`);
}

await bundleServer(resolve(root, 'packages/server/dist/bin'));
console.log('bundled packages/server/dist/bin');
