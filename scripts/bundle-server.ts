// Bundles the command line and the server with all they need, so that they start quickly and take little memory. Usage: bundle-server.ts FOLDER
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const server = resolve(import.meta.dirname, '../packages/server');

/** What Node brings is asked for by name when it runs: an `import` would evaluate all a module exports, node:http's whole fetch among it. */
const nodeModules: Plugin = {
  name: 'node-modules',
  setup(bundle) {
    bundle.onResolve({ filter: /^[a-z]/ }, ({ path }) =>
      isBuiltin(path) ? { path: path.startsWith('node:') ? path : `node:${path}`, namespace: 'node' } : undefined,
    );
    bundle.onLoad({ filter: /.*/, namespace: 'node' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** The bundle is a script: whoever starts it imports modules for it. */
const importing: Plugin = {
  name: 'importing',
  setup(bundle) {
    bundle.onLoad({ filter: /config\/import-module\.ts$/ }, () => ({
      contents: 'const given = importModule; export { given as importModule };',
    }));
  },
};

const common: BuildOptions = {
  absWorkingDir: server,
  bundle: true,
  platform: 'node',
  target: 'node24',
  conditions: ['tessera-source'],
  plugins: [nodeModules],
  logLevel: 'warning',
};

/** The clock that only runs on. Node's `performance` brings all it has to measure with, which takes as long to load as an SQLite store to open. */
const runningMs = 'const runningMs = () => { const [s, ns] = process.hrtime(); return s * 1e3 + ns / 1e6; };';

/** Programs: those that are started by name, from what is kept of their compiling. `use`: an expression that says for what. */
const programs: { name: string; source: string; use: string }[] = [
  { name: 'tessera', source: 'src/cli/main.ts', use: "process.argv[2] === 'serve' ? 'serve' : 'command'" },
  { name: 'worker', source: 'src/cli/workers/worker.ts', use: "'serve'" },
];

/**
 * Bundles into that folder, in one piece: whoever looks there meanwhile finds all of it or nothing. `tessera.mjs` is the command; worker processes and threads are files beside it. What a command does not
 * need lies in the same file and is evaluated on first use.
 */
export async function bundleServer(folder: string): Promise<void> {
  const unfinished = `${folder}.${process.pid}`;
  await build({
    ...common,
    entryPoints: Object.fromEntries(programs.map(({ name, source }) => [name, source])),
    outdir: unfinished,
    outExtension: { '.js': '.code' },
    // A script, not a module: of scripts V8 keeps every function it has compiled.
    format: 'cjs',
    plugins: [nodeModules, importing],
    banner: { js: `(function (require, url, importModule) { const module = { exports: {} }; ${runningMs}` },
    footer: { js: '})' },
    define: { 'import.meta.url': 'url', 'performance.now': 'runningMs' },
    charset: 'ascii',
    // The code stays in memory. Names stay readable, and so do traces.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    // A compiled add-on that the driver of Postgres can do without.
    external: ['pg-native'],
  });
  for (const { name, use } of programs) {
    const digest = createHash('sha256')
      .update(readFileSync(join(unfinished, `${name}.code`)))
      .digest('hex');
    await build({
      ...common,
      stdin: {
        contents: `import { runCompiled } from './src/cli/run-compiled.ts';
          runCompiled({ url: import.meta.url, name: '${name}', digest: '${digest.slice(0, 16)}', use: ${use} });`,
        resolveDir: server,
      },
      outfile: join(unfinished, `${name}.mjs`),
      format: 'esm',
      banner: { js: '#!/usr/bin/env node' },
    });
    chmodSync(join(unfinished, `${name}.mjs`), 0o755);
  }
  await build({
    ...common,
    entryPoints: { writer: 'src/store/sqlite/writer.ts', checkpointer: 'src/store/sqlite/checkpointer.ts' },
    outdir: unfinished,
    outExtension: { '.js': '.mjs' },
    format: 'esm',
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
