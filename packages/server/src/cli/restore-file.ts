import { existsSync, linkSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { Config } from '../config/config.ts';
import type { Restored } from '../restore/restore-store.ts';
import { storeFile } from '../store/open-store.ts';
import { openAlone } from '../store/sqlite/alone.ts';
import { copyDatabase, inspect, removeDatabase, syncFile } from '../store/sqlite/backup.ts';
import { setSqliteEpoch } from '../store/sqlite/epoch.ts';
import { isDamage } from '../store/sqlite/failure.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import type { Store } from '../store/store.ts';
import { StoreNotUsable } from '../store/store-not-usable.ts';
import { noStore } from './command-context.ts';
import { CommandFailure } from './failure.ts';
import type { Terminal } from './terminal.ts';

/**
 * Restores the embedded store: works on a copy beside it and puts that in place at the end, in one step; cut short before, nothing has changed. The file of before stays under another
 * name. Without `file` the one that is in place is taken, which somebody put there by hand. Refuses while a server uses it.
 */
export async function withRestoredFile(
  terminal: Terminal,
  config: Config,
  file: string | undefined,
  run: (store: Store, setEpoch: (epoch: number) => Promise<void>) => Promise<Restored>,
): Promise<{ restored: Restored; keptAs: string | undefined }> {
  const target = storeFile(config.data);
  const source = file ?? target;
  if (!existsSync(source))
    throw file === undefined ? noStore(config) : new CommandFailure(`there is no file ${file}`, 2);
  const working = `${target}.restoring`;
  // Said before the long work; held afterwards, because the store in place may be what is copied.
  hold(terminal, target)?.close();
  let held: DatabaseSync | undefined;
  try {
    try {
      await copyDatabase(source, working);
      inspect(working);
    } catch (error) {
      if (!isDamage(error)) throw error;
      throw new CommandFailure(`${source} is damaged (${(error as Error).message}); take an older backup`);
    }
    held = hold(terminal, target);
    const restored = await runOn(working, run);
    syncFile(working);
    const keptAs = existsSync(target) ? keep(target, terminal.nowMs()) : undefined;
    renameSync(working, target);
    syncFile(dirname(target));
    return { restored, keptAs };
  } finally {
    held?.close();
    removeDatabase(working);
  }
}

async function runOn(
  file: string,
  run: (store: Store, setEpoch: (epoch: number) => Promise<void>) => Promise<Restored>,
): Promise<Restored> {
  const store = await openSqliteStore({ file });
  try {
    return await run(store, async (epoch) => setSqliteEpoch(file, epoch));
  } finally {
    await store.close();
  }
}

/** Keeps others out of the store that is about to be replaced. One that is damaged cannot be held, and is replaced all the same. */
function hold(terminal: Terminal, target: string): DatabaseSync | undefined {
  if (!existsSync(target)) return undefined;
  try {
    return openAlone(target);
  } catch (error) {
    if (error instanceof StoreNotUsable) throw error;
    terminal.err(`! ${target} cannot be opened (${(error as Error).message}); make sure that no server uses it`);
    return undefined;
  }
}

function keep(target: string, nowMs: number): string {
  const name = `${target}.before-restore-${new Date(nowMs).toISOString().replaceAll(':', '-')}`;
  // A damaged one may still have its log, which would be taken for the new one's.
  for (const ending of ['-wal', '-shm'])
    if (existsSync(`${target}${ending}`)) renameSync(`${target}${ending}`, `${name}${ending}`);
  linkSync(target, name);
  return name;
}
