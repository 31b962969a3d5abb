import { join } from 'node:path';
import { build } from 'esbuild';

/** The script of the page with all it imports, the client library included; made in memory in some 50 ms. */
export async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'page', 'main.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    minify: false,
    legalComments: 'none',
    // In this repository the packages are used from their sources; an app of yours gets them from npm.
    conditions: ['tessera-source'],
    logLevel: 'error',
  });
  const [file] = outputFiles;
  if (!file) throw new Error('esbuild made no file');
  return file.text;
}
