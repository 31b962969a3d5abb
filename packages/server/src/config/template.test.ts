import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { flattenKeys, listConfigKeys } from './key-list.ts';
import { formatProblems } from './problem.ts';
import { checkConfig, parseConfig } from './schema.ts';
import { configTemplate } from './template.ts';

const issuer = 'http://localhost:8080';
const text = configTemplate({ issuer, username: 'ada', password: 'correct horse' });

/** Takes the `#` away from the settings that are not in force, in sections of the top level that `keep` names. */
function inForce(template: string, keep: (section: string) => boolean): string {
  let section = '';
  return template
    .split('\n')
    .map((line) => {
      section = /^#?([a-z]\w*):/i.exec(line)?.[1] ?? section;
      return keep(section) ? line.replace(/^( *)#(?=\S| {2})/, '$1') : line;
    })
    .join('\n');
}

describe('the commented file', () => {
  test('is a configuration with an app, a resource server and a user', () => {
    const config = parseConfig(parse(text, { uniqueKeys: true }));
    assert.deepEqual(
      [config.issuer, config.listen.port, config.users.length, config.clients.length, config.resourceServers.length],
      [issuer, 8080, 1, 1, 1],
    );
    const [client] = config.clients;
    assert.equal(client?.token_endpoint_auth_method, 'none');
    assert.deepEqual(client?.defaultResources, config.resourceServers[0]?.audiences);
    for (const scope of Object.keys(config.resourceServers[0]?.scopes ?? {}))
      assert.ok(client?.scope.split(' ').includes(scope));
  });

  test('sets nothing else: what is not in force is left to the defaults', () => {
    const file = parse(text);
    const { users, clients, resourceServers, ...rest } = parseConfig(file);
    const { users: _u, clients: _c, resourceServers: _r, ...defaults } = parseConfig({ issuer });
    assert.deepEqual(rest, defaults);
    assert.ok(users && clients && resourceServers);
  });

  test('declares no user without a password', () => {
    const config = parseConfig(parse(configTemplate({ issuer })));
    assert.deepEqual(config.users, []);
  });

  test('names each key of the schema, and none that it does not have', () => {
    const shown = [...text.matchAll(/^[ #]*(?:- )?([A-Za-z_]\w*):(?: |$)/gm)].map(([, name]) => name);
    const keys = flattenKeys(listConfigKeys());
    for (const { name, path } of keys) assert.ok(shown.includes(name), `${path} is missing`);
    assert.ok(keys.length > 70);
  });

  test('holds the description of each key', () => {
    const words = text.replaceAll(/\n[ #]*/g, ' ');
    for (const { path, description } of flattenKeys(listConfigKeys()))
      assert.ok(words.includes(description.replaceAll('`', '')), `the description of ${path} is missing`);
  });

  test('shows the defaults: with every # of the server’s settings away, only what has no fixed default differs', () => {
    const lists = ['users', 'clients', 'resourceServers'];
    const { problems } = checkConfig(parse(inForce(text, (section) => !lists.includes(section))));
    assert.deepEqual(formatProblems(problems), []);
    const config = parseConfig(parse(inForce(text, (section) => !lists.includes(section))));
    const defaults = parseConfig({ issuer });
    for (const key of ['lifetimes', 'throttle', 'keys', 'listen', 'logLevel', 'eventRetention', 'data'] as const)
      assert.deepEqual(config[key], defaults[key], key);
  });

  test('shows examples that are right, taken one by one', () => {
    for (const key of flattenKeys(listConfigKeys()).filter(({ example }) => example !== undefined)) {
      const problems = formatProblems(checkConfig(fileWith(key.path, key.example)).problems);
      const about = problems.filter((line) => line.startsWith(pathInFile(key.path)));
      assert.deepEqual(
        about.filter((line) => !isAboutOthers(line)),
        [],
        key.path,
      );
    }
  });

  test('quotes a value that YAML would read otherwise', () => {
    const config = parseConfig(parse(configTemplate({ issuer, username: 'no', password: '12345678' })));
    assert.deepEqual([config.users[0]?.username, config.users[0]?.password], ['no', '12345678']);
  });
});

test('each key says what it means, what is allowed and what its absence means', () => {
  for (const { path, description, allowed, kind, defaultWords } of flattenKeys(listConfigKeys())) {
    assert.match(description, /^[A-Z`].*\.$/, path);
    assert.ok(allowed !== '', path);
    const needed = [
      'issuer',
      'users[].username',
      'clients[].client_id',
      'clients[].jwks.keys',
      'resourceServers[].id',
      'resourceServers[].audiences',
    ];
    if (kind === 'value') assert.equal(defaultWords === undefined, needed.includes(path) && path !== 'issuer', path);
  }
});

function pathInFile(path: string): string {
  return path.replaceAll('[]', '[0]').replace(/\.<name>.*$/, '');
}

/** A file in which that key has the value, whatever else its entry lacks. */
function fileWith(path: string, value: unknown): unknown {
  const build = (parts: string[]): unknown => {
    const [first, ...rest] = parts;
    if (first === undefined) return value;
    if (first.endsWith('[]')) return { [first.slice(0, -2)]: [build(rest)] };
    return { [first === '<name>' ? 'orders:read' : first]: build(rest) };
  };
  return build(path.split('.'));
}

/** Secrets are not read here, audiences and clients not declared, and keys that go with others stand alone. */
function isAboutOthers(line: string): boolean {
  return /names a secret that was not read|is no client in this file|is an audience of no|is empty; expected at least one public key|is used by|needs|is missing/.test(
    line,
  );
}
