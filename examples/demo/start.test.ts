import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../tests/eventually.ts';
import { isPortFree, listenOnLoopback } from './local-http.ts';
import { parts, readSettings } from './settings.ts';
import { demoEnvironment, endProcess, type LaunchedDemo, launchDemo } from './testing/launch-demo.ts';

const root = resolve(import.meta.dirname, '..', '..');

describe('a demo that runs', () => {
  let demo: LaunchedDemo;
  before(async () => {
    demo = await launchDemo();
  });
  after(() => demo.close());

  test('says what runs where, who may sign in, and last of all "Ready" with the issuer', () => {
    const { settings } = demo;
    const output = demo.output();
    for (const said of [settings.issuer, settings.app, settings.api, settings.notes, 'ada', 'bob', 'night-watchword'])
      assert.ok(output.includes(said), said);
    assert.equal(output.trimEnd().split('\n').at(-1), `Ready: ${settings.issuer}`);
  });

  test('answers at all four addresses when it says so', async () => {
    const { issuer, app, api, notes } = demo.settings;
    const urls = [`${issuer}/.well-known/openid-configuration`, app, `${api}/health`, notes];
    for (const url of urls) assert.equal((await fetch(url)).status, 200, url);
    assert.equal((await fetch(`${api}/orders`)).status, 401);
  });

  test('keeps its secrets readable for their owner alone', async () => {
    assert.equal(statSync(join(demo.settings.data, 'client-secrets.json')).mode & 0o077, 0);
  });

  test('a second start names the taken ports and how to choose others, and leaves the first one alone', async () => {
    const env = { ...process.env, DEMO_DATA: demo.settings.data };
    for (const part of Object.keys(parts) as (keyof typeof parts)[])
      Object.assign(env, { [parts[part].variable]: String(demo.settings.ports[part]) });
    const { code, output } = await runDemo(env);
    assert.equal(code, 1);
    for (const { variable } of Object.values(parts)) assert.match(output, new RegExp(`${variable}=\\d+.* npm start`));
    assert.equal((await fetch(`${demo.settings.issuer}/health`)).status, 200);
  });
});

test('one taken port is named, with the program it is for', async () => {
  const env = await demoEnvironment();
  const stranger = createServer();
  await listenOnLoopback(stranger, Number(env.DEMO_PORT_API));
  const { code, output } = await runDemo(env);
  stranger.close();
  await rm(env.DEMO_DATA ?? '', { recursive: true });
  assert.equal(code, 1);
  assert.match(output, new RegExp(`port ${env.DEMO_PORT_API}, for the demo API`));
  assert.doesNotMatch(output, /DEMO_PORT_APP/);
});

test('a port that is none is refused in one line', async () => {
  const { code, output } = await runDemo({ ...process.env, DEMO_PORT_APP: 'eighty' });
  assert.equal(code, 1);
  assert.equal(output.trim(), 'The demo cannot start: DEMO_PORT_APP must be a port from 1 to 65535, got "eighty".');
});

test('users, sessions and secrets are the same after a restart', async () => {
  const env = await demoEnvironment();
  const first = await launchDemo(env);
  const secrets = readFileSync(join(first.settings.data, 'client-secrets.json'), 'utf8');
  const keys = await readKeys(first);
  assert.equal(await endProcess(first.launcher), 0);
  const second = await launchDemo(env);
  try {
    assert.equal(readFileSync(join(second.settings.data, 'client-secrets.json'), 'utf8'), secrets);
    assert.deepEqual(await readKeys(second), keys);
  } finally {
    await second.close();
  }
});

const hasProcessList = readdirSync('/').includes('proc');
for (const [how, end] of [
  ['SIGTERM', (demo: LaunchedDemo) => endProcess(demo.launcher, 'SIGTERM')],
  ['SIGINT', (demo: LaunchedDemo) => endProcess(demo.launcher, 'SIGINT')],
  ['kill -9 of the launcher', (demo: LaunchedDemo) => endProcess(demo.launcher, 'SIGKILL')],
  ['kill -9 of the program the launcher runs', (demo: LaunchedDemo) => killProgram(demo)],
] as const)
  test(`nothing is left behind by ${how}`, { skip: !hasProcessList && 'no /proc to look into' }, async () => {
    const demo = await launchDemo();
    const started = processesOf(demo);
    // Launcher, program, server, API.
    assert.ok(started.length >= 3, `found only ${started.length} processes`);
    await end(demo);
    await eventually(
      () => processesOf(demo).length === 0,
      undefined,
      () => `still there: ${processesOf(demo).join(', ')}`,
    );
    for (const port of Object.values(demo.settings.ports)) assert.ok(await isPortFree(port), `port ${port}`);
    await demo.close();
  });

test('nothing is left behind by kill -9 of npm', { skip: !hasProcessList && 'no /proc to look into' }, async () => {
  const env = await demoEnvironment();
  const npm = spawn('npm', ['start'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  npm.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await eventually(
    () => /^Ready: /m.test(output),
    undefined,
    () => `not ready: ${output}`,
  );
  const left = { settings: readSettings(env) };
  assert.ok(processesOf(left).length >= 4);
  npm.kill('SIGKILL');
  await eventually(
    () => processesOf(left).length === 0,
    undefined,
    () => `still there: ${processesOf(left).join(', ')}`,
  );
  await rm(left.settings.data, { recursive: true });
});

async function runDemo(env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(root, 'scripts/run.mjs'), 'examples/demo/start.ts'], { cwd: root, env });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

async function readKeys({ settings }: LaunchedDemo): Promise<unknown> {
  return (await fetch(`${settings.issuer}/jwks`)).json();
}

/** The ids of the processes that work on this demo's data: it stands in their environment. */
function processesOf({ settings }: Pick<LaunchedDemo, 'settings'>): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').includes(`DEMO_DATA=${settings.data}\0`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Kills the process the launcher started, which is the parent of all others. */
async function killProgram(demo: LaunchedDemo): Promise<void> {
  const program = processesOf(demo).find((id) => parentOf(id) === demo.launcher.pid);
  assert.ok(program, 'the launcher has started a program');
  process.kill(program, 'SIGKILL');
}

function parentOf(id: number): number {
  // The name in brackets may hold anything; what follows is the state and the parent. Source: proc(5).
  return Number(readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]);
}
