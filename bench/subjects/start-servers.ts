import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestPostgres } from '../../packages/server/src/store/postgres/test-postgres.ts';
import { describeTarget } from '../load/target.ts';
import type { Targets } from '../scenarios/run-scenario.ts';
import type { StoreName, SubjectName } from '../scenarios/scenario.ts';
import type { Startable } from '../scenarios/start.ts';
import { startDatabase } from './start-database.ts';
import { freePort, type RunningSubject, startSubject } from './start-subject.ts';

/** Servers that run side by side on one kind of store. */
export type Servers = {
  targets: Targets;
  /** Those that keep something, to be started again where they were. */
  startables: readonly Startable[];
  /** Stops the servers; their databases run on. */
  stop(): Promise<void>;
  /** Stops everything. */
  close(): Promise<void>;
};

const programs: { name: SubjectName; program: string; readyPath: string }[] = [
  { name: 'tessera', program: 'tessera.ts', readyPath: '/ready' },
  { name: 'oidc-provider', program: 'oidc-provider.ts', readyPath: '/.well-known/openid-configuration' },
];

/** Starts this server and its peer, each with that many signed-in browsers in a store of its own, and, where it is asked for, the bare server behind `limit`. */
export async function startServers(options: {
  store: StoreName;
  folder: string;
  sessions: number;
  withLimit: boolean;
}): Promise<Servers> {
  const targets: Targets = {};
  const startables: Startable[] = [];
  const databases: TestPostgres[] = [];
  const running: RunningSubject[] = [];
  const servers: Servers = {
    targets,
    startables,
    stop: async () => {
      for (const subject of running.splice(0)) await subject.stop();
    },
    close: async () => {
      await servers.stop();
      for (const database of databases.splice(0)) await database.remove();
    },
  };
  const start = async (
    name: SubjectName,
    program: string,
    where: Omit<Startable, 'name' | 'program' | 'readyPath'>,
  ) => {
    const sessions = name === 'limit' ? 0 : options.sessions;
    const subject = await startSubject(program, { port: await freePort(), sessions, ...where });
    running.push(subject);
    const pids = [subject.pid, ...databases.slice(-1).flatMap((database) => database.pid ?? [])];
    targets[name] = await describeTarget(subject.issuer, { ...subject, pids: name === 'limit' ? [subject.pid] : pids });
  };
  try {
    for (const { name, program, readyPath } of programs) {
      const folder = join(options.folder, `${name}-${options.store}`);
      mkdirSync(folder, { recursive: true });
      if (options.store === 'postgres') databases.push(await startDatabase(folder));
      const store = databases.at(-1)?.connectionString;
      const where = { folder, ...(store !== undefined && { store }) };
      startables.push({ name, program, readyPath, ...where });
      await start(name, program, where);
    }
    if (options.withLimit) await start('limit', 'bare.ts', { folder: options.folder });
    return servers;
  } catch (error) {
    await servers.close();
    throw error;
  }
}
