import type { z } from 'zod';
import { concealed, type Path, type Problem, problemsOf, unknownKey } from './problem.ts';

/**
 * What could be read of a section: the keys that are right, the names of those that are not, and why. Unlike zod's own objects it goes on after the first
 * wrong key, so that rules about several keys can still speak of those that are right.
 */
export type Parsed<T> = { value: Partial<T>; broken: ReadonlySet<string>; problems: Problem[] };

/** The values of a shape's keys once parsed. */
export type Values<S extends z.ZodRawShape> = z.output<z.ZodObject<S>>;

/** Reads a section key by key. */
export function parseSection<S extends z.ZodRawShape>(
  shape: S,
  raw: unknown,
  path: Path,
  /** Keys that somebody else reads. */
  elsewhere: readonly string[] = [],
): Parsed<Values<S>> {
  const known = [...Object.keys(shape), ...elsewhere];
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    const message = `expected a section (key: value), got ${concealed(raw)}`;
    return { value: {}, broken: new Set(known), problems: [{ path, message }] };
  }
  const problems: Problem[] = Object.keys(raw)
    .filter((key) => !known.includes(key))
    .map((key) => ({ path: [...path, key], message: unknownKey(key, known) }));
  const value: Record<string, unknown> = {};
  const broken = new Set<string>();
  for (const [key, schema] of Object.entries(shape)) {
    const given: unknown = (raw as Record<string, unknown>)[key];
    // An optional key that is absent has no value, not the value undefined.
    // Read once: zod would write and compile a function for each kind of section first.
    const result = (schema as z.ZodType).safeParse(given, { jitless: true });
    if (result.success) {
      if (result.data !== undefined) value[key] = result.data;
    } else if (given !== undefined || !isOptional(schema as z.ZodType)) {
      broken.add(key);
      problems.push(...problemsOf(result.error, [...path, key]));
    }
  }
  return { value: value as Partial<Values<S>>, broken, problems };
}

/** Reads a list of sections. */
export function parseEntries<T>(
  raw: unknown,
  path: Path,
  parse: (entry: unknown, path: Path) => Parsed<T>,
): { entries: Parsed<T>[]; problems: Problem[] } {
  if (raw === undefined) return { entries: [], problems: [] };
  if (!Array.isArray(raw))
    return { entries: [], problems: [{ path, message: `expected a list, got ${concealed(raw)}` }] };
  const entries = raw.map((entry: unknown, index) => parse(entry, [...path, index]));
  return { entries, problems: entries.flatMap(({ problems }) => problems) };
}

/** A rule about several keys of a section. It is asked only when all it reads is right. */
export type Rule<T> = { reads: readonly (keyof T & string)[]; check: (value: T) => Finding[] };

/** What a rule found, below the section it was asked about. */
export type Finding = { at: Path; message: string };

/** A rule that sees only the keys it says it reads. */
export function rule<T, const K extends keyof T & string>(
  reads: readonly K[],
  check: (value: Pick<T, K>) => Finding[],
): Rule<T> {
  return { reads, check: check as (value: T) => Finding[] };
}

/** Asks the rules whose keys are all right. */
export function applyRules<T>(
  rules: readonly Rule<T>[],
  value: Partial<T>,
  broken: ReadonlySet<string>,
  path: Path,
): Problem[] {
  return rules
    .filter(({ reads }) => reads.every((key) => !broken.has(key)))
    .flatMap(({ check }) => check(value as T))
    .map(({ at, message }) => ({ path: [...path, ...at], message }));
}

function isOptional(schema: z.ZodType): boolean {
  return schema._zod.optin === 'optional';
}
