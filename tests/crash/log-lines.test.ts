import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { appsConfig } from '../apps.ts';
import { basic } from '../test-server.ts';
import { runCommand, startServerProcess } from './server-process.ts';

const unseen = /[\u007f-\u009f\p{Cf}\u2028\u2029]/u;

it('what a stranger sends reaches neither log nor --json as characters that act on the terminal', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-log-'));
  await writeFile(
    join(folder, 'tessera.config.json'),
    JSON.stringify({ ...appsConfig('http://127.0.0.1:8080'), logLevel: 'info' }),
  );
  const server = await startServerProcess(folder, { args: ['--port', '0'] });
  try {
    const clientId = 'a\u009b2Jb\u202ec\u2028d';
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    const response = await fetch(`${server.url}/token`, { method: 'POST', headers: basic(clientId), body });
    assert.equal(response.status, 401);
    const id = response.headers.get('tessera-refusal-id') as string;
    const line = () =>
      server
        .output()
        .split('\n')
        .find((one) => one.includes(id));
    while (!line()) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.doesNotMatch(line() as string, unseen);
    assert.equal(JSON.parse(line() as string).clientId, clientId);
    const told = await runCommand(folder, ['refusal', id, '--json']);
    assert.doesNotMatch(told, unseen);
  } finally {
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  }
});
