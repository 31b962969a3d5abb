import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Excerpt } from './experiments.ts';

const root = join(import.meta.dirname, '..', '..', '..');

/** The lines of an excerpt, as they stand in the file now. Throws `RangeError` when they are not there any more. */
export function readExcerpt({ file, from, to }: Excerpt): string {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const first = lines.findIndex((line) => line.startsWith(from));
  const last = lines.findIndex((line, index) => index > first && line === to);
  if (first === -1 || last === -1) throw new RangeError(`${file} has no lines from "${from}" to "${to}"`);
  return lines.slice(first, last + 1).join('\n');
}
