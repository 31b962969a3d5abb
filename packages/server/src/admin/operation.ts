import type { RefusalReason } from '@tessera/protocol';
import type { z } from 'zod';
import { parseSection, type Values } from '../config/parse-section.ts';
import { concealed, formatPath, type Problem } from '../config/problem.ts';
import type { Context } from '../context.ts';
import type { Change, CommitResult, NewEvent } from '../store/store.ts';

/** What operations work with. The command line has no more than this: no endpoints, no follower. */
export type AdminContext = Pick<
  Context,
  'config' | 'store' | 'rootKeys' | 'signingKeys' | 'registry' | 'passwords' | 'random' | 'now' | 'nowMs'
>;

/**
 * An operation that was not done, and why, for whoever asked for it. `field` names the input at fault; `stale`: the version that was expected is no longer
 * the present one.
 */
export type Refused = {
  kind: 'refuse';
  reason: RefusalReason;
  detail: string;
  field?: string;
  /** All that is wrong with the input, when several things may be. */
  problems?: { field: string; detail: string }[];
  stale?: true;
};

/** What an operation came to. Refusals are data: nothing is thrown but failures of the store. */
export type Outcome<T> = { kind: 'done'; value: T } | Refused;

/** An operation that was done. */
export function done<T>(value: T): { kind: 'done'; value: T } {
  return { kind: 'done', value };
}

/** An operation that was not done. */
export function refuse(reason: RefusalReason, detail: string, more: Pick<Refused, 'field' | 'stale'> = {}): Refused {
  return { kind: 'refuse', reason, detail, ...more };
}

/** One page of a list that was asked for. */
export type PageInput = { after?: string | undefined; limit: number };

/** The store's page request of an input. */
export function pageOf(input: PageInput): { after?: string; limit: number } {
  return input.after === undefined ? { limit: input.limit } : { after: input.after, limit: input.limit };
}

/** The fields of an input that were given. */
export function given<T extends object>(input: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** What one attempt of a change decided: the writes, or an answer without any. */
export type Attempt<T> =
  | { kind: 'write'; changes: Change[]; events: NewEvent[]; value: (result: Committed) => T }
  | { kind: 'done'; value: T }
  | Refused;

type Committed = Extract<CommitResult, { outcome: 'committed' }>;

/** How often an operation reads and decides again before it says that others keep changing the same thing. */
const attempts = 8;

/**
 * Reads, decides and commits; when somebody moved first, again. An operation that expects a version checks it in its attempt and so answers `stale` in the
 * second round.
 */
export async function commitOperation<T>(
  context: Pick<AdminContext, 'store'>,
  attempt: () => Promise<Attempt<T>>,
): Promise<Outcome<T>> {
  for (let tries = 0; tries < attempts; tries++) {
    const decided = await attempt();
    if (decided.kind !== 'write') return decided;
    const result = await context.store.commit(decided.changes, decided.events);
    if (result.outcome === 'committed') return done(decided.value(result));
  }
  return refuse('conflict', 'others keep changing the same record; nothing was written, try again');
}

/** Refuses when the caller expects another version than the present one; `expected` absent: any. */
export function checkVersion(what: string, present: number, expected: number | undefined): Refused | undefined {
  if (expected === undefined || expected === present) return undefined;
  return refuse(
    'conflict',
    `${what} is at version ${present}, not ${expected}: somebody changed it meanwhile; read it again`,
    { stale: true },
  );
}

/**
 * Refuses an input for what is wrong with it: all of it in `problems`, the first in `field`. Messages hold no secrets, because the schemas' do not.
 */
export function refuseProblems(problems: readonly Problem[]): Refused {
  const lines = problems.map(({ path, message }) => ({
    field: path.length === 0 ? 'the input' : formatPath(path),
    detail: message,
  }));
  const reason = problems.every(({ message }) => /^is missing|got nothing$/.test(message))
    ? 'parameter_missing'
    : 'parameter_invalid';
  const detail = lines.map((line) => `${line.field}: ${line.detail}`).join('; ');
  const [first] = lines;
  return { kind: 'refuse', reason, detail, problems: lines, ...(first ? { field: first.field } : {}) };
}

/** An input as a shape reads it, or a refusal that names the fields at fault. */
export function readInput<S extends z.ZodRawShape>(shape: S, input: unknown): Outcome<Values<S>> {
  const object = readObject(input);
  if (object.kind === 'refuse') return object;
  const { value, problems } = parseSection(shape, object.value, []);
  return problems.length > 0 ? refuseProblems(problems) : done(value as Values<S>);
}

/** An input that must be an object. */
export function readObject(input: unknown): Outcome<Record<string, unknown>> {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return done({ ...input });
  return refuse('malformed_request', `expected an object, got ${Array.isArray(input) ? 'a list' : concealed(input)}`);
}

/** True for a value with at most that many objects and lists within one another: what is deeper cannot be written as JSON without harm. */
export function isNestedAtMost(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((part) => isNestedAtMost(part, levels - 1));
}
