import { execFile } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestShell, type TestShell } from '../../packages/server/src/cli/test-context.ts';
import { query, type TestPostgres } from '../../packages/server/src/store/postgres/test-postgres.ts';
import { freePort } from '../free-port.ts';
import { TestBrowser } from '../test-browser.ts';
import { startTestServer, type TestServer, testConfig } from '../test-server.ts';

/** A server with a store of its own that can be backed up and put back, on either engine; and the command line beside it. */
export type Restorable = {
  shell: TestShell;
  /** The data folder: root keys, journal, and the embedded store. */
  data: string;
  /** Starts a server on it, at the same place each time. */
  start(): Promise<TestServer>;
  /** A browser that reaches whichever server was started last. */
  browser(): TestBrowser;
  /** Keeps the present state, by the engine's own way, while the server runs or not. */
  backUp(): Promise<void>;
  /** Puts the kept state back as an operator would who knows of nothing else. */
  putBack(): Promise<void>;
  /** `tessera restore`, after what it needs. */
  restore(policy: 'resume' | 'reauthenticate', more?: string): ReturnType<TestShell['run']>;
  remove(): Promise<void>;
};

/** One in SQLite. */
export async function restorableFile(): Promise<Restorable> {
  const own = await prepare({});
  const store = join(own.data, 'tessera.db');
  const backup = join(own.shell.folder, 'backup.db');
  return {
    ...own,
    async backUp() {
      rmSync(backup, { force: true });
      const { code, err } = await own.shell.run(`backup ${backup}`);
      if (code !== 0) throw new Error(err);
    },
    putBack: async () => copyFileSync(backup, store),
    restore: (policy, more = '') => own.shell.run(`restore ${backup} --policy ${policy} --yes ${more}`),
  };
}

let databases = 0;

/** One in Postgres, in a database of its own. `bin`: the folder of pg_dump and pg_restore. */
export async function restorableDatabase(server: TestPostgres, bin: string): Promise<Restorable> {
  databases += 1;
  const name = `restorable_${databases}`;
  await query(server.connectionString, `CREATE DATABASE ${name}`);
  const url = server.connectionString.replace(':///postgres?', `:///${name}?`);
  const own = await prepare({ store: url });
  const dump = join(own.shell.folder, 'tessera.dump');
  const run = promisify(execFile);
  const putBack = async () => {
    await query(server.connectionString, `DROP DATABASE ${name} WITH (FORCE)`);
    await query(server.connectionString, `CREATE DATABASE ${name}`);
    await run(join(bin, 'pg_restore'), ['--dbname', url, dump]);
  };
  return {
    ...own,
    backUp: async () => void (await run(join(bin, 'pg_dump'), ['--format=custom', '--file', dump, url])),
    putBack,
    async restore(policy, more = '') {
      await putBack();
      return own.shell.run(`restore --policy ${policy} --yes ${more}`);
    },
    async remove() {
      await own.remove();
      await query(server.connectionString, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function prepare(more: {
  store?: string;
}): Promise<Pick<Restorable, 'shell' | 'data' | 'start' | 'browser' | 'remove'>> {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const shell = await createTestShell(testConfig(issuer, more));
  const data = join(shell.folder, 'tessera-data');
  const started: TestServer[] = [];
  return {
    shell,
    data,
    async start() {
      const test = await startTestServer({ config: more, data, port, listen: true });
      started.push(test);
      return test;
    },
    browser: () =>
      new TestBrowser(issuer, (request) => {
        const present = started.at(-1);
        if (present === undefined) throw new TypeError('browser: expected a server to be started');
        return present.server.fetch(request);
      }),
    async remove() {
      for (const test of started) await test.close();
      await shell.close();
    },
  };
}
