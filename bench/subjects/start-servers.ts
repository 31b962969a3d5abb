import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestPostgres } from '../../packages/server/src/store/postgres/test-postgres.ts';
import { freePort } from '../../tests/free-port.ts';
import { describeTarget } from '../load/target.ts';
import type { Targets } from '../scenarios/run-scenario.ts';
import type { StoreName, SubjectName } from '../scenarios/scenario.ts';
import type { Startable } from '../scenarios/start.ts';
import { publishedServer } from './published-server.ts';
import { startDatabase } from './start-database.ts';
import { programCommand, type RunningSubject, startSubject } from './start-subject.ts';

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

/** Where a server keeps what it keeps. */
type Place = { folder: string; store?: string };

// `command`: starts it by itself; this server as it is published, bundled.
const programs: {
  name: SubjectName;
  program: string;
  command(port: number, place: Place): string[] | Promise<string[]>;
  readyPath: string;
}[] = [
  { name: 'tessera', program: 'tessera.ts', command: publishedServer, readyPath: '/ready' },
  {
    name: 'oidc-provider',
    program: 'oidc-provider.ts',
    command: (port, place) =>
      programCommand('oidc-provider.ts', JSON.stringify({ port, sessions: 0, ...place }), 'first'),
    readyPath: '/.well-known/openid-configuration',
  },
];
const groupedPeer: SubjectName = 'oidc-provider-grouped';

/** Starts this server and its peer, each with that many signed-in browsers in a store of its own, and, where they are asked for, the peer that groups what it asks of its store, and the bare server behind `limit`. */
export async function startServers(options: {
  store: StoreName;
  folder: string;
  sessions: number;
  withGroupedPeer: boolean;
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
  const makePlace = async (name: SubjectName): Promise<Place> => {
    // Short: in it is the socket of a database, whose path must not be longer than some hundred characters.
    const folder = join(options.folder, `${options.store}-${name.replace('oidc-provider', 'peer')}`);
    mkdirSync(folder, { recursive: true });
    if (options.store === 'postgres') databases.push(await startDatabase(folder));
    const store = databases.at(-1)?.connectionString;
    return { folder, ...(store !== undefined && { store }) };
  };
  const start = async (name: SubjectName, program: string, place: Place & { isGrouped?: boolean }) => {
    const sessions = name === 'limit' ? 0 : options.sessions;
    const subject = await startSubject(program, { port: await freePort(), sessions, ...place });
    running.push(subject);
    const pids = [subject.pid, ...databases.slice(-1).flatMap((database) => database.pid ?? [])];
    targets[name] = await describeTarget(subject.issuer, { ...subject, pids: name === 'limit' ? [subject.pid] : pids });
  };
  try {
    for (const { name, program, command, readyPath } of programs) {
      const place = await makePlace(name);
      startables.push({ name, command: (port) => command(port, place), readyPath });
      await start(name, program, place);
    }
    if (options.withGroupedPeer)
      await start(groupedPeer, 'oidc-provider.ts', { ...(await makePlace(groupedPeer)), isGrouped: true });
    if (options.withLimit) await start('limit', 'bare.ts', { folder: options.folder });
    return servers;
  } catch (error) {
    await servers.close();
    throw error;
  }
}
