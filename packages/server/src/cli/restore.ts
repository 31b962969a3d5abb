import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option } from 'commander';
import type { Config } from '../config/config.ts';
import { makeDataFolder } from '../data-folder.ts';
import type { RestoreContext } from '../restore/apply-endings.ts';
import { type Restored, restoreStore } from '../restore/restore-store.ts';
import { systemRandom } from '../secrets/random.ts';
import { readRootKeys } from '../secrets/root-key-file.ts';
import { assertRootKeysOpen } from '../secrets/root-keys-at-hand.ts';
import type { JournalEntry } from '../store/journal/journal-entry.ts';
import { readEntries, readEpochs } from '../store/journal/journal-file.ts';
import { openJournaledStore } from '../store/journal/journaled-store.ts';
import { journalFile, openBareStore } from '../store/open-store.ts';
import type { RestorePolicy } from '../store/restore-record.ts';
import type { Store } from '../store/store.ts';
import { readSigningKeys } from '../tokens/key-rotation.ts';
import { collect, type Register, storeCommand } from './command.ts';
import { clockOf, readStoreConfig, type StoreOptions } from './command-context.ts';
import { CommandFailure } from './failure.ts';
import { count, exact, print } from './output.ts';
import { confirm } from './password-input.ts';
import { progressOf } from './progress.ts';
import { withRestoredFile } from './restore-file.ts';
import type { Terminal } from './terminal.ts';

type RestoreOptions = StoreOptions & { policy: RestorePolicy; journal?: string[]; yes?: boolean; force?: boolean };

/** `tessera restore`: puts an older state of the store back, ends again what has ended since, and says what is left to do. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    storeCommand('restore', 'Put an older state of the store back, and end again what has ended since')
      .argument('[file]', 'a backup; without it, the database as its own tools have put it back')
      .addOption(
        new Option('--policy <policy>', 'whether those who are signed in go on, or everybody signs in again')
          .choices(['resume', 'reauthenticate'])
          .makeOptionMandatory(),
      )
      .option('--journal <file>', "another node's journal of endings; may come several times", collect)
      .option(
        '--force',
        'although servers seem to be connected to the Postgres database: they notice, and stop answering',
      )
      .option('--yes', 'do not ask')
      .action((file: string | undefined, options: RestoreOptions) => restore(terminal, file, options)),
  );
};

async function restore(terminal: Terminal, name: string | undefined, options: RestoreOptions): Promise<void> {
  const config = await readStoreConfig(terminal, options);
  const file = name === undefined ? undefined : resolve(terminal.cwd, name);
  const journals = journalsOf(terminal, config, options);
  if (config.store !== undefined && file !== undefined)
    throw new CommandFailure(
      'the store is in Postgres: put the database back with its own tools (pg_restore, a base backup), then run this without a file',
      2,
    );
  await confirm(
    terminal,
    options.policy === 'resume'
      ? 'Put the older state in force, and let those who were signed in go on?'
      : 'Put the older state in force, and let everybody sign in again?',
    options.yes,
  );
  const run = (store: Store, setEpoch: (epoch: number) => Promise<void>) =>
    restoreIn(terminal, config, { store, setEpoch, journals, policy: options.policy });
  const { restored, keptAs } =
    config.store === undefined
      ? await withRestoredFile(terminal, config, file, run)
      : { restored: await inPostgres(config, config.store, options, run), keptAs: undefined };
  await beginEpoch(terminal, config, restored);
  report(terminal, options, restored, keptAs);
}

/** The journals there are: this node's own, and those that were named. */
function journalsOf(terminal: Terminal, config: Config, { journal = [] }: RestoreOptions): string[] {
  const named = journal.map((path) => resolve(terminal.cwd, path));
  for (const path of named) if (!existsSync(path)) throw new CommandFailure(`there is no journal ${path}`, 2);
  const own = journalFile(config);
  if (existsSync(own)) return [own, ...named.filter((path) => path !== own)];
  terminal.err(
    `! there is no journal of endings at ${own}: who signed out since the older state is signed in again. If it lies elsewhere, name it with --journal; else prefer --policy reauthenticate`,
  );
  return named;
}

