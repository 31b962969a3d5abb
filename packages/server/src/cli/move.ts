import { storeUrlProblem } from '../config/url-rules.ts';
import { type Moved, moveStore, words } from '../store/move/move-store.ts';
import { type MovedKind, movedKinds } from '../store/move/moved-rows.ts';
import { storeFile } from '../store/open-store.ts';
import { openAlone } from '../store/sqlite/alone.ts';
import { markMoved, readMoveState, sqliteRows } from '../store/sqlite/move-out.ts';
import { type Register, storeCommand } from './command.ts';
import { hasStore, noStore, readStoreConfig, type StoreOptions } from './command-context.ts';
import { CommandFailure } from './failure.ts';
import { count, print, table } from './output.ts';
import { progressOf } from './progress.ts';
import type { Terminal } from './terminal.ts';

/** `tessera move --to URL`: takes the embedded store to a Postgres database. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    storeCommand('move', 'Move the embedded store to a Postgres database; cut short, run it again')
      .requiredOption('--to <url>', 'the database, empty; with a password rather set PGPASSWORD')
      .action((options: StoreOptions & { to: string }) => move(terminal, options)),
  );
};

async function move(terminal: Terminal, options: StoreOptions & { to: string }): Promise<void> {
  const wrong = storeUrlProblem(options.to);
  if (wrong !== undefined) throw new CommandFailure(`--to: ${wrong}`, 2);
  const config = await readStoreConfig(terminal, options);
  if (config.store !== undefined)
    throw new CommandFailure(
      'the configuration names a Postgres database: there is nothing to move from the data folder',
    );
  if (!hasStore(config)) throw noStore(config);
  const { openMoveTarget } = await import('../store/postgres/move-in.ts');
  await refuseConnected(options.to);
  const file = storeFile(config.data);
  // Held to the end: no server may write to it meanwhile, nor start on it.
  const db = openAlone(file);
  let moved: Moved;
  try {
    const { isMoved, ...at } = readMoveState(db);
    const target = await openMoveTarget(options.to);
    try {
      moved = await moveStore({
        source: { ...sqliteRows(db), at },
        target,
        onSourceDone: () => {
          if (!isMoved) markMoved(db);
        },
        onProgress: progressOf(terminal),
      });
    } finally {
      await target.close();
    }
  } finally {
    db.close();
  }
  report(terminal, options, file, moved);
}

async function refuseConnected(url: string): Promise<void> {
  const { connectedNodes } = await import('../store/postgres/connected-nodes.ts');
  const nodes = await connectedNodes(url);
  if (nodes.length === 0) return;
  const from = nodes.map(({ address, connections }) => `${address} (${count(connections, 'connection')})`).join(', ');
  throw new CommandFailure(`servers or commands are connected to that database, from ${from}; stop them first`);
}

function report(terminal: Terminal, options: StoreOptions, file: string, { tallies, wasMovedBefore }: Moved): void {
  print(terminal, options, { tallies, wasMovedBefore }, () => [
    wasMovedBefore ? '✓ it had been moved already' : '✓ moved, and both sides compared',
    ...table(
      ['WHAT', 'COUNT', 'SHA-256'],
      movedKinds.map((kind: MovedKind) => [
        words(kind),
        String(tallies[kind].count),
        tallies[kind].checksum.slice(0, 16),
      ]),
    ),
    '',
    'Next:',
    '  1. name the database in the configuration (store) or in TESSERA_STORE',
    '  2. keep root-keys.json and endings.journal where they are; further servers need the same root keys',
    '  3. start the servers: clients, edges and readers of events go on where they were',
    `  ${file} refuses to be served from now on; remove it when you are content`,
  ]);
}
