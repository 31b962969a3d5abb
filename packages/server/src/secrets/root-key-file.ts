import { link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBase64url, encodeBase64url } from '@tessera/protocol';
import { keepOwner } from '../store/keep-owner.ts';
import { type Random, withoutDash } from './random.ts';
import { type RootKey, RootKeys } from './root-keys.ts';

/** Where the root keys are: `TESSERA_ROOT_KEYS` if it is set, else `root-keys.json` in the data folder. */
export type RootKeySource = {
  env: Readonly<Record<string, string | undefined>>;
  dataFolder: string;
  random: Random;
};

/** Thrown when root keys cannot be read, made or changed; its message says what to do and never holds a key. */
export class RootKeyError extends Error {
  readonly code = 'root_keys_invalid';
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'RootKeyError';
  }
}

/**
 * The server's root keys. `TESSERA_ROOT_KEYS` wins: `id:base64url[,id:base64url…]`, the first one current and the others accepted, or the JSON that stands in the
 * file. Otherwise `<data>/root-keys.json` (mode 0600), made at the first start; of two processes that start at once both get the same one. A
 * file others may read is refused, and so is making new keys beside a database, which only the lost ones open.
 */
export async function readRootKeys(source: RootKeySource): Promise<RootKeys> {
  return new RootKeys(await listRootKeys(source));
}

/** All root keys with their secrets, as they are kept; made at the first start. */
export async function listRootKeys({ env, dataFolder, random }: RootKeySource): Promise<RootKey[]> {
  if (env.TESSERA_ROOT_KEYS) return parseVariable(env.TESSERA_ROOT_KEYS);
  const keys = await readKeyFile(dataFolder);
  if (keys) return keys;
  const database = await findDatabase(dataFolder);
  if (database === undefined) await createKeyFile(dataFolder, random);
  // Another process may have made both since: its file is read like any other.
  const made = await readKeyFile(dataFolder);
  if (made) return made;
  throw new RootKeyError(
    `${rootKeyFile(dataFolder)} is missing beside the database ${database}, which only the lost root keys open: restore the file from where it is kept, or move the database away to start afresh`,
  );
}

/**
 * Adds a successor: it opens and does not seal yet. Restart every node, so that all know it, then promote it. Returns its id.
 * Source: NIST SP 800-57 part 1 section 5.3, on cryptoperiods that overlap.
 */
export async function stageRootKey(source: RootKeySource): Promise<string> {
  const fresh = newKey(source.random, 'accepted');
  await changeKeys(source, (keys) => [...keys, fresh]);
  return fresh.id;
}

/** Lets an accepted key seal from the next start on; the one before it still opens. */
export async function promoteRootKey(source: RootKeySource, id: string): Promise<void> {
  await changeKeys(source, (keys) => {
    const key = findKey(keys, id);
    if (key.state === 'refused')
      throw new RootKeyError(`root key "${id}" was refused and cannot seal again; stage another`);
    return keys.map((one) => {
      if (one.id === id) return { ...one, state: 'current' };
      return one.state === 'current' ? { ...one, state: 'accepted' } : one;
    });
  });
}

/**
 * Refuses a compromised key from the next start on: nothing sealed under it opens any more, refresh tokens and stored secrets included. The current key has to be
 * replaced first. Its secret is forgotten.
 */
export async function refuseRootKey(source: RootKeySource, id: string): Promise<void> {
  await changeKeys(source, (keys) => {
    if (findKey(keys, id).state === 'current')
      throw new RootKeyError(`root key "${id}" is the current one; stage and promote another first`);
    return keys.map((one) => (one.id === id ? { ...one, secret: new Uint8Array(secretBytes), state: 'refused' } : one));
  });
}

const fileName = 'root-keys.json';
const idBytes = 4;
const secretBytes = 32;

/** The file of the root keys in a data folder. */
export function rootKeyFile(dataFolder: string): string {
  return join(dataFolder, fileName);
}

function newKey(random: Random, state: RootKey['state']): RootKey {
  return { id: withoutDash(encodeBase64url(random(idBytes))), secret: random(secretBytes), state };
}

function findKey(keys: readonly RootKey[], id: string): RootKey {
  const key = keys.find((one) => one.id === id);
  if (key) return key;
  throw new RootKeyError(`there is no root key "${id}"; known: ${keys.map((one) => one.id).join(', ')}`);
}

async function changeKeys(source: RootKeySource, change: (keys: RootKey[]) => RootKey[]): Promise<void> {
  if (source.env.TESSERA_ROOT_KEYS)
    throw new RootKeyError('the root keys come from TESSERA_ROOT_KEYS; change them where that is set');
  const path = rootKeyFile(source.dataFolder);
  await listRootKeys(source);
  const release = await takeLock(`${path}.lock`);
  try {
    // Read again: another change may have ended just before the lock was taken.
    const keys = (await readKeyFile(source.dataFolder)) ?? [];
    await replaceKeyFile(source, change(keys));
  } finally {
    await release();
  }
}

async function replaceKeyFile({ dataFolder, random }: RootKeySource, keys: readonly RootKey[]): Promise<void> {
  const path = rootKeyFile(dataFolder);
  try {
    await rename(await writeTemporary(path, path, random, keys), path);
    await flushFolder(dataFolder);
  } catch (cause) {
    throw new RootKeyError(`${path} cannot be written (${codeOf(cause)}); its keys are as they were`, { cause });
  }
}

