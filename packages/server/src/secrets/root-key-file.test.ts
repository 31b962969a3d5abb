import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { systemRandom } from './random.ts';
import {
  listRootKeys,
  promoteRootKey,
  type RootKeyError,
  type RootKeySource,
  readRootKeys,
  refuseRootKey,
  stageRootKey,
} from './root-key-file.ts';
import { seal, unseal } from './sealed.ts';

const secret = Buffer.alloc(32, 7).toString('base64url');
const other = Buffer.alloc(32, 8).toString('base64url');
let folder: string;
let source: RootKeySource;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-root-keys-'));
  source = { env: {}, dataFolder: join(folder, 'data'), random: systemRandom };
});
afterEach(() => rmSync(folder, { recursive: true }));

function keyFile(): string {
  return join(folder, 'data', 'root-keys.json');
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => assert.fail('it should have been refused'),
    (thrown: RootKeyError) => thrown,
  );
  assert.equal(error.code, 'root_keys_invalid');
  return error.message;
}

test('the first start makes a file only its owner reads, and later starts read it', async () => {
  const first = await readRootKeys(source);
  assert.equal(statSync(keyFile()).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'data')).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(join(folder, 'data')), ['root-keys.json']);
  const second = await readRootKeys(source);
  assert.equal(second.currentId, first.currentId);
  assert.equal(unseal(second, 'form', seal(first, 'form', 'x', systemRandom)), 'x');
});

test('twenty starts at once end with one file and the same keys', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => listRootKeys(source)));
  for (const keys of all) assert.deepEqual(keys, all[0]);
  assert.deepEqual(readdirSync(join(folder, 'data')), ['root-keys.json']);
});

test('two processes that start at once end with one file and the same keys', async () => {
  const program = `
    import { readRootKeys } from ${JSON.stringify(new URL('./root-key-file.ts', import.meta.url).href)};
    import { randomBytes } from 'node:crypto';
    const keys = await readRootKeys({ env: {}, dataFolder: ${JSON.stringify(source.dataFolder)}, random: randomBytes });
    process.stdout.write(keys.currentId + keys.deriveCurrent('form').export().toString('hex'));`;
  const run = () =>
    new Promise<string>((resolve, reject) => {
      const flags = ['--conditions=tessera-source', '--disable-warning=ExperimentalWarning', '--input-type=module'];
      const child = spawn(process.execPath, [...flags, '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (part) => {
        text += part;
      });
      child.on('error', reject);
      child.on('exit', () => resolve(text));
    });
  const [one, two] = await Promise.all([run(), run()]);
  assert.equal(one.length, 6 + 64);
  assert.equal(one, two);
});

test('a file that others may read is refused, with what to do', { skip: process.platform === 'win32' }, async () => {
  await readRootKeys(source);
  for (const mode of [0o644, 0o640, 0o660, 0o604]) {
    chmodSync(keyFile(), mode);
    assert.match(
      await refusal(readRootKeys(source)),
      /has mode 06\d\d, so others may .*run: chmod 600 \S+root-keys\.json/,
    );
  }
  chmodSync(keyFile(), 0o400);
  await readRootKeys(source);
});

test('no new keys are made beside a database that the lost ones sealed', async () => {
  const before = await readRootKeys(source);
  rmSync(keyFile());
  writeFileSync(join(folder, 'data', 'tessera.db'), '');
  assert.match(await refusal(readRootKeys(source)), /missing beside the database tessera\.db.*restore the file/);
  assert.deepEqual(readdirSync(join(folder, 'data')), ['tessera.db']);
  assert.ok(before);
});

test('the environment wins over the file: the first key is current, the others are accepted', async () => {
  const env = { TESSERA_ROOT_KEYS: `AAAAAA:${secret}, BAAAAA:${other}` };
  const keys = await readRootKeys({ ...source, env });
  assert.deepEqual(keys.acceptedIds, ['AAAAAA', 'BAAAAA']);
  assert.deepEqual(readdirSync(folder), []);
});

test('the environment may hold the JSON of the file, refused keys included', async () => {
  const text = JSON.stringify({
    keys: [
      { id: 'BAAAAA', state: 'accepted', secret: other },
      { id: 'AAAAAA', state: 'current', secret },
      { id: 'CAAAAA', state: 'refused' },
    ],
  });
  const keys = await readRootKeys({ ...source, env: { TESSERA_ROOT_KEYS: text } });
  assert.deepEqual(keys.acceptedIds, ['AAAAAA', 'BAAAAA']);
  assert.equal(keys.derive('CAAAAA', 'form'), undefined);
});

