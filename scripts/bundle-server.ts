// Bundles the command line and the server with all they need, so that they start quickly and take little memory. Usage: bundle-server.ts FOLDER
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const server = resolve(import.meta.dirname, '../packages/server');

/** What Node brings is asked for by name when it runs: an `import` would evaluate all a module exports, node:http's whole fetch among it. */
const nodeModules: Plugin = {
  name: 'node-modules',
  setup(bundle) {
    bundle.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'node' }));
    bundle.onLoad({ filter: /.*/, namespace: 'node' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** Bundles into that folder, in one piece: whoever looks there meanwhile finds all of it or nothing. `tessera.mjs` is the command; threads and worker processes are files beside it. */
export async function bundleServer(folder: string): Promise<void> {
  const unfinished = `${folder}.${process.pid}`;
  await build({
    absWorkingDir: server,
    entryPoints: {
      tessera: 'src/cli/main.ts',
      writer: 'src/store/sqlite/writer.ts',
      checkpointer: 'src/store/sqlite/checkpointer.ts',
      worker: 'src/cli/workers/worker.ts',
    },
    outdir: unfinished,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    conditions: ['tessera-source'],
    // It looks for a compiled add-on at run time, and is only loaded where there is a Postgres.
    external: ['pg'],
    plugins: [nodeModules],
    // What was written for CommonJS asks for Node's modules by `require`.
    banner: { js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
  mkdirSync(dirname(folder), { recursive: true });
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    // Another was quicker, with the same.
    if (!existsSync(folder)) throw error;
  }
}

const [folder] = process.argv.slice(2);
if (import.meta.main && folder !== undefined) await bundleServer(resolve(folder));