type Order = {
  store: Store;
  setEpoch: (epoch: number) => Promise<void>;
  journals: readonly string[];
  policy: RestorePolicy;
};

async function restoreIn(
  terminal: Terminal,
  config: Config,
  { store, setEpoch, journals, policy }: Order,
): Promise<Restored> {
  await makeDataFolder(config.data);
  const rootKeys = await readRootKeys({ env: terminal.env, dataFolder: config.data, random: systemRandom });
  assertRootKeysOpen(rootKeys, await readSigningKeys(store));
  const clock = await clockOf(terminal, store);
  const now = () => Math.floor(clock.nowMs() / 1000);
  const context: RestoreContext = { config, store, rootKeys, random: systemRandom, now };
  const epochs = (await Promise.all(journals.map(readEpochs))).flatMap((read) => read.epochs);
  return restoreStore(context, {
    policy,
    journal: entriesOf(journals),
    epochs,
    // As a new store's: cursors of any other epoch must not be taken for this one's.
    epoch: randomInt(2 ** 47),
    setEpoch,
    onProgress: progressOf(terminal),
  });
}

async function* entriesOf(journals: readonly string[]): AsyncGenerator<JournalEntry> {
  for (const path of journals) yield* readEntries(path);
}

async function inPostgres(
  config: Config,
  connectionString: string,
  { force = false }: RestoreOptions,
  run: (store: Store, setEpoch: (epoch: number) => Promise<void>) => Promise<Restored>,
): Promise<Restored> {
  const { connectedNodes } = await import('../store/postgres/connected-nodes.ts');
  const nodes = force ? [] : await connectedNodes(connectionString);
  if (nodes.length > 0) {
    const from = nodes.map(({ address, connections }) => `${address} (${count(connections, 'connection')})`).join(', ');
    throw new CommandFailure(`servers are connected to the database, from ${from}; stop them first`);
  }
  const { setPostgresEpoch } = await import('../store/postgres/epoch.ts');
  const store = await openBareStore(config, () => undefined);
  try {
    return await run(store, (epoch) => setPostgresEpoch(connectionString, epoch));
  } finally {
    await store.close();
  }
}

/** Lets the journal of this node go on in the new epoch: all it holds was just applied. */
async function beginEpoch(terminal: Terminal, config: Config, { record }: Restored): Promise<void> {
  const warn = (message: string) => terminal.err(message);
  const store = await openBareStore(config, warn);
  const journaled = await openJournaledStore({ store, file: journalFile(config), warn }).catch(async (error) => {
    await store.close();
    throw error;
  });
  try {
    if (journaled.isFormer) await journaled.adopt(record.from.position);
  } finally {
    await journaled.close();
  }
}

function report(
  terminal: Terminal,
  options: RestoreOptions,
  { record, applied, cutOff }: Restored,
  keptAs: string | undefined,
): void {
  const { entries, sessions, grants, told, settings, review } = applied;
  print(terminal, options, { ...record, applied, cutOff, keptAs }, () => [
    `✓ restored: the store stood at position ${record.from.position}`,
    ...(keptAs === undefined ? [] : [`  the store of before is kept as ${keptAs}`]),
    `  the journals hold ${count(entries, 'ending')} that still ${entries === 1 ? 'matters' : 'matter'}: ended again ${count(sessions, 'session')} and ${count(grants, 'grant')}, told edges of ${told} more, applied ${count(settings, 'setting')}`,
    record.policy === 'resume'
      ? '  those who were signed in go on; a client that is newer than the store moves its grant forward (event grant.resumed)'
      : `  everybody signs in again: cut off ${count(cutOff.sessions, 'session')} and ${count(cutOff.grants, 'grant')}`,
    ...(review.length === 0 ? [] : ['', 'Look at these yourself, they went back and were not applied again:']),
    ...review.map(({ kind, id, at, what }) => `  ${kind} ${id}: ${what} (changed ${exact(at)})`),
    '',
    'Next: start the servers.',
  ]);
}
