import { constants, existsSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemRandom } from '../secrets/random.ts';
import { listRootKeys, readRootKeys } from '../secrets/root-key-file.ts';
import { assertRootKeysOpen } from '../secrets/root-keys-at-hand.ts';
import type { SigningKeyRecord } from '../store/records.ts';
import { assertUsable } from '../store/sqlite/schema.ts';
import { SigningKeys, signingAlgorithms } from '../tokens/signing-keys.ts';
import type { Check, Finding } from './doctor.ts';
import type { Terminal } from './terminal.ts';

const storeName = 'tessera.db';

/** The data folder: there, writable, and closed to others. */
export const checkDataFolder: Check = async (_terminal, { data }) => {
  if (!existsSync(data)) return { state: 'skipped', detail: `${data} is not there yet; the first start makes it` };
  try {
    await access(data, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const todo =
      code === 'EROFS'
        ? 'name a folder on a disk that can be written to: data, --data or TESSERA_DATA'
        : `let the user that runs the server own it: chown -R USER ${data}`;
    return { state: 'wrong', detail: `${data} cannot be read and written by this user (${code})`, todo };
  }
  const { mode } = await stat(data);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    return {
      state: 'wrong',
      detail: `${data} has mode ${octal(mode)}: others on this machine can look into it`,
      todo: `chmod 700 ${data}`,
    };
  return { state: 'ok', detail: data };
};

/** The root keys: there, well-formed, and readable by nobody else. */
export const checkRootKeys: Check = async ({ env }, { data }) => {
  const file = join(data, 'root-keys.json');
  if (!env.TESSERA_ROOT_KEYS && !existsSync(file) && !existsSync(join(data, storeName)))
    return { state: 'skipped', detail: `${file} is not there yet; the first start makes it` };
  const keys = await listRootKeys({ env, dataFolder: data, random: systemRandom });
  const from = env.TESSERA_ROOT_KEYS ? 'TESSERA_ROOT_KEYS' : file;
  const states = keys.map(({ id, state }) => `${id} ${state}`).join(', ');
  return { state: 'ok', detail: `${from}: ${states}` };
};

/** The store: opens, is whole, has a schema this program knows, and has seen no time that is still to come. */
export const checkStore: Check = async (terminal, { data, store }) => {
  if (store !== undefined) return checkPostgres(terminal, store);
  const file = join(data, storeName);
  if (!existsSync(file)) return { state: 'skipped', detail: `${file} is not there yet; the first start makes it` };
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    assertUsable(db);
    const [first] = db.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
    if (first?.quick_check !== 'ok')
      return {
        state: 'wrong',
        detail: `${file} is damaged: ${first?.quick_check}`,
        todo: 'stop the server and put the last backup back: tessera restore FILE, see docs/operations.md',
      };
    const { user_version: schema } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    const { latest } = (db.prepare('SELECT at AS latest FROM events ORDER BY position DESC LIMIT 1').get() ?? {
      latest: 0,
    }) as { latest: number };
    return clockProblem(terminal, latest) ?? { state: 'ok', detail: `${file}, whole, schema ${schema}` };
  } finally {
    db.close();
  }
};

async function checkPostgres(terminal: Terminal, url: string): Promise<Omit<Finding, 'check'>> {
  const { inspectPostgres } = await import('../store/postgres/inspect.ts');
  const { schema, mayMakeTables, latestEventAt, clockMs } = await inspectPostgres(url);
  const aheadSeconds = (terminal.nowMs() - clockMs) / 1000;
  if (Math.abs(aheadSeconds) > 2)
    return {
      state: 'wrong',
      detail: `this clock is ${Math.abs(aheadSeconds).toFixed(1)} s ${aheadSeconds > 0 ? 'ahead of' : 'behind'} the database's; a server here is not ready`,
      todo: 'set the clock, and keep it right with NTP',
    };
  if (schema === 0 && mayMakeTables === undefined)
    return {
      state: 'wrong',
      detail: "Postgres answers, and no schema that the user's search_path names is there",
      todo: 'make it: CREATE SCHEMA … AUTHORIZATION …',
    };
  if (schema === 0 && !mayMakeTables)
    return {
      state: 'wrong',
      detail: 'Postgres answers, and this user may make no tables in that database',
      todo: 'let the user own the database: ALTER DATABASE … OWNER TO …',
    };
  if (schema === 0) return { state: 'skipped', detail: 'Postgres answers; the first start makes the store there' };
  return clockProblem(terminal, latestEventAt) ?? { state: 'ok', detail: `Postgres answers, schema ${schema}` };
}

function clockProblem(terminal: Terminal, latestEventAt: number): Omit<Finding, 'check'> | undefined {
  const ahead = latestEventAt - Math.floor(terminal.nowMs() / 1000);
  if (ahead <= 2) return undefined;
  return {
    state: 'wrong',
    detail: `its last event lies ${ahead} s in the future: this clock, or the one that wrote it, is wrong`,
    todo: 'set the clock, and keep it right with NTP',
  };
}

/** The signing keys: one that signs for each algorithm, and its private half opens under the root keys. */
export const checkSigningKeys: Check = async ({ env }, { data, store }) => {
  const file = join(data, storeName);
  if (store === undefined && !existsSync(file)) return { state: 'skipped', detail: 'the first start makes them' };
  const records = store === undefined ? readKeyRecords(file) : await readPostgresKeys(store);
  if (records.length === 0) return { state: 'skipped', detail: 'the first start makes them' };
  // Reading root keys that are not there would make new ones.
  if (!env.TESSERA_ROOT_KEYS && !existsSync(join(data, 'root-keys.json')))
    return {
      state: 'wrong',
      detail: 'the store has signing keys, and there are no root keys here to open them',
      todo: "bring the root keys of the store's other servers: copy root-keys.json or set TESSERA_ROOT_KEYS",
    };
  const rootKeys = await readRootKeys({ env, dataFolder: data, random: systemRandom });
  assertRootKeysOpen(rootKeys, records);
  const keys = new SigningKeys(rootKeys);
  keys.load(records);
  const missing = signingAlgorithms.filter((algorithm) => keys.currentKid(algorithm) === undefined);
  if (missing.length === 0) return { state: 'ok', detail: `sign ${signingAlgorithms.join(', ')}` };
  return {
    state: 'wrong',
    detail: `none can sign ${missing.join(', ')}: there is none, or the root key it was sealed under is refused`,
    todo: 'start the server, which makes fresh ones',
  };
};

async function readPostgresKeys(url: string): Promise<SigningKeyRecord[]> {
  const { inspectPostgres } = await import('../store/postgres/inspect.ts');
  return (await inspectPostgres(url)).signingKeys;
}

/** Read past the store, which would bring an older schema up to date. */
function readKeyRecords(file: string): SigningKeyRecord[] {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    const rows = db.prepare("SELECT body FROM documents WHERE kind = 'signing_key'").all() as { body: string }[];
    return rows.map(({ body }) => JSON.parse(body) as SigningKeyRecord);
  } finally {
    db.close();
  }
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
