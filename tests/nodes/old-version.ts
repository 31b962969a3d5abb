import { execFile, execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');

/** The version that knows schema 1 of both engines. Taken from the repository's own history: once versions are published, take the oldest one that an upgrade is promised from. */
const commit = 'c74c729d4faeb2f4b0117c69fac1ddb3b36438d8';

/** A version of before: its command line, and how it is removed. */
export type OldVersion = { program: string; remove(): Promise<void> };

/**
 * Unpacks the old version into a temporary folder: its own server and protocol, with the installed packages of others. Should those grow too new for it, take a newer old version.
 */
export async function unpackOldVersion(): Promise<OldVersion> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-old-version-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const archive = join(folder, 'old.tar');
    const run = promisify(execFile);
    await run('git', ['-C', root, 'archive', `--output=${archive}`, commit, 'packages/server', 'packages/protocol']);
    await run('tar', ['-xf', archive, '-C', folder]);
    await linkPackages(folder);
    return { program: join(folder, 'packages/server/src/cli/main.ts'), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Others' packages are those of this tree; our own are the old ones. */
async function linkPackages(folder: string): Promise<void> {
  const installed = join(root, 'node_modules');
  const own = join(folder, 'node_modules', '@tessera');
  await mkdir(own, { recursive: true });
  for (const name of ['protocol', 'server']) await symlink(join(folder, 'packages', name), join(own, name), 'junction');
  for (const name of await readdir(installed))
    if (name !== '@tessera' && !name.startsWith('.'))
      await symlink(join(installed, name), join(folder, 'node_modules', name), 'junction');
}

/** Why the old version cannot be had: a shallow clone, say; false where it can. */
export function whyNoOldVersion(): string | false {
  try {
    execFileSync('git', ['-C', root, 'cat-file', '-e', `${commit}^{commit}`], { stdio: 'pipe' });
    return false;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: Buffer | string };
    const said = String(stderr).trim() || String(error);
    return `the old version, commit ${commit.slice(0, 7)}, is not in this clone's history (${said}): clone the whole history (git fetch --unshallow); the tests of upgrades did NOT run`;
  }
}
