import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Store } from '../store.ts';
import type { OpenedEngine } from '../store-contract.ts';
import { openPostgresStore } from './open.ts';

/** A server for tests, on a socket in a folder of its own. */
export type TestPostgres = {
  /** For `openPostgresStore` and `pg`. */
  connectionString: string;
  /** Its first process, the parent of all others. */
  readonly pid: number | undefined;
  /** The file of its socket, for what stands between it and a store. */
  socket: string;
  /** Kills the server without any warning, like a crash, and starts it again. */
  crash(): Promise<void>;
  /** Stops it (new connections are refused) and starts it again. */
  stop(): Promise<void>;
  start(settings?: readonly string[]): Promise<void>;
  /** Stops it and removes its folder. */
  remove(): Promise<void>;
};

/** What to do where there is no server to test with. */
export const howToInstall =
  'no Postgres server found: install one (Debian: apt-get install postgresql) or name the folder of its programs in POSTGRES_BIN; the tests of the Postgres engine did NOT run';

/** The folder of `postgres` and `initdb`: POSTGRES_BIN, the newest of Debian's, or from the PATH; undefined without any. */
export function findPostgres(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...(env.POSTGRES_BIN ? [env.POSTGRES_BIN] : []),
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(env.PATH ?? '').split(delimiter),
  ];
  return folders.find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')));
}

/** How a test server differs from the usual one. */
export type TestPostgresOptions = {
  /** Where its folder is made; the user it runs as must be able to pass through. Default: the system's folder for temporary files. */
  within?: string;
  /** Settings that replace the usual ones, `name=value`. Durability and the socket stay. */
  settings?: readonly string[];
  /** A command that starts it, for instance on one processor. */
  startedBy?: readonly string[];
};

const always = ['fsync=on', 'listen_addresses='];
// Durable as in earnest, but small. The rest keeps a machine that tests much else from waiting.
const small = [
  'shared_buffers=32MB',
  'max_connections=120',
  'wal_level=minimal',
  'max_wal_senders=0',
  'log_min_messages=fatal',
  'autovacuum_naptime=5s',
  'deadlock_timeout=50ms',
];

/** Makes a cluster in a temporary folder and starts its server. As root under the user `postgres` or `nobody`, because the server refuses root. */
export async function startTestPostgres(
  bin: string,
  { within = tmpdir(), settings = small, startedBy = [] }: TestPostgresOptions = {},
): Promise<TestPostgres> {
  const user = process.getuid?.() === 0 ? unprivileged() : undefined;
  const folder = mkdtempSync(join(within, 'tessera-pg-'));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const connectionString = `postgresql:///postgres?user=tessera&host=${folder}`;
  await promisify(execFile)(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'tessera', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'],
    { ...user, cwd: folder, env: { PATH: process.env.PATH } },
  );
  let server: ChildProcess | undefined;

  async function start(more: readonly string[] = []): Promise<void> {
    const options = [...settings, ...always, ...more].flatMap((setting) => ['-c', setting]);
    // After a kill its backends need a moment to notice; until then the server refuses to start.
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const [program, ...flags] = [...startedBy, join(bin, 'postgres'), '-D', data, '-k', folder, ...options];
      server = spawn(program as string, flags, {
        ...user,
        cwd: folder,
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'ignore', process.env.POSTGRES_LOG ? 'inherit' : 'ignore'],
      });
      if (await answers(server, connectionString)) return;
      await delay(100);
    }
    throw new Error(`the test server in ${folder} does not start`);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    server = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    await exited;
  }

  process.once('exit', () => server?.kill('SIGQUIT'));
  await start();
  return {
    connectionString,
    get pid() {
      return server?.pid;
    },
    socket: join(folder, '.s.PGSQL.5432'),
    start,
    stop: () => end('SIGINT'),
    async crash() {
      await end('SIGKILL');
      await start();
    },
    async remove() {
      await end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

let schemas = 0;

/** An engine for the contract suite, in a schema of its own, which goes with it. */
export async function openEngine({ connectionString }: TestPostgres): Promise<OpenedEngine & { schema: string }> {
  schemas += 1;
  const schema = `case_${process.pid}_${schemas}`;
  const stores: Store[] = [];
  const another = async (): Promise<Store> => {
    const store = await openPostgresStore({ connectionString, schema, poolSize: 6 });
    stores.push(store);
    return store;
  };
  return {
    schema,
    store: await another(),
    another,
    async close() {
      for (const store of stores) await store.close();
      await query(connectionString, `DROP SCHEMA ${schema} CASCADE`);
    },
  };
}

/** Runs statements on a connection of its own; returns the rows of the last. */
export async function query<Row extends pg.QueryResultRow>(connectionString: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const results = [await client.query<Row>(sql)].flat() as pg.QueryResult<Row>[];
    return results.at(-1)!.rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function answers(server: ChildProcess, connectionString: string): Promise<boolean> {
  while (server.exitCode === null && server.signalCode === null) {
    const isUp = await query(connectionString, 'SELECT 1').then(
      () => true,
      () => false,
    );
    if (isUp) return true;
    await delay(30);
  }
  return false;
}

function unprivileged(): { uid: number; gid: number } {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('Postgres does not run as root, and there is neither a user postgres nor nobody');
}
