import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as z from 'zod';
import { decodeUtf8 } from './decode-utf8.ts';
import { type Rule, rule } from './parse-section.ts';
import { concealed, type Path, type Problem } from './problem.ts';
import { section } from './value-schemas.ts';

/** How the file may hold a secret: as text, or by the name of an environment variable or of a file that holds it. */
export type SecretReference = { env: string } | { file: string };

const expected = 'text, { env: NAME } or { file: PATH }';

/** The schema of a key that holds a secret. After `resolveSecrets` only text is left. */
export function secretValue(check: (value: string) => string | undefined) {
  const plain = z.string().superRefine((value, context) => {
    const message = check(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
  return z.union([plain, section({ env: z.string().min(1) }), section({ file: z.string().min(1) })], {
    error: ({ input }) =>
      `expected ${expected}, got ${concealed(input)}${typeof input === 'number' ? '; put it in quotes' : ''}`,
  });
}

/** A rule that the secret at this key is there as text: `resolveSecrets` has replaced what only names it. */
export function resolved<T, const K extends keyof T & string>(key: K): Rule<T> {
  return rule<T, K>([key], (value) =>
    value[key] === undefined || typeof value[key] === 'string'
      ? []
      : [{ at: [key], message: 'names a secret that was not read' }],
  );
}

const secretKeys: Record<string, string> = { users: 'password', clients: 'client_secret', resourceServers: 'secret' };

/** Where secrets that the file only names come from. `folder`: what the paths of files are relative to. `isStoreOverridden`: the file's own `store` does not count. */
export type SecretSources = {
  env: Readonly<Record<string, string | undefined>>;
  folder: string;
  isStoreOverridden?: boolean;
};

/**
 * Puts the secrets that the file names by `{ env }` or `{ file }` in their place. Returns a copy, what could not be read, and the names of the environment
 * variables it used. One line break at the end of a file is not part of the secret.
 */
export function resolveSecrets(
  file: Readonly<Record<string, unknown>>,
  sources: SecretSources,
): { file: Record<string, unknown>; problems: Problem[]; variables: string[] } {
  const problems: Problem[] = [];
  const variables: string[] = [];
  const resolved = { ...file };
  const store = asReference(file.store);
  if (store) {
    if ('env' in store) variables.push(store.env);
    const found = readSecret(store, sources, ['store']);
    if (typeof found === 'string') resolved.store = found;
    else if (!sources.isStoreOverridden) problems.push(found);
  }
  for (const [list, key] of Object.entries(secretKeys)) {
    const entries = file[list];
    if (!Array.isArray(entries)) continue;
    resolved[list] = entries.map((entry: unknown, index) => {
      const reference = isSection(entry) ? asReference(entry[key]) : undefined;
      if (!isSection(entry) || !reference) return entry;
      if ('env' in reference) variables.push(reference.env);
      const found = readSecret(reference, sources, [list, index, key]);
      if (typeof found === 'string') return { ...entry, [key]: found };
      problems.push(found);
      return entry;
    });
  }
  return { file: resolved, problems, variables };
}

/**
 * What is wrong with a secret that a machine holds, or undefined: it must be random and of at least that many bits. Counted by its alphabet: 4 bits for a
 * hexadecimal digit, 3.3 for a decimal one, else 6.
 */
export function weaknessOf(secret: string, bits: 128 | 256): string | undefined {
  const make = 'make one with: openssl rand -base64 32';
  // VSCHAR: what RFC 6749 appendix A.2 allows in a client_secret.
  if (!/^[\x20-\x7e]*$/.test(secret)) return `has characters beyond printable ASCII; ${make}`;
  const perCharacter = /^\d*$/.test(secret) ? Math.log2(10) : /^[0-9a-fA-F]*$/.test(secret) ? 4 : 6;
  const least = Math.ceil(bits / perCharacter);
  if (secret.length < least)
    return `is ${concealed(secret)}, at least ${least} of this kind are needed for ${bits} bits; ${make}`;
  return isRepetitive(secret) ? `repeats itself, expected a random value of at least ${bits} bits; ${make}` : undefined;
}

function isRepetitive(secret: string): boolean {
  if (new Set(secret).size < 8) return true;
  // A text that consists of repetitions of its first part is found again in itself, doubled, before its own length.
  return (secret + secret).indexOf(secret, 1) < secret.length || isRun(secret);
}

/** True for a run through the character codes, such as "abcdefgh…". */
function isRun(secret: string): boolean {
  const steps = [...secret].slice(1).map((character, index) => character.charCodeAt(0) - secret.charCodeAt(index));
  return steps.filter((step) => step === 1 || step === 0 || step === -1).length > steps.length * 0.75;
}

function readSecret(reference: SecretReference, { env, folder }: SecretSources, path: Path): string | Problem {
  if ('env' in reference) {
    const value = env[reference.env];
    const name = JSON.stringify(reference.env);
    return value || { path, message: `names the environment variable ${name}, which is not set` };
  }
  const file = resolve(folder, reference.file);
  try {
    const text = decodeUtf8(readFileSync(file));
    if (text === undefined) return { path, message: `names the file ${JSON.stringify(file)}, which is not UTF-8` };
    const value = text.replace(/\r?\n$/, '');
    return value || { path, message: `names the file ${JSON.stringify(file)}, which is empty` };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'error';
    return { path, message: `names the file ${JSON.stringify(file)}, which cannot be read (${code})` };
  }
}

function asReference(value: unknown): SecretReference | undefined {
  if (!isSection(value) || Object.keys(value).length !== 1) return undefined;
  if (typeof value.env === 'string' && value.env !== '') return { env: value.env };
  return typeof value.file === 'string' && value.file !== '' ? { file: value.file } : undefined;
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
