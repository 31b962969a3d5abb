import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The four programs of the demo, where each listens by default, and the environment variable that moves it. */
export const parts = {
  server: { name: 'Tessera, the server', port: 4000, variable: 'DEMO_PORT_SERVER' },
  app: { name: 'the demo app', port: 4001, variable: 'DEMO_PORT_APP' },
  api: { name: 'the demo API', port: 4002, variable: 'DEMO_PORT_API' },
  notes: { name: 'Notes, the second app', port: 4003, variable: 'DEMO_PORT_NOTES' },
} as const;

/** One of the four programs. */
export type Part = keyof typeof parts;

/** Where everything is. The origins are `http://localhost:PORT`; `data` is an absolute path. */
export type DemoSettings = {
  ports: Record<Part, number>;
  issuer: string;
  app: string;
  api: string;
  notes: string;
  data: string;
};

/** Reads the ports and the data folder (`DEMO_DATA`) from the environment. Throws `RangeError` for a port that is none or stands twice. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): DemoSettings {
  const ports = Object.fromEntries(
    Object.entries(parts).map(([part, { port, variable }]) => [part, readPort(env[variable], port, variable)]),
  ) as Record<Part, number>;
  if (new Set(Object.values(ports)).size < 4)
    throw new RangeError(`the four ports must differ, got ${Object.values(ports).join(', ')}`);
  const originOf = (part: Part) => `http://localhost:${ports[part]}`;
  return {
    ports,
    issuer: originOf('server'),
    app: originOf('app'),
    api: originOf('api'),
    notes: originOf('notes'),
    data: resolve(env.DEMO_DATA || join(import.meta.dirname, '.tessera')),
  };
}

/** What the confidential clients of the demo authenticate with. */
export type DemoSecrets = Record<'api' | 'notes' | 'operator', string>;

/** The secrets of this installation, made at the first start and kept in the data folder, readable for its owner alone. */
export function readSecrets({ data }: Pick<DemoSettings, 'data'>): DemoSecrets {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const file = join(data, 'client-secrets.json');
  const random = () => randomBytes(32).toString('base64url');
  const fresh: DemoSecrets = { api: random(), notes: random(), operator: random() };
  try {
    writeFileSync(file, JSON.stringify(fresh), { mode: 0o600, flag: 'wx' });
    return fresh;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return JSON.parse(readFileSync(file, 'utf8')) as DemoSecrets;
  }
}

function readPort(text: string | undefined, fallback: number, variable: string): number {
  if (text === undefined || text === '') return fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new RangeError(`${variable} must be a port from 1 to 65535, got ${JSON.stringify(text)}`);
}
