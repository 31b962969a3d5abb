import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
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
  /** Of its socket and its data. */
  folder: string;
  /** Kills the server without any warning, like a crash, and starts it again. */
  crash(): Promise<void>;
  /** Whether its process lives: a server whose log finds no room ends itself. */
  isRunning(): boolean;
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
  /** Settings on top of those. */
  more?: readonly string[];
  /** Puts it on a disk of that size (`mountSmallDisk`). */
  diskMegabytes?: number;
  /** Makes it a standby that follows another server. */
  copyOf?: TestPostgres;
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
  {
    within = tmpdir(),
    settings = small,
    startedBy = [],
    more: also = [],
    diskMegabytes,
    copyOf,
  }: TestPostgresOptions = {},
): Promise<TestPostgres> {
  const user = unprivileged();
  const folder = mkdtempSync(join(within, 'tessera-pg-'));
  const removeDisk = diskMegabytes === undefined ? () => undefined : mountSmallDisk(folder, diskMegabytes);
  takeOver(folder, user);
  const data = join(folder, 'data');
  const connectionString = `postgresql:///postgres?user=tessera&host=${folder}`;
  const [program, options] =
    copyOf === undefined
      ? [
          'initdb',
          [
            '-U',
            'tessera',
            '--auth=trust',
            '--encoding=UTF8',
            '--locale=C',
            '--no-sync',
            ...(diskMegabytes === undefined ? [] : ['--wal-segsize=1']),
          ],
        ]
      : [
          'pg_basebackup',
          ['-h', copyOf.folder, '-U', 'tessera', '-R', '-c', 'fast', '--no-sync', '-d', 'dbname=postgres'],
        ];
  await promisify(execFile)(join(bin, program), ['-D', data, ...options], {
    ...user,
    cwd: folder,
    env: { PATH: process.env.PATH },
  });
  let server: ChildProcess | undefined;

  async function start(more: readonly string[] = []): Promise<void> {
    const options = [...settings, ...always, ...also, ...more].flatMap((setting) => ['-c', setting]);
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
    folder,
    isRunning: () => server !== undefined && server.exitCode === null && server.signalCode === null,
    start,
    stop: () => end('SIGINT'),
    async crash() {
      await end('SIGKILL');
      await start();
    },
    async remove() {
      await end('SIGINT');
      removeDisk();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Puts a file system of that size into a folder, in memory; returns how it goes again. Only for root. */
export function mountSmallDisk(folder: string, megabytes: number): () => void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'none', folder]);
  return () => execFileSync('umount', ['-l', folder]);
}

/** Why there can be no small disk, or false: mounting is for root, and some containers refuse it to root too. */
export function whyNoSmallDisk(): string | false {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-disk-'));
  try {
    mountSmallDisk(folder, 1)();
    return false;
  } catch {
    return 'no file system can be mounted here (it needs root); the tests of full disks did NOT run';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let schemas = 0;

/** An engine for the contract suite, in a schema of its own, which goes with it. */
export async function openEngine({
  connectionString,
}: Pick<TestPostgres, 'connectionString'>): Promise<OpenedEngine & { schema: string }> {
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

/** Gives a file or folder to the user that a server runs as. */
export function takeOver(path: string, user: User | undefined): void {
  if (user !== undefined) chownSync(path, user.uid, user.gid);
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

/** A user's numbers. */
export type User = { uid: number; gid: number };

/** Whom to run servers as that refuse root; undefined for who is not. */
export function unprivileged(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('Postgres does not run as root, and there is neither a user postgres nor nobody');
}

/** A connection of a test's own, which sees the tables of that schema and may break. */
export async function connectTo({ connectionString }: TestPostgres, schema: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`SET search_path = ${schema}`);
  return client;
}
