import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleServer } from '../../scripts/bundle-server.ts';
import { onFirstProcessor } from './start-subject.ts';

const configuration = join(import.meta.dirname, '..', 'tessera-bench.yaml');
let bundle: Promise<string> | undefined;

/** The command line that serves from that folder, or database, with the bundle as it is published; it is made once. */
export async function publishedServer(
  port: number,
  { folder, store }: { folder: string; store?: string },
): Promise<string[]> {
  bundle ??= makeBundle();
  return [
    ...onFirstProcessor(),
    process.execPath,
    join(await bundle, 'tessera.mjs'),
    'serve',
    ...['--config', configuration, '--data', folder],
    ...['--host', '127.0.0.1', '--port', String(port), '--issuer', `http://localhost:${port}`],
    ...(store === undefined ? [] : ['--store', store]),
  ];
}

async function makeBundle(): Promise<string> {
  const cache = resolve(import.meta.dirname, '../../.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'bench-bundle-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await bundleServer(join(folder, 'bin'));
  return join(folder, 'bin');
}
