import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { query, type TestPostgres, takeOver, unprivileged } from './test-postgres.ts';

/** A pooler in front of a test server. */
export type TestPooler = {
  connectionString: string;
  /** Kills it without any warning; connections through it are cut. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and removes its folder. */
  remove(): Promise<void>;
};

/** What to do where there is no pooler to test with. */
export const howToInstallPooler =
  'no pgbouncer found: install it (Debian: apt-get install pgbouncer); the tests of the Postgres engine behind a pooler did NOT run';

/** The program, from the PATH or where Debian has it; undefined without any. */
export function findPooler(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = ['/usr/sbin', '/usr/local/sbin', ...(env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, 'pgbouncer')).find((file) => existsSync(file));
}

const port = 6432;

/** Starts a pooler that hands connections of the server on after each session, transaction or statement. */
export async function startTestPooler(
  program: string,
  server: TestPostgres,
  mode: 'session' | 'transaction' | 'statement',
  settings: readonly string[] = [],
): Promise<TestPooler> {
  const user = unprivileged();
  const folder = mkdtempSync(join(tmpdir(), 'tessera-pooler-'));
  takeOver(folder, user);
  const file = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `postgres = host=${server.folder} user=tessera`,
    '[pgbouncer]',
    'listen_addr =',
    `listen_port = ${port}`,
    `unix_socket_dir = ${folder}`,
    'auth_type = any',
    `pool_mode = ${mode}`,
    'max_client_conn = 500',
    `default_pool_size = ${mode === 'session' ? 100 : 20}`,
    'server_login_retry = 0',
    ...settings,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const connectionString = `postgresql:///postgres?user=tessera&host=${folder}&port=${port}`;
  let pooler: ChildProcess | undefined;

  async function start(): Promise<void> {
    pooler = spawn(program, ['-q', file], { ...user, cwd: folder, stdio: 'ignore' });
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const isUp = await query(connectionString, 'SELECT 1').then(
        () => true,
        () => false,
      );
      if (isUp) return;
      await delay(30);
    }
    throw new Error(`the test pooler in ${folder} does not start`);
  }

  async function stop(): Promise<void> {
    const stopping = pooler;
    pooler = undefined;
    if (stopping === undefined || stopping.exitCode !== null) return;
    const exited = once(stopping, 'exit');
    stopping.kill('SIGKILL');
    await exited;
    rmSync(join(folder, `.s.PGSQL.${port}`), { force: true });
  }

  process.once('exit', () => pooler?.kill('SIGKILL'));
  await start();
  return {
    connectionString,
    start,
    stop,
    async remove() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