async function takeLock(path: string): Promise<() => Promise<void>> {
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw new RootKeyError(`${path} cannot be made (${codeOf(cause)})`, { cause });
    throw new RootKeyError(`another change of the root keys is under way; if none is, remove ${path}`, { cause });
  }
  return () => rm(path, { force: true });
}

/** Makes the file unless it is there. Linking a finished file under its name either wins or fails, so that nobody reads half a file and nobody's keys are replaced. */
async function createKeyFile(dataFolder: string, random: Random): Promise<void> {
  const path = rootKeyFile(dataFolder);
  try {
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    const temporary = await writeTemporary(path, dataFolder, random, [newKey(random, 'current')]);
    try {
      await link(temporary, path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      await rm(temporary, { force: true });
    }
    await flushFolder(dataFolder);
  } catch (cause) {
    throw new RootKeyError(
      `${path} cannot be made (${codeOf(cause)}); make the folder writable, on a file system with hard links, or set TESSERA_ROOT_KEYS`,
      { cause },
    );
  }
}

/** Writes the keys beside the file, for the owner of `model`. */
async function writeTemporary(path: string, model: string, random: Random, keys: readonly RootKey[]): Promise<string> {
  const temporary = `${path}.${process.pid}.${encodeBase64url(random(6))}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await keepOwner(file, model);
    await file.writeFile(formatKeys(keys));
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return temporary;
}

/** Makes the name durable too. Windows has no such thing. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readKeyFile(dataFolder: string): Promise<RootKey[] | undefined> {
  const path = rootKeyFile(dataFolder);
  try {
    await refuseReadableByOthers(path);
    return parseJson(await readFile(path, 'utf8'), path);
  } catch (cause) {
    if (cause instanceof RootKeyError) throw cause;
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw new RootKeyError(`${path} cannot be read (${codeOf(cause)}); let this user read it`, { cause });
  }
}

async function refuseReadableByOthers(path: string): Promise<void> {
  const { mode } = await stat(path);
  if (process.platform === 'win32' || (mode & 0o077) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  throw new RootKeyError(
    `${path} has mode ${octal}, so others may read or change it; run: chmod 600 ${path} (and, if somebody may have read it, replace its keys)`,
  );
}

async function findDatabase(dataFolder: string): Promise<string | undefined> {
  try {
    return (await readdir(dataFolder)).find((name) => /\.(db|sqlite3?)$/.test(name));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new RootKeyError(`${dataFolder} cannot be read (${codeOf(error)}); let this user read it`, { cause: error });
  }
}

function formatKeys(keys: readonly RootKey[]): string {
  const plain = keys.map(({ id, state, secret }) =>
    state === 'refused' ? { id, state } : { id, state, secret: encodeBase64url(secret) },
  );
  return `${JSON.stringify({ keys: plain }, undefined, 2)}\n`;
}

function parseVariable(text: string): RootKey[] {
  const source = 'TESSERA_ROOT_KEYS';
  if (text.trimStart().startsWith('{')) return parseJson(text, source);
  const keys = text.split(',').map((entry, index) => {
    const [id, secret] = entry.trim().split(':');
    return toKey({ id, secret, state: index === 0 ? 'current' : 'accepted' }, source, index);
  });
  return checkKeys(keys, source);
}

function parseJson(text: string, source: string): RootKey[] {
  let content: { keys?: unknown } | null;
  try {
    content = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, and with it a key.
    throw new RootKeyError(`${source} is not JSON; restore it from where it is kept`);
  }
  if (typeof content !== 'object' || content === null || !Array.isArray(content.keys))
    throw new RootKeyError(`${source}: expected {"keys": [{"id", "state", "secret"}, …]}`);
  return checkKeys(
    content.keys.map((key: unknown, index) => toKey(key, source, index)),
    source,
  );
}

function toKey(raw: unknown, source: string, index: number): RootKey {
  const { id, secret, state } = Object(raw) as Record<string, unknown>;
  const at = `${source}: key ${index + 1}`;
  if (typeof id !== 'string' || decodeBase64url(id)?.length !== idBytes)
    throw new RootKeyError(`${at} has no id of ${idBytes} bytes as base64url (6 characters)`);
  if (state !== 'current' && state !== 'accepted' && state !== 'refused')
    throw new RootKeyError(`${at} (${id}) has an unknown state; expected "current", "accepted" or "refused"`);
  if (state === 'refused') return { id, secret: new Uint8Array(secretBytes), state };
  const bytes = typeof secret === 'string' ? decodeBase64url(secret) : undefined;
  if (bytes?.length !== secretBytes)
    throw new RootKeyError(
      `${at} (${id}) has no secret of ${secretBytes} bytes as base64url (43 characters); make one with: openssl rand -base64 32 | tr '+/' '-_' | tr -d '='`,
    );
  return { id, secret: bytes, state };
}

function checkKeys(keys: RootKey[], source: string): RootKey[] {
  const current = keys.filter(({ state }) => state === 'current').length;
  if (current !== 1) throw new RootKeyError(`${source}: ${current} keys are current; expected exactly one`);
  const twice = keys.find(({ id }, index) => keys.findIndex((other) => other.id === id) !== index);
  if (twice) throw new RootKeyError(`${source}: two keys have the id ${twice.id}; give each its own`);
  return keys;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'error';
}
