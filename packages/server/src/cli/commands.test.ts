import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { grantOf, sessionOf } from '../admin/test-context.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import { createTestShell, type TestShell } from './test-context.ts';

const issuer = 'http://localhost:8099';

describe('the commands', () => {
  let shell: TestShell;
  before(async () => {
    shell = await createTestShell({ issuer, data: 'data', listen: { port: 8099 } });
  });
  after(() => shell.close());

  const userId = async (name: string) =>
    (await shell.run(`user show ${name} --json`)).json<{ userId: string }>().userId;

  test('says which version it is: that of its package', async () => {
    const text = await readFile(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8');
    const { out, code } = await shell.run('--version');
    assert.deepEqual([out.trim(), code], [(JSON.parse(text) as { version: string }).version, 0]);
  });

  test('without a store, only adding makes one; what reads says how to get one', async () => {
    const before = await shell.run('user list');
    assert.equal(before.code, 1);
    assert.match(before.err, /^✗ there is no store at .*tessera serve/);
    const added = await shell.run('user add ada --email ada@example.com --role admin', {
      input: 'a long passphrase\n',
    });
    assert.equal(added.code, 0, added.err);
    assert.match(added.out, /✓ added ada/);
  });

  test('a password is read from standard input, never echoed, never an argument', async () => {
    const none = await shell.run('user add bob');
    assert.equal(none.code, 2);
    assert.match(none.err, /expected a password on standard input, got nothing/);
    const short = await shell.run('user add bob', { input: 'short\n' });
    assert.equal(short.code, 2);
    assert.match(short.err, /password: .*at least 8/);
    assert.ok(!short.err.includes('short'));
    const asArgument = await shell.run("user add bob 'a long passphrase'");
    assert.equal(asArgument.code, 2);
    const without = await shell.run('user add bob --no-password');
    assert.match(without.out, /password\s+none/);
    const set = await shell.run('user set-password bob', { input: 'a long passphrase' });
    assert.equal(set.code, 0, set.err);
    assert.ok(!`${set.out}${set.err}`.includes('a long passphrase'));
    assert.match((await shell.run('user show bob')).out, /password\s+set/);
  });

  test('users are listed, found by name, address and id, and printed as JSON for programs', async () => {
    assert.match((await shell.run('user list')).out, /^NAME +E-MAIL +ROLES +STATE +ID\n/);
    const found = (await shell.run('user list --search ad --json')).json<{ items: Record<string, unknown>[] }>();
    assert.deepEqual(
      found.items.map(({ username }) => username),
      ['ada'],
    );
    assert.ok(!('passwordHash' in (found.items[0] ?? {})));
    const id = await userId('ada');
    assert.equal(await userId('ADA@example.com'), id);
    assert.equal(await userId(id), id);
    const missing = await shell.run('user show nobody');
    assert.deepEqual([missing.code, missing.err], [1, '✗ there is no user "nobody"']);
    const asJson = await shell.run('user show nobody --json');
    assert.deepEqual(JSON.parse(asJson.err), { error: 'there is no user "nobody"', reason: 'not_found' });
  });

  test('roles are shown, given and taken', async () => {
    assert.equal(
      (await shell.run('user roles ada --add clerk --add auditor --remove admin')).out,
      'ada: clerk auditor',
    );
    assert.equal((await shell.run('user roles ada')).out, 'ada: clerk auditor');
    assert.equal((await shell.run("user roles ada --add 'two words'")).code, 2);
  });

  test('sessions and grants are seen and ended, and the story tells that it was the command line', async () => {
    const id = await userId('ada');
    const store = await openSqliteStore({ file: join(shell.folder, 'data', 'tessera.db') });
    const now = Math.floor(Date.now() / 1000);
    for (const sid of ['s-1', 's-2', 's-3']) {
      const session = { ...sessionOf(id, sid, now), origin: { ip: '192.0.2.1', userAgent: 'evil\u001b[2J' } };
      await store.commit([
        { change: 'create-session', session },
        { change: 'create-grant', grant: grantOf(session, 'app', `${sid}-g`, now) },
      ]);
    }
    await store.close();
    const list = await shell.run('session list --user ada');
    assert.match(list.out, /s-1 +ada +live/);
    assert.ok(!list.out.includes('\u001b'), 'text from outside must not steer the terminal');
    assert.match((await shell.run('grant end s-1-g')).out, /✓ ended 0 sessions and 1 grant$/);
    assert.match((await shell.run('session end s-1')).out, /✓ ended 1 session and 0 grants$/);
    const story = await shell.run('session show s-1');
    assert.match(story.out, /state +ended: admin/);
    assert.match(story.out, /session\.ended .*by cli/);
    const unsure = await shell.run('session end-all --user ada');
    assert.equal(unsure.code, 2);
    assert.match(unsure.err, /--yes/);
    assert.match((await shell.run('session end-all --user ada --yes')).out, /✓ ended 2 sessions and 2 grants/);
    assert.equal((await shell.run('session end-all --yes')).code, 2);
    assert.match((await shell.run('session list --user ada')).out, /^SID [^\n]*$/);
    assert.equal((await shell.run('grant list --all --json')).json<{ items: unknown[] }>().items.length, 3);
    assert.equal((await shell.run('session list --limit 0')).code, 2);
    assert.equal((await shell.run('session show nothing')).code, 1);
  });

  test('disabling, enabling and removing a user', async () => {
    assert.match((await shell.run('user disable bob')).out, /✓ bob is disabled/);
    assert.match((await shell.run('user show bob')).out, /state +disabled/);
    assert.equal((await shell.run('user enable bob')).code, 0);
    assert.equal((await shell.run('user remove bob')).code, 2);
    assert.match((await shell.run('user remove bob --yes')).out, /✓ removed bob/);
    assert.equal((await shell.run('user show bob')).code, 1);
  });

  test('an application is registered with a secret that is shown once, rotated, cut off and removed', async () => {
    const wrong = await shell.run('client add Shop --redirect-uri http://shop.example.com/cb');
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /redirect_uris\[0\]: .*use https/);
    const made = (
      await shell.run(
        "client add 'Web shop' --auth client_secret_basic --redirect-uri https://shop.example.com/cb --scope 'openid orders:read' --json",
      )
    ).json<{ client_id: string; client_secret: string; scope: string }>();
    assert.match(made.client_secret, /^[\w-]{43}$/);
    assert.equal(made.scope, 'openid orders:read');
    const shown = await shell.run(`client show ${made.client_id}`);
    assert.match(shown.out, /authentication +client_secret_basic/);
    assert.ok(!shown.out.includes(made.client_secret));
    const rotated = await shell.run(`client rotate-secret ${made.client_id} --overlap 60`);
    assert.match(rotated.out, /client_secret +[\w-]{43}\n.*\nThe old one is good for 60 more seconds/);
    assert.equal((await shell.run(`client rotate-secret ${made.client_id} --overlap week`)).code, 2);
    assert.match((await shell.run(`client cut-off ${made.client_id} --yes`)).out, /is cut off/);
    assert.match((await shell.run('client list')).out, new RegExp(`${made.client_id} +Web shop`));
    assert.equal((await shell.run(`client remove ${made.client_id} --yes`)).code, 0);
    assert.equal((await shell.run(`client show ${made.client_id}`)).code, 1);
  });

  test('an application is registered from a file of metadata', async () => {
    const file = join(shell.folder, 'app.json');
    await writeFile(file, JSON.stringify({ redirect_uris: ['com.example.app:/cb'], strategy: 'sliding' }));
    const made = (await shell.run('client add Phone --from app.json --json')).json<Record<string, unknown>>();
    assert.partialDeepStrictEqual(made, {
      client_name: 'Phone',
      strategy: 'sliding',
      token_endpoint_auth_method: 'none',
    });
    assert.match(
      (await shell.run('client add Phone --from missing.json')).err,
      /missing\.json: cannot be read \(ENOENT\)/,
    );
  });

  test('signing keys are rotated and revoked', async () => {
    assert.equal((await shell.run('keys rotate --now --algorithm ES256')).code, 0);
    const { items } = (await shell.run('keys list --json')).json<{ items: { kid: string; state: string }[] }>();
    assert.deepEqual(
      items.map(({ state }) => state),
      ['current'],
    );
    const kid = items[0]?.kid ?? '';
    const revoked = await shell.run(`keys revoke ${kid} --yes`);
    assert.match(revoked.out, new RegExp(`${kid} +ES256 +revoked`));
    assert.match(revoked.out, /ES256 +current/);
    assert.equal((await shell.run('keys revoke unknown --yes')).code, 1);
    assert.equal((await shell.run('keys rotate --algorithm none')).code, 2);
  });

  test('a root key is staged, promoted and refused; not while signing keys stand under it', async () => {
    type Root = { items: { id: string; state: string }[] };
    const list = async () => (await shell.run('keys root list --json')).json<Root>().items;
    const [first] = await list();
    assert.equal((await shell.run('keys root promote')).code, 1);
    const { id } = (await shell.run('keys root stage --json')).json<{ id: string }>();
    assert.equal((await shell.run('keys root promote')).code, 0);
    assert.deepEqual(await list(), [
      { id: first?.id, state: 'accepted' },
      { id, state: 'current' },
    ]);
    const held = await shell.run(`keys root refuse ${first?.id} --yes`);
    assert.equal(held.code, 1);
    assert.match(held.err, /replace them first: tessera keys rotate --now/);
    await shell.run('keys rotate --now');
    const refused = await shell.run(`keys root refuse ${first?.id} --yes`);
    assert.equal(refused.code, 0, refused.err);
    assert.deepEqual(
      (await list()).map(({ state }) => state),
      ['refused', 'current'],
    );
    assert.ok(!JSON.stringify(await list()).includes('secret'));
  });

  test('events are shown, the newest last, filtered, and followed until stopped', { timeout: 120_000 }, async () => {
    const all = await shell.run('events --limit 1000');
    assert.match(all.out.split('\n')[0] ?? '', /user\.created +user .* by cli/);
    const ended = (await shell.run('events --type session.ended --json')).json<{ items: { type: string }[] }>();
    assert.deepEqual([...new Set(ended.items.map(({ type }) => type))], ['session.ended']);
    const wrong = await shell.run('events --type session.endd');
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /did you mean "session.ended"/);
    const lines: string[] = [];
    let isChanged = false;
    const followed = await shell.run('events --follow --limit 1', {
      onOutput: (line, stop) => {
        lines.push(line);
        if (!isChanged) void shell.run('user roles ada --add follower');
        isChanged = true;
        if (line.includes('user.changed') && line.includes('roles')) stop();
      },
    });
    assert.equal(followed.code, 0, followed.err);
    assert.ok(lines.length >= 1);
  });

  test('D4: a refusal is explained by its id', async () => {
    const store = await openSqliteStore({ file: join(shell.folder, 'data', 'tessera.db') });
    const data = {
      refusalId: 'r-1',
      endpoint: 'token',
      reason: 'grant_ended',
      expected: 'a live grant',
      got: 'an ended one',
    };
    await store.commit(
      [],
      [{ type: 'request.refused', at: 1_800_000_000, actor: { kind: 'server' }, grantId: 's-1-g', data }],
    );
    await store.close();
    const { out } = await shell.run('refusal r-1');
    assert.match(out, /reason +grant_ended\nmeaning +The grant has ended\./);
    assert.match(out, /expected +a live grant\ngot +an ended one/);
    assert.match(out, /Because of:\n {2}.*grant\.ended .*by cli/);
    assert.equal((await shell.run('refusal r-2')).code, 1);
  });

  test('a command called wrongly is told so with exit code 2, help with 0', async () => {
    for (const line of ['nonsense', 'user', 'user nonsense', 'user show', 'user list --nonsense', 'serve extra'])
      assert.equal((await shell.run(line)).code, 2, line);
    for (const line of ['', '--help', 'user --help', 'session list --help'])
      assert.equal((await shell.run(line)).code, 0, line);
    assert.match((await shell.run('--help')).out, /serve .*\n/);
    assert.match((await shell.run('usr')).err, /unknown command 'usr'/);
    assert.match(
      (await shell.run('restore file')).err,
      /'--policy <policy>' not specified\n+\(tessera restore --help tells/,
    );
  });
});

