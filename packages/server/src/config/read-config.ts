import { dirname, resolve } from 'node:path';
import type { Config } from './config.ts';
import { findConfigFile, loadConfigFile } from './config-file.ts';
import { type Override, type Overrides, readEnvironment, readOverrides } from './environment.ts';
import { formatPath, formatProblems } from './problem.ts';
import { ConfigError, checkConfig, portOf } from './schema.ts';
import { resolveSecrets } from './secret-value.ts';

/** Where the settings come from. `file`: relative to `cwd`; without it the usual names are looked for there, and no file at all is fine. */
export type ConfigSources = {
  file?: string;
  env: Readonly<Record<string, string | undefined>>;
  overrides?: Overrides;
  /** The folder one is in; the process's own by default. */
  cwd?: string;
};

/**
 * Reads the settings: the file, over it the environment (`TESSERA_ISSUER`, `TESSERA_PORT`, `TESSERA_HOST`, `TESSERA_DATA`, `TESSERA_STORE`,
 * `TESSERA_WORKERS`, `TESSERA_LOG_LEVEL`), over both the command line. Paths in the file are relative to the file, others to `cwd`; `data` and `journal` come back absolute.
 *
 * A port given from outside takes a loopback http issuer of the file along when the two belonged together: when `listen.port` is absent or was the issuer's
 * port. Otherwise the issuer stays, because a differing port is deliberate (a proxy, a container). Port 0 never moves the issuer.
 *
 * Throws `ConfigError` with all problems at once.
 */
export async function readConfig({ file, env, overrides = {}, cwd = process.cwd() }: ConfigSources): Promise<Config> {
  const path = findConfigFile(file, cwd);
  const folder = path === undefined ? cwd : dirname(path);
  const content = path === undefined ? {} : await loadConfigFile(path);
  const secrets = resolveSecrets(content, {
    env,
    folder,
    isStoreOverridden: Boolean(overrides.store ?? env.TESSERA_STORE),
  });
  const fromEnvironment = readEnvironment(env, secrets.variables);
  const fromCommand = readOverrides(overrides);
  const override = { ...fromEnvironment.override, ...fromCommand.override };
  const checked = checkConfig(applyOverride(secrets.file, override));
  const unread = secrets.problems.map(({ path }) => formatPath(path));
  const outside = [...fromCommand.problems, ...fromEnvironment.problems];
  const problems = [
    ...outside,
    ...secrets.problems,
    // A secret that could not be read has its own line already.
    ...checked.problems.filter((problem) => !unread.includes(formatPath(problem.path))),
  ];
  if (!checked.config || problems.length > 0)
    // What was given outside must not be looked for in the file.
    throw new ConfigError(formatProblems(problems), problems.length > outside.length ? path : undefined);
  const data = resolve(override.data === undefined ? folder : cwd, checked.config.data);
  const { journal } = checked.config;
  return { ...checked.config, data, ...(journal !== undefined && { journal: resolve(folder, journal) }) };
}

function applyOverride(file: Record<string, unknown>, override: Override): Record<string, unknown> {
  const { issuer, port, host, data, store, workers, logLevel } = override;
  const result = { ...file };
  if (issuer !== undefined) result.issuer = issuer;
  else if (port !== undefined) result.issuer = movedIssuer(file, port);
  if (data !== undefined) result.data = data;
  if (store !== undefined) result.store = store;
  if (workers !== undefined) result.workers = workers;
  if (logLevel !== undefined) result.logLevel = logLevel;
  if (port === undefined && host === undefined) return result;
  const listen = file.listen ?? {};
  // What is no section is left as it is, to be refused.
  if (typeof listen !== 'object' || Array.isArray(listen)) return result;
  result.listen = { ...listen, ...(port === undefined ? {} : { port }), ...(host === undefined ? {} : { host }) };
  return result;
}

function movedIssuer({ issuer, listen }: Record<string, unknown>, port: number): unknown {
  const ownPort = typeof issuer === 'string' ? portOf(issuer) : undefined;
  const listened = (listen as { port?: unknown } | undefined)?.port ?? ownPort;
  if (ownPort === undefined || port === 0 || listened !== ownPort) return issuer;
  const url = new URL(issuer as string);
  url.port = String(port);
  return url.href.replace(/\/$/, '');
}
