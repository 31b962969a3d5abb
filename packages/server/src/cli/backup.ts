import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { storeFile } from '../store/open-store.ts';
import { backupSqlite } from '../store/sqlite/backup.ts';
import { type Register, storeCommand } from './command.ts';
import { hasStore, noStore, readStoreConfig, type StoreOptions } from './command-context.ts';
import { CommandFailure } from './failure.ts';
import { facts, print } from './output.ts';
import { progressOf } from './progress.ts';
import type { Terminal } from './terminal.ts';

/** `tessera backup FILE`: a consistent copy of the embedded store, beside a running server or not. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    storeCommand('backup', 'Write a consistent, checked copy of the embedded store, while serving or not')
      .argument('<file>', 'where to write it; nothing is overwritten')
      .action((file: string, options: StoreOptions) => backup(terminal, file, options)),
  );
};

async function backup(terminal: Terminal, name: string, options: StoreOptions): Promise<void> {
  const config = await readStoreConfig(terminal, options);
  if (config.store !== undefined) throw new CommandFailure(howToBackUpPostgres);
  if (!hasStore(config)) throw noStore(config);
  const file = resolve(terminal.cwd, name);
  if (existsSync(file)) throw new CommandFailure(`${file} is there already; it was not touched. Choose another name`);
  const progress = progressOf(terminal);
  const held = await backupSqlite(storeFile(config.data), file, (done, total) =>
    progress(`${Math.floor((100 * done) / Math.max(1, total))} % of ${total} pages`),
  ).catch((error: unknown) => Promise.reject(explain(error, file)));
  const { size } = await stat(file);
  print(terminal, options, { file, bytes: size, ...held }, (value) => [
    `✓ ${value.file}, whole and checked`,
    ...facts([
      ['bytes', value.bytes],
      ['live sessions', value.sessions],
      ['live grants', value.grants],
      ['position', value.position],
    ]),
    'The root keys are not in it: keep a copy of them elsewhere. Restore it with: tessera restore FILE --policy resume|reauthenticate',
  ]);
}

function explain(error: unknown, file: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return new CommandFailure(`${file} appeared meanwhile; it was not touched`);
  if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOSPC' || code === 'EROFS')
    return new CommandFailure(`${file} cannot be written (${code}); choose another place`);
  return error;
}

const howToBackUpPostgres = [
  'the store is in Postgres: back it up with its own tools, which are consistent while servers run. For instance',
  '    pg_dump --format=custom --file=tessera.dump "$TESSERA_STORE"        one state, small databases',
  '    pg_basebackup --pgdata=backup --wal-method=stream --checkpoint=fast   with archived WAL: any point in time',
  'Afterwards, when a state was put back: tessera restore --policy resume|reauthenticate (docs/operations.md)',
].join('\n  ');
