import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type ConfigSources, readConfig } from './read-config.ts';
import type { ConfigError } from './schema.ts';

const secret = '8kR2b7Zp1QwX5vNc3LfT9yH6';
let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'tessera-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function write(name: string, text: string): void {
  writeFileSync(join(cwd, name), text);
}

function read(sources: Partial<ConfigSources> = {}) {
  return readConfig({ env: {}, cwd, ...sources });
}

async function problems(sources: Partial<ConfigSources> = {}): Promise<string[]> {
  const error = await read(sources).then(
    () => assert.fail('it should have been refused'),
    (thrown: ConfigError) => thrown,
  );
  assert.equal(error.code, 'config_invalid');
  return error.problems.map((line) => line.replaceAll(cwd, '<cwd>'));
}

describe('the file', () => {
  const files: [name: string, text: string][] = [
    ['tessera.config.yaml', 'issuer: http://localhost:3000\nlifetimes: { accessToken: 60 }\n'],
    ['tessera.config.yml', 'issuer: http://localhost:3000\nlifetimes:\n  accessToken: 60\n'],
    ['tessera.config.json', '{"issuer": "http://localhost:3000", "lifetimes": {"accessToken": 60}}'],
    [
      'tessera.config.ts',
      'const issuer: string = "http://localhost:3000";\nexport default { issuer, brand: undefined, lifetimes: { accessToken: 60, idle: undefined } };\n',
    ],
  ];
  for (const [name, text] of files)
    test(`${name} is found where one is`, async () => {
      write(name, text);
      const config = await read();
      assert.deepEqual(
        [config.issuer, config.listen.port, config.lifetimes.accessToken],
        ['http://localhost:3000', 3000, 60],
      );
    });

  test('may be named, and its paths are relative to it', async () => {
    mkdirSync(join(cwd, 'etc'));
    write('etc/auth.yaml', 'issuer: https://a.example\ndata: ../var\n');
    const config = await read({ file: 'etc/auth.yaml' });
    assert.equal(config.data, join(cwd, 'var'));
  });

  test('may be absent when the issuer comes from outside', async () => {
    const config = await read({ overrides: { issuer: 'http://localhost:3000' } });
    assert.deepEqual([config.listen.port, config.data], [3000, join(cwd, 'tessera-data')]);
  });

  const bad: [title: string, name: string, text: string, lines: string[]][] = [
    [
      'a key that stands twice in YAML',
      'tessera.config.yaml',
      `issuer: https://a.example\nclients:\n  - client_id: a\n    client_secret: ${secret}\n    client_secret: ${secret}\n`,
      ['<cwd>/tessera.config.yaml: line 5, column 5: this key stands twice in its section'],
    ],
    [
      'a key that stands twice in JSON',
      'tessera.config.json',
      '{"issuer": "https://a.example",\n "issuer": "https://b.example"}',
      ['<cwd>/tessera.config.json: line 2, column 2: this key stands twice in its section'],
    ],
    [
      'YAML that is none, without quoting it',
      'tessera.config.yaml',
      `issuer: https://a.example\nclients: [{client_secret: "${secret}]\n`,
      [],
    ],
    ['JSON with comments', 'tessera.config.json', `{"secret": "${secret}" // no\n}`, []],
    [
      'a list',
      'tessera.config.yaml',
      '- issuer\n',
      ['<cwd>/tessera.config.yaml: expected keys with values, such as "issuer: https://auth.example.com"'],
    ],
    [
      'a module without default export',
      'tessera.config.ts',
      'export const issuer = "https://a.example";',
      ['<cwd>/tessera.config.ts: has no default export; expected export default defineConfig({ … })'],
    ],
    [
      'a module that throws, without quoting it',
      'tessera.config.ts',
      `throw new RangeError("${secret}");`,
      ['<cwd>/tessera.config.ts: cannot be imported (RangeError); run it with node to see why'],
    ],
    [
      'an empty file',
      'tessera.config.yaml',
      '# nothing yet\n',
      [
        'issuer: is missing; expected the URL of this server, such as "https://auth.example.com"; set it here, by --issuer or by TESSERA_ISSUER',
      ],
    ],
  ];
  for (const [title, name, text, lines] of bad)
    test(`${title} is refused`, async () => {
      write(name, text);
      const found = await problems();
      if (lines.length > 0) assert.deepEqual(found, lines);
      else
        assert.match(
          found[0] ?? '',
          /^<cwd>\/tessera\.config\.\w+: (line \d+, column \d+: not understood|is not JSON)/,
        );
      assert.ok(!found.join('\n').includes(secret));
    });

  test('that is named and absent is refused, with what to do', async () => {
    assert.deepEqual(await problems({ file: 'auth.yaml' }), [
      '<cwd>/auth.yaml: there is no such file; write one with: tessera init',
    ]);
  });

  test('of another ending is refused', async () => {
    write('auth.toml', '');
    assert.deepEqual(await problems({ file: 'auth.toml' }), [
      '<cwd>/auth.toml: has the ending ".toml"; expected .ts, .json, .yaml or .yml',
    ]);
  });

  test('beside another one is refused, because nobody knows which counts', async () => {
    write('tessera.config.json', '{}');
    write('tessera.config.yaml', '');
    assert.deepEqual(await problems(), [
      '<cwd>: holds tessera.config.json and tessera.config.yaml; keep one, or say which with --config',
    ]);
  });
});

