import type { z } from 'zod';
import { didYouMean } from './suggestion.ts';

/** Where a setting stands: keys and list positions from the top of the file. */
export type Path = readonly (string | number)[];

/** One thing that is wrong with the configuration: where, what was given and what is allowed. Never holds a secret's value. */
export type Problem = { path: Path; message: string };

/** Problems as lines, each once: `clients[2].redirect_uris[0]: "http://example.com/cb" is http and …`. */
export function formatProblems(problems: readonly Problem[]): string[] {
  return [...new Set(problems.map(({ path, message }) => `${formatPath(path)}: ${message}`))];
}

/** A path as one would write it in code: `clients[2].scopes["orders:read"]`. */
export function formatPath(path: Path): string {
  const text = path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (index === 0) return part;
      return /^[A-Za-z_$][\w$]*$/.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`;
    })
    .join('');
  return text === '' ? 'the file' : text;
}

/** What was given, for a message. Only for keys that hold no secret. A password within a URL is left out. */
export function given(input: unknown): string {
  if (typeof input === 'string') {
    const text = input.replace(/\/\/[^/?#]*@/, '//…@');
    return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  }
  if (typeof input === 'number' || typeof input === 'boolean') return String(input);
  return kindOf(input);
}

/** What was given to a key that holds a secret: its type and length, nothing of its value. */
export function concealed(input: unknown): string {
  return typeof input === 'string' ? `text of ${[...input].length} characters` : kindOf(input);
}

/** The problem of a key that does not exist there. */
export function unknownKey(key: string, known: readonly string[]): string {
  return `unknown key${didYouMean(key, known) || `; known here: ${known.join(', ')}`}`;
}

/** The problems zod found, under the path where what it parsed stands. */
export function problemsOf(error: z.ZodError, at: Path): Problem[] {
  return error.issues.flatMap((issue) => {
    const path = [...at, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
    // `section` in value-schemas.ts writes one line for each unknown key.
    if (issue.code === 'unrecognized_keys') {
      const lines = issue.message.split('\n');
      return issue.keys.map((key, index) => ({ path: [...path, key], message: lines[index] ?? 'unknown key' }));
    }
    if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => ({ path, message }));
    return [{ path, message: issue.message }];
  });
}

function kindOf(input: unknown): string {
  if (input === undefined) return 'nothing';
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'a list';
  return typeof input === 'object' ? 'a section' : `a ${typeof input}`;
}