const bad: [name: string, text: string, message: RegExp][] = [
  ['an id of another length', `AAAA:${secret}`, /key 1 has no id of 4 bytes/],
  ['a short secret', `AAAAAA:${secret.slice(4)}`, /key 1 \(AAAAAA\) has no secret of 32 bytes/],
  ['a missing secret', 'AAAAAA', /key 1 \(AAAAAA\) has no secret of 32 bytes/],
  ['two keys of one id', `AAAAAA:${secret},AAAAAA:${other}`, /two keys have the id AAAAAA/],
  ['broken JSON', `{"keys": "${secret}`, /is not JSON/],
  ['JSON without keys', '{"key": []}', /expected \{"keys"/],
  ['no current key', `{"keys":[{"id":"AAAAAA","state":"accepted","secret":"${secret}"}]}`, /0 keys are current/],
  ['an unknown state', `{"keys":[{"id":"AAAAAA","state":"old","secret":"${secret}"}]}`, /unknown state/],
];
for (const [name, text, message] of bad)
  test(`${name} is refused, and no key stands in the message`, async () => {
    const found = await refusal(readRootKeys({ ...source, env: { TESSERA_ROOT_KEYS: text } }));
    assert.match(found, message);
    assert.ok(!found.includes(secret.slice(4, 20)) && !found.includes(other.slice(4, 20)));
  });

test('a key is staged, promoted and its predecessor refused, and what each step opens', async () => {
  const before = await readRootKeys(source);
  const sealedBefore = seal(before, 'form', 'old', systemRandom);
  const id = await stageRootKey(source);
  const staged = await readRootKeys(source);
  assert.deepEqual(staged.acceptedIds, [before.currentId, id]);
  await promoteRootKey(source, id);
  const promoted = await readRootKeys(source);
  assert.deepEqual(promoted.acceptedIds, [id, before.currentId]);
  assert.equal(unseal(promoted, 'form', sealedBefore), 'old');
  assert.equal(unseal(staged, 'form', seal(promoted, 'form', 'new', systemRandom)), 'new');
  await refuseRootKey(source, before.currentId);
  const refused = await readRootKeys(source);
  assert.deepEqual(refused.acceptedIds, [id]);
  assert.equal(unseal(refused, 'form', sealedBefore), undefined);
  const text = readFileSync(keyFile(), 'utf8');
  assert.equal(JSON.parse(text).keys[0].secret, undefined);
  assert.equal(statSync(keyFile()).mode & 0o777, 0o600);
  assert.match(await refusal(promoteRootKey(source, before.currentId)), /was refused and cannot seal again/);
});

test('the current key cannot be refused, nor one that does not exist', async () => {
  const { currentId } = await readRootKeys(source);
  assert.match(await refusal(refuseRootKey(source, currentId)), /is the current one; stage and promote another first/);
  assert.match(await refusal(refuseRootKey(source, 'AAAAAA')), /there is no root key "AAAAAA"; known: /);
  assert.equal((await readRootKeys(source)).currentId, currentId);
});

test('changes at once do not undo each other: one is told that another is under way', async () => {
  await readRootKeys(source);
  const results = await Promise.allSettled([stageRootKey(source), stageRootKey(source), stageRootKey(source)]);
  const staged = results.filter(({ status }) => status === 'fulfilled').length;
  assert.ok(staged >= 1);
  assert.equal((await readRootKeys(source)).acceptedIds.length, 1 + staged);
  assert.deepEqual(readdirSync(join(folder, 'data')), ['root-keys.json']);
});

test("the file stays the one of the server's own user when root changes it or makes it in their folder", {
  skip: process.geteuid?.() !== 0 && 'only root can give files away',
}, async () => {
  mkdirSync(source.dataFolder);
  chownSync(source.dataFolder, 65534, 65534);
  await readRootKeys(source);
  assert.equal(statSync(keyFile()).uid, 65534);
  await promoteRootKey(source, await stageRootKey(source));
  assert.deepEqual([statSync(keyFile()).uid, statSync(keyFile()).gid], [65534, 65534]);
});

test('a change that cannot be written leaves the keys as they were, and says so', async () => {
  const before = await readRootKeys(source);
  const random = (bytes: number) => {
    // The temporary file's name comes last: the folder has become one that cannot be written.
    if (bytes === 6) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    return systemRandom(bytes);
  };
  assert.match(
    await refusal(stageRootKey({ ...source, random })),
    /cannot be written \(ENOSPC\); its keys are as they were/,
  );
  assert.deepEqual((await readRootKeys(source)).acceptedIds, before.acceptedIds);
  assert.deepEqual(readdirSync(join(folder, 'data')), ['root-keys.json']);
});

test('keys of the environment are not changed here', async () => {
  const env = { TESSERA_ROOT_KEYS: `AAAAAA:${secret}` };
  assert.match(await refusal(stageRootKey({ ...source, env })), /come from TESSERA_ROOT_KEYS/);
});