describe('secrets', () => {
  const file = (value: string) =>
    `issuer: https://a.example\nclients:\n  - client_id: api\n    client_secret: ${value}\n`;

  test('come from the environment, also under a name of ours', async () => {
    write('tessera.config.yaml', file('{ env: TESSERA_API_SECRET }'));
    const { clients } = await read({ env: { TESSERA_API_SECRET: secret } });
    assert.equal(clients[0]?.client_secret, secret);
  });

  test('come from a file beside the configuration, without its last line break', async () => {
    mkdirSync(join(cwd, 'etc'));
    write('etc/api.secret', `${secret}\n`);
    write('etc/auth.yaml', file('{ file: api.secret }'));
    const { clients } = await read({ file: 'etc/auth.yaml' });
    assert.equal(clients[0]?.client_secret, secret);
  });

  test('of users and resource servers too', async () => {
    const long = 'q3V8nT0yXk2LrB7mWc5ZpHs9DgJ4fAeU6iOoYx1KtRb=';
    write(
      'tessera.config.yaml',
      'issuer: https://a.example\nusers: [{ username: ada, password: { env: ADA } }]\nresourceServers: [{ id: o, audiences: ["urn:o"], algorithm: HS256, secret: { env: O } }]\n',
    );
    const { users, resourceServers } = await read({ env: { ADA: 'correct horse', O: long } });
    assert.deepEqual([users[0]?.password, resourceServers[0]?.secret], ['correct horse', long]);
  });

  const bad: [value: string, line: string][] = [
    ['{ env: NOT_SET }', 'clients[0].client_secret: names the environment variable "NOT_SET", which is not set'],
    ['{ file: gone }', 'clients[0].client_secret: names the file "<cwd>/gone", which cannot be read (ENOENT)'],
    ['{ file: empty }', 'clients[0].client_secret: names the file "<cwd>/empty", which is empty'],
    ['{ env: A, file: B }', 'clients[0].client_secret: expected text, { env: NAME } or { file: PATH }, got a section'],
    [
      '{ env: WEAK }',
      'clients[0].client_secret: is text of 4 characters, at least 22 of this kind are needed for 128 bits; make one with: openssl rand -base64 32',
    ],
  ];
  for (const [value, line] of bad)
    test(line, async () => {
      write('tessera.config.yaml', file(value));
      write('empty', '\n');
      assert.deepEqual(await problems({ env: { WEAK: 'weak' } }), [line]);
    });
});

