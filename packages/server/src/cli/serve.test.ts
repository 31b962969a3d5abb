import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../../tests/free-port.ts';
import { createTestShell, type TestShell } from './test-context.ts';

const main = resolve(import.meta.dirname, 'main.ts');

type Running = { child: ChildProcess; output: () => string; ready: Promise<void> };

/** Starts `tessera serve` as a process of its own; `ready` when it says so. */
function startServe(cwd: string, more: string[] = [], launched = false): Running {
  const child = spawn(
    process.execPath,
    ['--conditions=tessera-source', '--disable-warning=ExperimentalWarning', main, 'serve', ...more],
    {
      cwd,
      stdio: launched ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
      env: launched ? { TESSERA_LAUNCHED: '1' } : {},
    },
  );
  let output = '';
  const ready = new Promise<void>((settle, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk.toString();
      if (/^Ready: /m.test(output)) settle();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('exit', (code) => reject(new Error(`ended with ${code}:\n${output}`)));
  });
  ready.catch(() => undefined);
  return { child, output: () => output, ready };
}

/** A connection as a proxy keeps one, for one request after the other. `ask` resolves to what came; the connection's end is an answer too, an empty one. */
async function keptOpen(port: number): Promise<{ ask(): Promise<string> }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return {
    ask: () =>
      new Promise((resolve) => {
        if (socket.closed) resolve('');
        socket.once('data', (chunk) => resolve(chunk.toString()));
        socket.once('error', () => resolve(''));
        socket.once('close', () => resolve(''));
        socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n');
      }),
  };
}

/** Whether a connection to the port is accepted. */
const takesConnections = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1');
  const isTaken = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isTaken;
};

const exitOf = async (child: ChildProcess): Promise<number | null> => {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
};

describe('tessera serve', { timeout: 240_000 }, () => {
  let shell: TestShell;
  let running: Running;
  let issuer: string;
  let port: number;
  before(async () => {
    port = await freePort();
    issuer = `http://127.0.0.1:${port}`;
    shell = await createTestShell({ issuer, data: 'data', listen: { host: '127.0.0.1', port }, logLevel: 'silent' });
    running = startServe(shell.folder);
    await running.ready;
  });
  after(async () => {
    running.child.kill('SIGKILL');
    await shell.close();
  });

  test('a program made at the command line administers with its own token, within its scopes', async () => {
    const { client_id, client_secret } = (
      await shell.run(
        "client add 'User import' --auth client_secret_basic --grant-type client_credentials --scope 'tessera:users:read tessera:users:write' --json",
      )
    ).json<{ client_id: string; client_secret: string }>();
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${issuer}/admin/api` }),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    const call = (path: string, init: RequestInit = {}) =>
      fetch(`${issuer}/admin/api${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      });
    const made = await call('/users', {
      method: 'POST',
      body: JSON.stringify({ username: 'grace', roles: ['clerk'] }),
    });
    assert.equal(made.status, 201);
    assert.match((await shell.run('user show grace')).out, /roles +clerk/);
    assert.equal((await call('/sessions')).status, 403);
    assert.match((await shell.run('events --type user.created')).out, /by admin/);
  });

  const askToken = async (clientId: string, secret: string) => {
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    await answer.text();
    return answer.status;
  };

  test('says where it listens, where its data are, and that it is ready', async () => {
    assert.match(running.output(), new RegExp(`listens on +http://127\\.0\\.0\\.1:${port}\\n`));
    assert.match(running.output(), new RegExp(`^Ready: ${issuer}$`, 'm'));
    const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as { issuer: string };
    assert.equal(metadata.issuer, issuer);
    assert.equal((await fetch(`${issuer}/admin/api/users`)).status, 401);
  });

  test('commands work beside it: it takes a new client and a new secret without a restart', async () => {
    const made = (
      await shell.run('client add Service --auth client_secret_basic --grant-type client_credentials --json')
    ).json<{ client_id: string; client_secret: string }>();
    assert.equal(await askToken(made.client_id, made.client_secret), 200);
    const next = (await shell.run(`client rotate-secret ${made.client_id} --json`)).json<{ client_secret: string }>();
    let status = 200;
    for (let waited = 0; waited < 1000 && status === 200; waited += 20) {
      await sleep(20);
      status = await askToken(made.client_id, made.client_secret);
    }
    assert.equal(status, 401, 'the old secret is refused within a second');
    assert.equal(await askToken(made.client_id, next.client_secret), 200);
  });

  test('doctor finds it running under its own name', async () => {
    const { findings } = (await shell.run('doctor --json')).json<{ findings: { check: string; state: string }[] }>();
    assert.deepEqual(
      findings.filter(({ state }) => state !== 'ok'),
      [],
    );
  });

  test('a second one on the same port says so and ends with 1', async () => {
    const second = startServe(shell.folder);
    assert.equal(await exitOf(second.child), 1);
    assert.match(second.output(), new RegExp(`✗ port ${port} on 127\\.0\\.0\\.1 is in use`));
  });

  test('SIGTERM stops it with exit code 0; what a proxy sends meanwhile on a connection it kept open is answered', async () => {
    const connection = await keptOpen(port);
    assert.match(await connection.ask(), /^HTTP\/1\.1 200 [\s\S]*connection: keep-alive/i);
    running.child.kill('SIGTERM');
    while (!running.output().includes('Stopping')) await sleep(5);
    while (await takesConnections(port)) await sleep(5);
    assert.match(await connection.ask(), /^HTTP\/1\.1 200 [\s\S]*connection: close/i);
    assert.equal(await exitOf(running.child), 0);
    assert.match(running.output(), /Stopped\.\n$/);
  });

  test('it stops when its launcher is gone', async () => {
    const launched = startServe(shell.folder, [], true);
    await launched.ready;
    launched.child.disconnect();
    assert.equal(await exitOf(launched.child), 0);
  });

  test('a configuration that cannot be used ends it with 2, all problems named', async () => {
    const wrong = startServe(shell.folder, ['--issuer', 'http://example.com', '--port', 'x']);
    assert.equal(await exitOf(wrong.child), 2);
    assert.match(wrong.output(), /--issuer: .*https/);
    assert.match(wrong.output(), /--port: /);
  });
});
