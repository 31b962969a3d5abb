import type { Seconds } from '@tessera/protocol';
import { visibleJson } from '../visible-json.ts';
import type { Terminal } from './terminal.ts';

/** A result for machines, in which no character acts on what shows it. */
export function toJson(value: unknown, indent?: number): string {
  return visibleJson(JSON.stringify(value, undefined, indent));
}

/** Prints a result: as JSON for machines, else in words. */
export function print<T>(
  terminal: Terminal,
  options: { json?: boolean },
  value: T,
  inWords: (value: T) => string | string[],
): void {
  const text = options.json ? toJson(value, 2) : inWords(value);
  for (const line of Array.isArray(text) ? text : [text]) terminal.out(line);
}

/** Rows under their headings, in columns. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [headings, ...rows].map((row) => row.map(plain));
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Names and values, one per line; what is undefined is left out. */
export function facts(pairs: readonly (readonly [string, string | number | boolean | undefined])[]): string[] {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${plain(String(value))}`);
}

/** "1 session", "2 sessions". */
export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

/** When something is or was, from now: "3 minutes ago", "in 2 days". */
export function relative(time: Seconds | null | undefined, now: Seconds): string {
  if (time === null || time === undefined) return '–';
  const distance = time - now;
  const [unit, length] = units.find(([, one]) => Math.abs(distance) >= one) ?? (['second', 1] as const);
  // Made here: it loads data of many languages, which a server that starts does not need.
  words ??= new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
  return words.format(Math.trunc(distance / length), unit);
}

/** A point in time, exactly. */
export function exact(time: Seconds): string {
  return new Date(time * 1000).toISOString().replace('.000Z', 'Z');
}

let words: Intl.RelativeTimeFormat | undefined;
const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/** Text from outside must not move the cursor or change colours of the terminal. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '�');
}