describe('the environment and the command line', () => {
  const yaml = 'issuer: https://file.example\nlisten: { host: 192.0.2.1, port: 1 }\ndata: file\nlogLevel: error\n';

  test('the environment overrides the file, and an empty variable is none', async () => {
    write('tessera.config.yaml', yaml);
    const env = {
      TESSERA_ISSUER: 'https://env.example',
      TESSERA_PORT: '2',
      TESSERA_HOST: '192.0.2.2',
      TESSERA_DATA: 'env',
      TESSERA_WORKERS: '4',
      TESSERA_LOG_LEVEL: 'debug',
    };
    const config = await read({ env });
    assert.deepEqual(
      [config.issuer, config.listen, config.data, config.workers, config.logLevel],
      ['https://env.example', { host: '192.0.2.2', port: 2 }, join(cwd, 'env'), 4, 'debug'],
    );
    assert.equal((await read({ env: { TESSERA_ISSUER: '' } })).issuer, 'https://file.example');
  });

  test('the URL of a database comes from the file, by name of a variable or a file, from TESSERA_STORE or the command line', async () => {
    const url = (name: string) => `postgres://tessera:pa55word@db.example/${name}`;
    write('url', `${url('file')}\n`);
    write('tessera.config.yaml', `${yaml}store: { file: url }\n`);
    assert.equal((await read({})).store, url('file'));
    assert.equal((await read({ env: { TESSERA_STORE: url('env') } })).store, url('env'));
    const overrides = { store: url('cli') };
    assert.equal((await read({ env: { TESSERA_STORE: url('env') }, overrides })).store, url('cli'));
    write('tessera.config.yaml', `${yaml}store: { env: TESSERA_DATABASE }\n`);
    assert.equal((await read({ env: { TESSERA_DATABASE: url('named') } })).store, url('named'));
    assert.deepEqual(await problems({}), [
      'store: names the environment variable "TESSERA_DATABASE", which is not set',
    ]);
    write('tessera.config.yaml', yaml);
    assert.equal((await read({})).store, undefined);
  });

  test('nothing of the URL of a database enters a message', async () => {
    write('tessera.config.yaml', yaml);
    const wrongUrls = [
      'mysql://u:pa55word@h/db',
      'postgres://u:pa55word/x@h:port/db',
      'pa55word',
      // What follows the first @ would be taken for the host.
      'postgres://u:p@pa55word/x@h/db',
      'postgres://u:p@pa55word#x@h/db',
      'postgres://u:p@pa55word?x@h/db',
      'postgres://u:pa55word@h/db?sslmode=verifyfull',
    ];
    for (const wrong of wrongUrls) {
      const found = [
        ...(await problems({ env: { TESSERA_STORE: wrong } })),
        ...(await problems({ overrides: { store: wrong } })),
      ];
      assert.equal(found.length, 2);
      assert.ok(
        found.every((line) => !line.includes('pa55word')),
        found.join('\n'),
      );
    }
  });

  test('a URL of a database may hold any character percent-encoded, and any sslmode there is', async () => {
    write('tessera.config.yaml', yaml);
    for (const store of [
      'postgres://u:p%40%2F%3F%23%25@h/db?sslmode=verify-full&sslrootcert=/etc/ca.crt',
      'postgres://u:p@one:5432,two:5433/db?sslmode=require',
      'postgresql:///db?user=u&host=/run/postgresql',
    ])
      assert.equal((await read({ env: { TESSERA_STORE: store } })).store, store);
  });

  test('the command line overrides both', async () => {
    write('tessera.config.yaml', yaml);
    const env = { TESSERA_ISSUER: 'https://env.example', TESSERA_PORT: '2', TESSERA_DATA: 'env' };
    const overrides = { issuer: 'https://cli.example', port: 3, host: '192.0.2.3', data: 'cli' };
    const config = await read({ env, overrides });
    assert.deepEqual(
      [config.issuer, config.listen, config.data],
      ['https://cli.example', { host: '192.0.2.3', port: 3 }, join(cwd, 'cli')],
    );
  });

  test('variables that others read are left alone', async () => {
    const env = { TESSERA_ISSUER: 'https://a.example', TESSERA_ROOT_KEYS: 'x', TESSERA_LAUNCHED: '1', PATH: '/bin' };
    assert.equal((await read({ env })).issuer, 'https://a.example');
  });

  const bad: [env: Record<string, string>, line: string][] = [
    [{ TESSERA_ISUER: 'x' }, 'TESSERA_ISUER: unknown environment variable; did you mean "TESSERA_ISSUER"?'],
    [{ TESSERA_LOGLEVEL: 'x' }, 'TESSERA_LOGLEVEL: unknown environment variable; did you mean "TESSERA_LOG_LEVEL"?'],
    [
      { TESSERA_SOMETHING_ELSE: 'x' },
      'TESSERA_SOMETHING_ELSE: unknown environment variable; known: TESSERA_ISSUER, TESSERA_PORT, TESSERA_HOST, TESSERA_DATA, TESSERA_STORE, TESSERA_WORKERS, TESSERA_LOG_LEVEL, TESSERA_ROOT_KEYS, TESSERA_LAUNCHED',
    ],
    [{ TESSERA_PORT: '8080x' }, 'TESSERA_PORT: expected a whole number from 0 to 65535, got "8080x"'],
    [{ TESSERA_PORT: '70000' }, 'TESSERA_PORT: expected a whole number from 0 to 65535, got 70000'],
    [
      { TESSERA_ISSUER: 'http://a.example' },
      'TESSERA_ISSUER: "http://a.example" is http and not on loopback; use https',
    ],
    [{ TESSERA_WORKERS: 'many' }, 'TESSERA_WORKERS: expected a whole number from 1 to 64, got "many"'],
    [
      { TESSERA_LOG_LEVEL: 'inf' },
      'TESSERA_LOG_LEVEL: expected "silent" or "error" or "warn" or "info" or "debug", got "inf"; did you mean "info"?',
    ],
  ];
  for (const [env, line] of bad)
    test(line, async () => {
      write('tessera.config.yaml', yaml);
      assert.deepEqual(await problems({ env }), [line]);
    });

  test('a wrong value on the command line is named as such', async () => {
    write('tessera.config.yaml', yaml);
    assert.deepEqual(await problems({ overrides: { port: Number.NaN } }), [
      '--port: expected a whole number from 0 to 65535, got NaN',
    ]);
  });
});