test('docs/cli.md lists every command and each of its options', async () => {
  const shell = await createTestShell();
  const documented = await readFile(resolve(import.meta.dirname, '../../../../docs/cli.md'), 'utf8');
  const listed = async (path: string): Promise<string[]> => {
    const { out } = await shell.run(`${path} --help`);
    const names = [...(out.split('Commands:')[1] ?? '').matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name);
    const below = await Promise.all(names.map((name) => listed(`${path} ${name}`.trim())));
    return names.length === 0 ? [path] : below.flat();
  };
  const commands = await listed('');
  assert.ok(commands.length > 30);
  const forAll = documented.split('## What holds for all')[1] ?? '';
  for (const command of commands) {
    const row = documented.split('\n').find((line) => new RegExp(`^\\|.*\`tessera ${command}[ \`]`).test(line));
    assert.ok(row, `docs/cli.md has no row for: tessera ${command}`);
    const { out } = await shell.run(`${command} --help`);
    for (const [, option] of out.matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm))
      assert.match(`${row}\n${forAll}`, new RegExp(`${option}[^a-z-]`), `docs/cli.md: tessera ${command} ${option}`);
  }
  await shell.close();
});

describe('init, check and doctor', () => {
  test('init writes a file that check finds right, and overwrites nothing', async () => {
    const shell = await createTestShell();
    const made = await shell.run('init');
    assert.equal(made.code, 0, made.err);
    assert.match((await shell.run('check')).out, /✓ the configuration is right: issuer http:\/\/localhost:8080/);
    assert.match((await shell.run('init')).err, /is there already; it was not touched/);
    assert.equal((await shell.run('init other.json')).code, 2);
    assert.equal((await shell.run('init other.yaml --issuer http://example.com')).code, 2);
    await shell.close();
  });

  test('init writes no second file of the usual names, which every later command would refuse', async () => {
    const shell = await createTestShell({ issuer });
    const refused = await shell.run('init');
    assert.equal(refused.code, 1);
    assert.match(refused.err, /tessera\.config\.json is there already; name another file/);
    assert.equal((await shell.run('check')).code, 0);
    assert.equal((await shell.run('init other.yaml')).code, 0);
    await shell.close();
  });

  test('a command that was called wrongly says so in JSON too, on standard error alone', async () => {
    const shell = await createTestShell({ issuer });
    for (const line of ['user list --bogus --json', 'user add --json', 'bogus --json', 'user --json']) {
      const { code, out, err } = await shell.run(line);
      assert.deepEqual([code, out], [2, ''], line);
      assert.match(JSON.parse(err).error, /^(unknown|missing) /);
    }
    await shell.close();
  });

  test('a typing error in --data does not become root keys', async () => {
    const shell = await createTestShell({ issuer });
    for (const line of ['list', 'stage', 'promote', 'promote AAAAAA', 'refuse AAAAAA --yes']) {
      const { code, err } = await shell.run(`keys root ${line} --data typo`);
      assert.equal(code, 1, line);
      assert.match(err, /there are no root keys in .*typo; start the server once/);
    }
    assert.ok(!existsSync(join(shell.folder, 'typo')));
    await shell.close();
  });

  test('check names every problem at once, with exit code 2', async () => {
    const shell = await createTestShell({ issuer: 'http://example.com', lifetimes: { accessToken: '15m' } });
    const { code, err } = await shell.run('check');
    assert.equal(code, 2);
    assert.match(err, /issuer: .*https/);
    assert.match(err, /lifetimes\.accessToken: .*write 900/);
    await shell.close();
  });

  test('what is wrong outside of the file is not looked for in the file', async () => {
    const shell = await createTestShell({ issuer, data: 'data' });
    const onLine = await shell.run('check --store mysql://db/tessera');
    assert.equal(onLine.code, 2);
    assert.match(onLine.err, /^✗ The configuration has a problem:\n {2}--store: .*not the URL of a Postgres database/);
    shell.env.TESSERA_WORKERS = 'many';
    assert.match((await shell.run('check')).err, /^✗ The configuration has a problem:\n {2}TESSERA_WORKERS: /);
    delete shell.env.TESSERA_WORKERS;
    assert.deepEqual((await shell.run('check --json')).json(), { issuer, clients: 0, resourceServers: 0, users: 0 });
    await shell.close();
  });

  test('doctor looks at everything, changes nothing, and says what to do', async () => {
    const shell = await createTestShell({ issuer, data: 'data', listen: { port: 0 } });
    const fresh = await shell.run('doctor');
    assert.equal(fresh.code, 0, fresh.err + fresh.out);
    assert.match(fresh.out, /– store: .* is not there yet/);
    await shell.run('user add ada', { input: 'a long passphrase' });
    await shell.run('keys rotate --now');
    const made = (await shell.run('doctor --json')).json<{ findings: { check: string; state: string }[] }>();
    assert.deepEqual(Object.fromEntries(made.findings.map(({ check, state }) => [check, state])), {
      Node: 'ok',
      configuration: 'ok',
      'data folder': 'ok',
      'root keys': 'ok',
      store: 'ok',
      clock: 'ok',
      'signing keys': 'ok',
      https: 'ok',
      port: 'ok',
      issuer: 'skipped',
    });
    await shell.close();
  });

  test('doctor sees open files, a damaged store, lost root keys and a port that is taken', async () => {
    const { chmod, rename, writeFile: write } = await import('node:fs/promises');
    const { createServer } = await import('node:net');
    const other = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', () => resolve()));
    const { port } = other.address() as { port: number };
    const shell = await createTestShell({ issuer, data: 'data', listen: { host: '127.0.0.1', port } });
    await shell.run('user add ada', { input: 'a long passphrase' });
    await shell.run('keys rotate --now');
    const data = join(shell.folder, 'data');
    const wrong = async () => {
      const { findings } = (await shell.run('doctor --json')).json<{ findings: { check: string; state: string }[] }>();
      return findings.filter(({ state }) => state === 'wrong').map(({ check }) => check);
    };
    assert.deepEqual(await wrong(), ['port']);
    await chmod(data, 0o755);
    await chmod(join(data, 'root-keys.json'), 0o644);
    assert.deepEqual(await wrong(), ['data folder', 'root keys', 'signing keys', 'port']);
    await chmod(data, 0o700);
    await rename(join(data, 'root-keys.json'), join(data, 'lost'));
    assert.deepEqual(await wrong(), ['root keys', 'signing keys', 'port']);
    await write(join(data, 'tessera.db'), 'this is no database, and long enough to be looked at'.repeat(100));
    assert.deepEqual(await wrong(), ['root keys', 'store', 'signing keys', 'port']);
    const { code, out, err } = await shell.run('doctor');
    assert.equal(code, 1);
    assert.match(out, /✗ store: .*not a database; .*put the last backup back: tessera restore FILE/);
    assert.doesNotMatch(out + err, /^ +at /m, 'no stack');
    await rename(join(data, 'lost'), join(data, 'root-keys.json'));
    await chmod(join(data, 'root-keys.json'), 0o600);
    for (const line of ['user list', 'backup copy.db', 'migrate']) {
      const { err: said } = await shell.run(line);
      assert.match(said, /not a database; .*tessera restore FILE/, line);
      assert.doesNotMatch(said, /^ +at /m, line);
    }
    const again = await shell.run('restore data/tessera.db --policy resume --yes');
    assert.match(again.err, /✗ .*tessera\.db is damaged \(.*\); take an older backup/);
    assert.match(out, /✗ port: .*\n {4}→ stop the program that has it/);
    other.close();
    await shell.close();
  });
});
