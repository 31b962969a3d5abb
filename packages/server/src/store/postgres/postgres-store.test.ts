import { after, before, test } from 'node:test';
import { storeContract } from '../store-contract.ts';
import { findPostgres, howToInstall, openEngine, startTestPostgres, type TestPostgres } from './test-postgres.ts';

const bin = findPostgres();

if (bin === undefined) {
  console.error(howToInstall);
  test('the Postgres engine', { skip: howToInstall }, () => undefined);
} else {
  let server: TestPostgres;
  before(async () => {
    server = await startTestPostgres(bin);
  });
  after(() => server.remove());
  storeContract('Postgres', () => openEngine(server));
}
