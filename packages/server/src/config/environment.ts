import { parseSection } from './parse-section.ts';
import type { Problem } from './problem.ts';
import { serverShape } from './server-shape.ts';
import { didYouMean } from './suggestion.ts';

/** Settings that come from the command line. */
export type Overrides = {
  issuer?: string;
  port?: number;
  host?: string;
  data?: string;
  store?: string;
  workers?: number;
};

/** The environment variables that override the file, each with the key it overrides. */
export const configVariables = {
  TESSERA_ISSUER: 'issuer',
  TESSERA_PORT: 'listen.port',
  TESSERA_HOST: 'listen.host',
  TESSERA_DATA: 'data',
  TESSERA_STORE: 'store',
  TESSERA_WORKERS: 'workers',
  TESSERA_LOG_LEVEL: 'logLevel',
} as const;

/** Variables that are read elsewhere: the root keys, and the launcher's mark. */
const otherVariables = ['TESSERA_ROOT_KEYS', 'TESSERA_LAUNCHED'];

/** What overrides the file, checked, and how a message calls its origin. */
export type Override = Overrides & { logLevel?: string };

const shape = {
  issuer: serverShape.issuer,
  port: serverShape.listen.unwrap().shape.port,
  host: serverShape.listen.unwrap().shape.host,
  data: serverShape.data,
  store: serverShape.store,
  workers: serverShape.workers,
  logLevel: serverShape.logLevel,
};

/** Reads the overriding environment variables. An empty one counts as not set. Unknown ones that begin with `TESSERA_` are refused, but for those in `used`. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  used: readonly string[],
): { override: Override; problems: Problem[] } {
  const known = [...Object.keys(configVariables), ...otherVariables];
  const problems: Problem[] = Object.keys(env)
    .filter((name) => name.startsWith('TESSERA_') && !known.includes(name) && !used.includes(name))
    .map((name) => ({
      path: [name],
      message: `unknown environment variable${didYouMean(name, known) || `; known: ${known.join(', ')}`}`,
    }));
  const raw = {
    issuer: env.TESSERA_ISSUER || undefined,
    port: numberOrText(env.TESSERA_PORT),
    host: env.TESSERA_HOST || undefined,
    data: env.TESSERA_DATA || undefined,
    store: env.TESSERA_STORE || undefined,
    workers: numberOrText(env.TESSERA_WORKERS),
    logLevel: env.TESSERA_LOG_LEVEL || undefined,
  };
  const names = {
    issuer: 'ISSUER',
    port: 'PORT',
    host: 'HOST',
    data: 'DATA',
    store: 'STORE',
    workers: 'WORKERS',
    logLevel: 'LOG_LEVEL',
  };
  const checked = checkOverride(raw, (key) => `TESSERA_${names[key]}`);
  return { override: checked.override, problems: [...problems, ...checked.problems] };
}

/** A number where it is written as one; anything else is shown as it is. */
function numberOrText(value: string | undefined): number | string | undefined {
  return value && /^\d{1,6}$/.test(value) ? Number(value) : value || undefined;
}

/** Checks what the command line overrides. */
export function readOverrides(overrides: Overrides): { override: Override; problems: Problem[] } {
  return checkOverride(overrides, (key) => `--${key}`);
}

function checkOverride(
  raw: { [K in keyof Override]?: unknown },
  nameOf: (key: keyof Override) => string,
): { override: Override; problems: Problem[] } {
  const override: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const key of Object.keys(shape) as (keyof Override)[]) {
    if (raw[key] === undefined) continue;
    const parsed = parseSection({ [key]: shape[key] }, { [key]: raw[key] }, []);
    problems.push(...parsed.problems.map(({ message }) => ({ path: [nameOf(key)], message })));
    Object.assign(override, parsed.value);
  }
  return { override: override as Override, problems };
}
