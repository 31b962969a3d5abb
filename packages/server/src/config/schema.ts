import { isLoopbackHost } from '@tessera/protocol';
import type { z } from 'zod';
import { clientShape, parseClient } from './client-schema.ts';
import type { Config } from './config.ts';
import { parseEntries, parseSection } from './parse-section.ts';
import { formatProblems, type Problem } from './problem.ts';
import { checkReferences } from './references.ts';
import { parseResourceServer, resourceServerShape } from './resource-server-schema.ts';
import { serverShape } from './server-shape.ts';
import { parseUser, userShape } from './user-schema.ts';
import { list, section } from './value-schemas.ts';

/** The whole file as one zod schema: for its type, its JSON Schema and its documentation. What checks a file is `parseConfig`. */
export const configSchema = section({
  ...serverShape,
  users: list(section(userShape)).default([]).meta({
    description:
      'Users the file declares. A user is created when absent; afterwards only the keys that stand here change. One that leaves the file stays.',
  }),
  clients: list(section(clientShape)).default([]).meta({
    description:
      'Apps the file declares. One that leaves the file is disabled, and the admin API may change it from then on.',
  }),
  resourceServers: list(section(resourceServerShape)).default([]).meta({
    description:
      'Resource servers: groups of APIs that share scopes and permission rules. One that leaves the file stays, and the admin API may change it from then on.',
  }),
});

/** What may stand in the file. */
export type ConfigFile = z.input<typeof configSchema>;

/** Thrown when the configuration cannot be used. `problems`: one line each. */
export class ConfigError extends Error {
  readonly code = 'config_invalid';
  readonly problems: string[];

  constructor(problems: string[], source = 'The configuration') {
    super(
      `${source} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((line) => `  ${line}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** The port without a setting, unless the issuer is on loopback and names one. */
export const defaultPort = 8080;

/** A problem unless the store's URL is text: `resolveSecrets` has replaced what only names it. */
function unresolvedStore(store: unknown): Problem[] {
  return store === undefined || typeof store === 'string'
    ? []
    : [{ path: ['store'], message: 'names a secret that was not read' }];
}

/**
 * Checks what stands in the file, secrets resolved, and fills in the defaults. Reports all problems at once; the configuration only when there are none.
 * Pure.
 */
export function checkConfig(
  file: unknown,
): { config: Config; problems: [] } | { config: undefined; problems: Problem[] } {
  const lists = isObject(file) ? file : {};
  const server = parseSection(serverShape, file, [], ['users', 'clients', 'resourceServers']);
  const users = parseEntries(lists.users, ['users'], parseUser);
  const clients = parseEntries(lists.clients, ['clients'], parseClient);
  const resourceServers = parseEntries(lists.resourceServers, ['resourceServers'], parseResourceServer);
  const entries = { users: users.entries, clients: clients.entries, resourceServers: resourceServers.entries };
  const problems = [
    ...server.problems,
    ...unresolvedStore(server.value.store),
    ...users.problems,
    ...clients.problems,
    ...resourceServers.problems,
    ...checkReferences(entries, server.value.issuer),
  ];
  if (problems.length > 0) return { config: undefined, problems };
  const { store, journal, ...values } = server.value as Required<Omit<typeof server.value, 'store' | 'journal'>> & {
    store?: string;
    journal?: string;
  };
  const listen = { host: values.listen.host, port: values.listen.port ?? portOf(values.issuer) ?? defaultPort };
  // Without problems every entry is whole.
  const declared = {
    users: entries.users.map(({ value }) => value),
    clients: entries.clients.map(({ value }) => value),
    resourceServers: entries.resourceServers.map(({ value }) => value),
  } as Pick<Config, 'users' | 'clients' | 'resourceServers'>;
  const optional = { ...(store !== undefined && { store }), ...(journal !== undefined && { journal }) };
  return { config: { ...values, ...optional, listen, ...declared }, problems: [] };
}

/** As `checkConfig`; throws a `ConfigError`. For settings made in code, such as those of a test. */
export function parseConfig(file: ConfigFile): Config {
  const { config, problems } = checkConfig(file);
  if (!config) throw new ConfigError(formatProblems(problems));
  return config;
}

/** Gives a `tessera.config.ts` its types: `export default defineConfig({ … })`. */
export function defineConfig(file: ConfigFile): ConfigFile {
  return file;
}

/** The port of an issuer that is http on loopback; undefined for others, whose port belongs to a proxy. */
export function portOf(issuer: string): number | undefined {
  const url = URL.parse(issuer);
  if (url?.protocol !== 'http:' || !isLoopbackHost(url.hostname)) return undefined;
  return url.port === '' ? 80 : Number(url.port);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