describe('a port from outside and the issuer of the file', () => {
  const cases: [name: string, file: string, overrides: object, env: object, issuer: string, port: number][] = [
    [
      'moves a loopback issuer along',
      'issuer: http://localhost:3000',
      { port: 4000 },
      {},
      'http://localhost:4000',
      4000,
    ],
    [
      'moves it by the environment too, its path staying',
      'issuer: http://127.0.0.1:3000/auth',
      {},
      { TESSERA_PORT: '4000' },
      'http://127.0.0.1:4000/auth',
      4000,
    ],
    [
      'moves it when listen.port was the same',
      'issuer: http://localhost:3000\nlisten: { port: 3000 }',
      { port: 4000 },
      {},
      'http://localhost:4000',
      4000,
    ],
    [
      'leaves it when listen.port differed: that is deliberate',
      'issuer: http://localhost:3000\nlisten: { port: 8080 }',
      { port: 4000 },
      {},
      'http://localhost:3000',
      4000,
    ],
    ['leaves it for port 0', 'issuer: http://localhost:3000', { port: 0 }, {}, 'http://localhost:3000', 0],
    ['leaves an https issuer', 'issuer: https://localhost:3000', { port: 4000 }, {}, 'https://localhost:3000', 4000],
    [
      'leaves an issuer given beside it',
      'issuer: http://localhost:3000',
      { port: 4000, issuer: 'http://localhost:5000' },
      {},
      'http://localhost:5000',
      4000,
    ],
    [
      'leaves an issuer of the environment',
      'issuer: http://localhost:3000',
      { port: 4000 },
      { TESSERA_ISSUER: 'http://localhost:5000' },
      'http://localhost:5000',
      4000,
    ],
  ];
  for (const [name, file, overrides, env, issuer, port] of cases)
    test(name, async () => {
      write('tessera.config.yaml', `${file}\n`);
      const config = await read({ overrides, env: { ...env } });
      assert.deepEqual([config.issuer, config.listen.port], [issuer, port]);
    });
});

describe('what editors and shells of other machines leave in a file', () => {
  test('a byte order mark is no part of YAML, JSON or a secret', async () => {
    write('tessera.config.json', '\ufeff{"issuer": "http://localhost:3000"}');
    assert.equal((await read()).issuer, 'http://localhost:3000');
    write('secret', `\ufeff${secret}\r\n`);
    const client =
      'clients: [{ client_id: a, client_secret: { file: secret }, redirect_uris: [https://a.example/cb] }]';
    write('other.yaml', `\ufeffissuer: http://localhost:3000\r\n${client}\r\n`);
    assert.equal((await read({ file: 'other.yaml' })).clients[0]?.client_secret, secret);
  });

  test('what is not UTF-8 is refused: a password would silently be another one', async () => {
    const user = (password: string) =>
      `issuer: http://localhost:3000\nusers: [{ username: ada, password: ${password} }]\n`;
    writeFileSync(join(cwd, 'tessera.config.yaml'), user('gr\u00fc\u00dfe-aus-wien'), 'latin1');
    assert.deepEqual(await problems(), ['<cwd>/tessera.config.yaml: is not UTF-8; save it in that encoding']);
    write('tessera.config.yaml', user('{ file: password }'));
    writeFileSync(join(cwd, 'password'), '\ufeffwritten by a shell', 'utf16le');
    assert.deepEqual(await problems(), ['users[0].password: names the file "<cwd>/password", which is not UTF-8']);
  });

  test('a section that contains itself by an alias is refused', async () => {
    write(
      'tessera.config.yaml',
      'issuer: http://localhost:3000\nusers: [{ username: ada, claims: &c { self: *c } }]\n',
    );
    assert.deepEqual(await problems(), ['<cwd>/tessera.config.yaml: has aliases that cannot be resolved']);
  });

  test('a store from outside does not need the one that the file names', async () => {
    write('tessera.config.yaml', 'issuer: http://localhost:3000\nstore: { env: DATABASE }\n');
    const store = 'postgres://tessera@db.example.com/tessera';
    assert.equal((await read({ env: { TESSERA_STORE: store } })).store, store);
    assert.equal((await read({ overrides: { store } })).store, store);
    assert.deepEqual(await problems(), ['store: names the environment variable "DATABASE", which is not set']);
  });
});
