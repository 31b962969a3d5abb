// Runs one of the project's TypeScript programs, or the bundled command line (`tessera`), on the pinned Node, after installing what the lockfile names.
// Plain JavaScript without dependencies: it must run on any Node 20 or later, before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [program, ...programArguments] = process.argv.slice(2);
if (program === undefined) {
  console.error('usage: node scripts/run.mjs PROGRAM.ts|tessera [ARGUMENT …]');
  process.exit(2);
}

installOnce();
const node = pinnedNode();
const sourceFlags = ['--conditions=tessera-source', '--disable-warning=ExperimentalWarning'];
const child = spawn(
  node,
  [...(program === 'tessera' ? [bundledServer()] : [...sourceFlags, resolve(root, program)]), ...programArguments],
  // The launcher's end is told to the program over the channel: a program left without a launcher stops itself.
  {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: {
      ...process.env,
      TESSERA_LAUNCHED: '1',
      // Sources are stripped of their types and compiled once, not at each start: half the time, and less memory.
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, '.cache', 'compiled'),
    },
  },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
const launchers = launchersNow();
setInterval(() => launchersNow() === launchers || child.kill('SIGTERM'), 500).unref();
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 0 : 1)));

/** Who started this. npm does it through a shell, which outlives an npm that is killed, so the shell's own parent counts too. */
function launchersNow() {
  const { ppid } = process;
  if (process.env.npm_lifecycle_event === undefined || process.platform !== 'linux') return `${ppid}`;
  try {
    // The name in brackets may hold anything; what follows is the state and the parent. Source: proc(5).
    return `${ppid} ${readFileSync(`/proc/${ppid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]}`;
  } catch {
    return `${ppid}`;
  }
}

/** Runs `npm ci` when node_modules does not hold what the lockfile says. */
function installOnce() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.tessera-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('Installing dependencies (once, about half a minute) …');
  const lockDirectory = join(root, '.cache', 'installing');
  mkdirSync(join(root, '.cache'), { recursive: true });
  try {
    mkdirSync(lockDirectory);
  } catch {
    console.error(`Another installation is under way. If none is, remove ${lockDirectory} and try again.`);
    process.exit(1);
  }
  const removeLock = () => rmSync(lockDirectory, { recursive: true, force: true });
  process.on('exit', removeLock);
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  removeLock();
  if (npm.status !== 0) {
    console.error('npm ci failed; its own message is above. Check that the npm registry can be reached and try again.');
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

/** The command line as it is published, bundled from the sources as they are now: it starts in half the time and takes two thirds of the memory. */
function bundledServer() {
  const state = createHash('sha256');
  for (const folder of ['packages/server/src', 'packages/protocol/src', 'scripts'])
    for (const name of readdirSync(join(root, folder), { recursive: true }).sort()) {
      const { mtimeMs, size } = statSync(join(root, folder, name));
      state.update(`${name} ${mtimeMs} ${size}\n`);
    }
  state.update(readFileSync(join(root, 'package-lock.json')));
  const bundles = join(root, '.cache', 'bundles');
  const bundle = join(bundles, state.digest('hex').slice(0, 16));
  const main = join(bundle, 'tessera.mjs');
  if (existsSync(main)) return main;
  const { status } = spawnSync(node, [...sourceFlags, join(root, 'scripts/bundle-server.ts'), bundle], {
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error('The server could not be bundled; the messages are above.');
    process.exit(1);
  }
  // Some are kept: a server that runs still loads parts of its own.
  const ageOf = (name) => statSync(join(bundles, name)).mtimeMs;
  for (const old of readdirSync(bundles)
    .sort((a, b) => ageOf(b) - ageOf(a))
    .slice(8))
    rmSync(join(bundles, old), { recursive: true, force: true });
  return main;
}

/** The Node of the lockfile where there is one for this platform, else this one if it is new enough. */
function pinnedNode() {
  const pinned = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
  if (existsSync(pinned)) return pinned;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  console.error(
    `Tessera's server needs Node 24 or later; this is ${process.version}, and no pinned build exists for ${process.platform}-${process.arch}. Install Node 24.`,
  );
  process.exit(1);
}
