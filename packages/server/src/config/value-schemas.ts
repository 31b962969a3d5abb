import type { Seconds } from '@tessera/protocol';
import * as z from 'zod';
import { concealed, given, unknownKey } from './problem.ts';
import { didYouMean } from './suggestion.ts';

/** What the documentation says of a key; zod carries it along. `example`: what stands in the commented file for a key without default. */
export type KeyWords = { description: string; allowed?: string; defaultText?: string; example?: unknown };

/** What zod hands to a message. */
type Issue = { readonly input?: unknown };

/** A duration in whole seconds, bounds included. */
export function seconds(min: Seconds, max: Seconds) {
  const error = ({ input }: Issue) =>
    `expected a whole number of seconds from ${min} to ${max}, got ${given(input)}${durationHint(input, max)}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).meta({ unit: 'seconds' });
}

/** A whole number, bounds included. */
export function wholeNumber(min: number, max: number) {
  const error = ({ input }: Issue) => `expected a whole number from ${min} to ${max}, got ${given(input)}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** `true` or `false`. */
export function flag() {
  return z.boolean({ error: ({ input }) => `expected true or false, got ${given(input)}` });
}

/** One of a few words. */
export function choice<const T extends readonly string[]>(values: T) {
  return z.enum(values, {
    error: ({ input }) =>
      `expected ${values.map((value) => JSON.stringify(value)).join(' or ')}, got ${given(input)}${typeof input === 'string' ? didYouMean(input, values) : ''}`,
  });
}

/** Text that passes the check. `check` returns what is wrong with it, or undefined; `expected` names what it should be ("an absolute URI"). */
export function text(expected: string, check: (value: string) => string | undefined) {
  return z.string({ error: ({ input }) => wrongType(expected, input, given(input)) }).superRefine(checked(check));
}

/** As `text`, for a key that holds a secret: nothing of its value enters a message. */
export function secretText(expected: string, check: (value: string) => string | undefined) {
  return z
    .string({ error: ({ input }) => `expected ${expected}, got ${concealed(input)}` })
    .superRefine(checked(check));
}

/** A line of text for people to read. */
export function line(longest: number) {
  return text('text', (value) => {
    if (value.trim() === '') return 'is empty; expected text';
    if ([...value].length > longest) return `has ${[...value].length} characters; at most ${longest} are allowed`;
    return hasControlCharacter(value) ? `${given(value)} has a control character; expected plain text` : undefined;
  });
}

/** A list. */
export function list<T extends z.ZodType>(item: T) {
  return z.array(item, { error: ({ input }) => wrongType('a list', input, concealed(input)) });
}

/** A list in which nothing stands twice. */
export function distinct(item: z.ZodType<string>) {
  return list(item).superRefine((values, context) => {
    for (const [index, value] of values.entries())
      if (values.indexOf(value) !== index)
        context.addIssue({ code: 'custom', path: [index], message: `${given(value)} stands twice; name it once` });
  });
}

/** A section with exactly these keys. */
export function section<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? (issue.keys as string[]).map((key) => unknownKey(key, Object.keys(shape))).join('\n')
        : wrongType('a section (key: value)', issue.input, concealed(issue.input)),
  });
}

/** A section whose keys are names of the operator's own. */
export function named<T extends z.ZodType>(name: z.ZodString, value: T) {
  return z.record(name, value, { error: ({ input }) => wrongType('a section (name: value)', input, concealed(input)) });
}

/** True when the text has a control character, a line separator or half of a surrogate pair, which no store keeps as it is, included. */
export function hasControlCharacter(value: string): boolean {
  return /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(value);
}

function wrongType(expected: string, input: unknown, shown: string): string {
  return input === undefined ? `is missing; expected ${expected}` : `expected ${expected}, got ${shown}`;
}

function checked(check: (value: string) => string | undefined) {
  return (value: string, context: z.RefinementCtx) => {
    const message = check(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };
}

const unitSeconds: Record<string, Seconds> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** People write "15m" and milliseconds: tell them what they meant. */
function durationHint(input: unknown, max: Seconds): string {
  if (typeof input === 'string') {
    const [, count, unit] = /^(\d{1,9})\s*([smhdw]?)/i.exec(input) ?? [];
    return count === undefined ? '' : `; write ${Number(count) * (unitSeconds[unit?.toLowerCase() || 's'] ?? 1)}`;
  }
  const asMilliseconds = typeof input === 'number' && input > max && input % 1000 === 0 && input / 1000 <= max;
  return asMilliseconds ? `; durations are in seconds: write ${input / 1000} if these are milliseconds` : '';
}
