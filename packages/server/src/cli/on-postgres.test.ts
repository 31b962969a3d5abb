import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  findPostgres,
  howToInstall,
  query,
  startTestPostgres,
  type TestPostgres,
} from '../store/postgres/test-postgres.ts';
import { createTestShell, type TestShell } from './test-context.ts';

const main = resolve(import.meta.dirname, 'main.ts');
const bin = findPostgres();
if (bin === undefined) console.error(howToInstall);

describe('commands on Postgres', { skip: bin === undefined ? howToInstall : false, timeout: 240_000 }, () => {
  let postgres: TestPostgres;
  let shell: TestShell;
  before(async () => {
    postgres = await startTestPostgres(bin as string);
    shell = await createTestShell({ issuer: 'http://localhost:8099', data: 'data', store: postgres.connectionString });
  });
  after(async () => {
    await shell?.close();
    await postgres?.remove();
  });

  /** As a process of its own: nothing else keeps it alive while it closes the store. */
  async function runAlone(...line: string[]): Promise<{ code: number | null; out: string; err: string }> {
    const flags = ['--conditions=tessera-source', '--disable-warning=ExperimentalWarning'];
    const child = spawn(process.execPath, [...flags, main, ...line], { cwd: shell.folder, env: {} });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.stdin.end();
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out, err };
  }

  test('say what they did, and end with 0', async () => {
    const added = await runAlone('user', 'add', 'ada', '--no-password');
    assert.equal(added.code, 0, added.err);
    assert.match(added.out, /✓ added ada/);
    const listed = await runAlone('user', 'list');
    assert.equal(listed.code, 0, listed.err);
    assert.match(listed.out, /^ada /m);
    assert.equal(listed.err, '');
  });

  test('doctor sees a user that may make no tables', async () => {
    await query(postgres.connectionString, 'CREATE ROLE guest LOGIN');
    await query(postgres.connectionString, 'CREATE DATABASE barred');
    const url = postgres.connectionString.replace(':///postgres?', ':///barred?').replace(/user=[^&]*/, 'user=guest');
    const examined = await shell.run(`doctor --store ${url} --data elsewhere`);
    assert.match(examined.out, /✗ store: .*this user may make no tables.*\n {4}→ let the user own the database/);
    const refused = await shell.run(`user add ada --no-password --store ${url} --data elsewhere`);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /permission denied .*; let that user own the database/);
  });

  test('doctor sees that there is no schema to make tables in', async () => {
    await query(postgres.connectionString, 'CREATE DATABASE pathless');
    await query(postgres.connectionString, 'ALTER DATABASE pathless SET search_path = elsewhere');
    const url = postgres.connectionString.replace(':///postgres?', ':///pathless?');
    const examined = await shell.run(`doctor --store ${url} --data elsewhere`);
    assert.match(examined.out, /✗ store: .*no schema .*search_path.*\n {4}→ make it: CREATE SCHEMA/);
    const refused = await shell.run(`user add ada --no-password --store ${url} --data elsewhere`);
    assert.match(refused.err, /no schema .*; make the schema that the user's search_path names/);
  });

  test('with the root keys of another store are refused, and change nothing', async () => {
    assert.equal((await shell.run('keys rotate --now')).code, 0);
    const before = (await shell.run('keys list --json')).out;
    const file = join(shell.folder, 'data', 'root-keys.json');
    const kept = await readFile(file, 'utf8');
    const { keys } = JSON.parse(kept) as { keys: { id: string; secret: string }[] };
    await writeFile(file, JSON.stringify({ keys: [{ ...keys[0], id: 'AAAAAA' }] }));
    for (const line of ['keys rotate --now', 'user list', 'client add web']) {
      const { code, err } = await shell.run(line);
      assert.equal(code, 1, line);
      assert.match(err, /sealed under root key .*, which is not among those here \(AAAAAA\)/);
      assert.ok(!err.includes(keys[0]?.secret ?? ''));
    }
    const examined = await shell.run('doctor');
    assert.match(examined.out, /✗ signing keys: .*not among those here \(AAAAAA\)/);
    await writeFile(file, kept);
    assert.equal((await shell.run('keys list --json')).out, before);
  });
});
