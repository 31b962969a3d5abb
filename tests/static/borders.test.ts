import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { it } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

/** Who must not import whom. Paths begin at the root; tests are free. The first reason that applies is told. */
const borders: { from: RegExp; notTo: RegExp; because: string }[] = [
  {
    from: /^packages\/protocol\//,
    notTo: /^(@tessera\/|packages\/(server|edge|client))/,
    because: 'protocol is what the others share',
  },
  {
    from: /^packages\/edge\//,
    notTo: /^(@tessera\/(server|client)|packages\/(server|client))/,
    because: 'an edge runs without the server',
  },
  {
    from: /^packages\/client\//,
    notTo: /^(@tessera\/(server|edge)|packages\/(server|edge))/,
    because: 'a client runs without the server',
  },
  {
    from: /^packages\/client\/src\/core\//,
    notTo: /^packages\/client\/src\/browser\//,
    because: 'the core runs anywhere',
  },
  {
    from: /^packages\/server\//,
    notTo: /^(@tessera\/(edge|client)|packages\/(edge|client))/,
    because: 'the server knows neither edge nor client',
  },
  {
    from: /^packages\/server\/src\/sessions\//,
    notTo: /^packages\/server\/src\/(http|endpoints|grants|authorize|admin|pages|cli|store\/sqlite|store\/postgres)\//,
    because: 'the heart decides without HTTP and without an engine',
  },
  {
    from: /^packages\/server\/src\/store\//,
    notTo: /^packages\/server\/src\/(?!store\/|events\/event-types)/,
    because: 'the store knows records and events only',
  },
  {
    from: /^packages\/server\/src\/pages\//,
    notTo: /^packages\/server\/src\/(?!pages\/)/,
    because: 'pages are views: a model in, HTML out',
  },
  {
    from: /^packages\/server\/src\/(?!server\.ts|cli\/|store\/)/,
    notTo: /^packages\/server\/src\/store\/(sqlite|postgres)\//,
    because: 'only the server and the commands choose an engine',
  },
  {
    from: /^packages\/server\/src\/(?!server\.ts|admin\/|cli\/)/,
    notTo: /^packages\/server\/src\/(admin|cli)\//,
    because: 'the admin API and the commands stand on top',
  },
];

it('no file imports across a border', () => {
  const crossings: string[] = [];
  for (const file of globSync('packages/*/src/**/*.ts', { cwd: root })) {
    if (/\.test\.ts$|contract\.ts$|test-context\.ts$/.test(file)) continue;
    for (const target of importsOf(file))
      for (const { from, notTo, because } of borders)
        if (from.test(file) && notTo.test(target)) crossings.push(`${file} imports ${target}: ${because}`);
  }
  assert.deepEqual(crossings, []);
});

/** What a file imports: packages by name, files by their path from the root. */
function importsOf(file: string): string[] {
  const source = readFileSync(resolve(root, file), 'utf8');
  const named = [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, target = '']) => target);
  return named.map((target) =>
    target.startsWith('.') ? relative(root, resolve(root, dirname(file), target)) : target,
  );
}
