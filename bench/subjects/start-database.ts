import { chmodSync } from 'node:fs';
import {
  findPostgres,
  startTestPostgres,
  type TestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import { onFirstProcessor } from './start-subject.ts';

/** What each subject's Postgres is started with, as an operator would set it for a machine of some gigabytes with a solid-state disk; all else is the default, `wal_level=replica` and `synchronous_commit=on` among it. */
const settings = [
  'shared_buffers=1GB',
  'effective_cache_size=4GB',
  'maintenance_work_mem=256MB',
  'max_wal_size=4GB',
  'random_page_cost=1.1',
  'log_min_messages=fatal',
];

/** What to do where there is none. */
export const howToInstall =
  'no Postgres server found: install one (Debian: apt-get install postgresql), or name the folder of its programs in POSTGRES_BIN';

/** Whether this machine has a Postgres to start. */
export function hasPostgres(): boolean {
  return findPostgres() !== undefined;
}

/** Starts a Postgres for one subject, on its processor, with its files below that folder. `more`: settings besides those of all. */
export function startDatabase(folder: string, more: readonly string[] = []): Promise<TestPostgres> {
  const bin = findPostgres();
  if (bin === undefined) throw new Error(`${howToInstall}; or measure --store sqlite alone`);
  // It runs under a user of its own, who passes through and sees nothing else.
  chmodSync(folder, 0o711);
  return startTestPostgres(bin, { within: folder, settings: [...settings, ...more], startedBy: onFirstProcessor() });
}
