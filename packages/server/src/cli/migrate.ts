import type { Config } from '../config/config.ts';
import { migrateStore, planMigration, type SchemaDriver, type SchemaSteps } from '../store/migrate-store.ts';
import { storeFile } from '../store/open-store.ts';
import { openSqliteSchema, sqliteSteps } from '../store/sqlite/migrate.ts';
import { type Register, storeCommand } from './command.ts';
import { hasStore, noStore, readStoreConfig, type StoreOptions } from './command-context.ts';
import { print } from './output.ts';
import { progressOf } from './progress.ts';
import type { Terminal } from './terminal.ts';

type MigrateOptions = StoreOptions & { dryRun?: boolean; contract?: boolean };

/** `tessera migrate`: brings the store to this version's schema ahead of the servers, and takes away what no server uses any more. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    storeCommand('migrate', "Bring the store to this version's schema, beside running servers")
      .option('--dry-run', 'only say what would be done')
      .option('--contract', 'also take away what no connected server uses any more')
      .action((options: MigrateOptions) => migrate(terminal, options)),
  );
};

async function migrate(terminal: Terminal, options: MigrateOptions): Promise<void> {
  const config = await readStoreConfig(terminal, options);
  if (!hasStore(config)) throw noStore(config);
  const { driver, steps } = await openSchema(config);
  try {
    const planned = await planMigration(driver, steps);
    const due = planned.filter(({ waits }) => !waits || options.contract === true);
    if (options.dryRun !== true && due.length > 0)
      await migrateStore(driver, steps, { contract: options.contract ?? false, onProgress: progressOf(terminal) });
    const { version } = await driver.state();
    const left = options.dryRun === true ? planned : await planMigration(driver, steps);
    print(terminal, options, { schema: version, done: options.dryRun === true ? [] : due, left }, () => [
      ...(due.length === 0 ? [`✓ nothing to do: the store has schema ${version}`] : []),
      ...due.map(({ what }) => (options.dryRun === true ? `would ${what}` : `✓ ${what}`)),
      ...planned
        .filter((step) => !due.includes(step))
        .map(({ what }) => `left for tessera migrate --contract: ${what}`),
    ]);
  } finally {
    await driver.close();
  }
}

async function openSchema({ data, store }: Config): Promise<{ driver: SchemaDriver; steps: SchemaSteps }> {
  if (store === undefined) return { driver: await openSqliteSchema(storeFile(data)), steps: sqliteSteps };
  const { openPostgresSchema, postgresSteps } = await import('../store/postgres/migrate.ts');
  return { driver: await openPostgresSchema(store), steps: postgresSteps };
}
