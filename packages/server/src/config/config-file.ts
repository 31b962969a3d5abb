import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LineCounter, parseDocument } from 'yaml';
import { decodeUtf8 } from './decode-utf8.ts';
import { importModule } from './import-module.ts';
import { ConfigError } from './schema.ts';

/** The names under which the file is looked for, when none is given. */
export const fileNames = ['tessera.config.ts', 'tessera.config.json', 'tessera.config.yaml', 'tessera.config.yml'];

/** Finds the file: the given one, or the only one of the usual names in the folder; undefined when none of those is there. */
export function findConfigFile(given: string | undefined, folder: string): string | undefined {
  if (given !== undefined) {
    const path = resolve(folder, given);
    if (existsSync(path)) return path;
    throw new ConfigError([`${path}: there is no such file; write one with: tessera init`]);
  }
  const found = fileNames.filter((name) => existsSync(join(folder, name)));
  if (found.length > 1)
    throw new ConfigError([`${folder}: holds ${found.join(' and ')}; keep one, or say which with --config`]);
  return found[0] === undefined ? undefined : join(folder, found[0]);
}

/** Reads the file by its ending: a TypeScript module with a default export, JSON or YAML. A key that stands twice is refused. */
export async function loadConfigFile(path: string): Promise<Record<string, unknown>> {
  const ending = extname(path);
  if (ending === '.ts') return asSection(await importDefault(path), path);
  if (!['.json', '.yaml', '.yml'].includes(ending))
    throw new ConfigError([`${path}: has the ending "${ending}"; expected .ts, .json, .yaml or .yml`]);
  const text = await readText(path);
  if (ending === '.json') requireJson(text, path);
  // JSON is YAML too, and this parser sees keys that stand twice, which JSON.parse does not.
  return asSection(parseYaml(text, path), path);
}

async function importDefault(path: string): Promise<unknown> {
  let module: { default?: unknown };
  try {
    module = (await importModule(pathToFileURL(path).href)) as { default?: unknown };
  } catch (cause) {
    // The message of somebody else's error may quote the source, and with it a secret: only its kind is told.
    const { name, code } = cause as { name?: string; code?: string };
    throw new ConfigError([`${path}: cannot be imported (${code ?? name ?? 'error'}); run it with node to see why`]);
  }
  if (module.default === undefined)
    throw new ConfigError([`${path}: has no default export; expected export default defineConfig({ … })`]);
  return withoutUndefined(module.default);
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new ConfigError([`${path}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'error'})`]);
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new ConfigError([`${path}: is not UTF-8; save it in that encoding`]);
  return text;
}

function requireJson(text: string, path: string): void {
  try {
    JSON.parse(text);
  } catch (cause) {
    // Only the place is taken from the message: the rest quotes the text, and with it maybe a secret.
    const [, line, column] = /line (\d+) column (\d+)/.exec((cause as Error).message) ?? [];
    throw new ConfigError([`${path}: is not JSON${line === undefined ? '' : `, at line ${line}, column ${column}`}`]);
  }
}

function parseYaml(text: string, path: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: false, lineCounter });
  // Codes and places, not messages, which may quote the text. Warnings are refused too: they are tags nobody here knows.
  const problems = [...document.errors, ...document.warnings].map(({ code, pos }) => {
    const { line, col } = lineCounter.linePos(pos[0]);
    return `${path}: line ${line}, column ${col}: ${code === 'DUPLICATE_KEY' ? 'this key stands twice in its section' : `not understood (${code})`}`;
  });
  if (problems.length > 0) throw new ConfigError(problems);
  try {
    const content: unknown = document.toJS({ maxAliasCount: 100 });
    // A section that contains itself by an alias cannot be written as JSON, as which the store keeps what is declared.
    JSON.stringify(content);
    return content;
  } catch {
    throw new ConfigError([`${path}: has aliases that cannot be resolved`]);
  }
}

/** An empty file says nothing, which is allowed: the issuer may come from the environment. */
function asSection(content: unknown, path: string): Record<string, unknown> {
  if (content === null) return {};
  if (typeof content === 'object' && !Array.isArray(content)) return content as Record<string, unknown>;
  throw new ConfigError([`${path}: expected keys with values, such as "issuer: https://auth.example.com"`]);
}

/** In TypeScript a key may stand there with the value undefined, which means as much as its absence. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.map(([key, one]) => [key, withoutUndefined(one)]));
}
