import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { findPostgres, howToInstall, startTestPostgres } from './test-postgres.ts';

const bin = findPostgres();

it('a process that has nothing else to do closes the store to the end', {
  skip: bin === undefined ? howToInstall : false,
}, async () => {
  const server = await startTestPostgres(bin as string);
  try {
    const program = `
      import { openPostgresStore } from ${JSON.stringify(resolve(import.meta.dirname, 'open.ts'))};
      const store = await openPostgresStore({ connectionString: ${JSON.stringify(server.connectionString)} });
      const record = { name: 'shade', version: 0, value: 1 };
      await store.commit([{ change: 'put', kind: 'setting', expect: 'absent', record }]);
      await store.close();
      console.log('closed');`;
    const flags = ['--conditions=tessera-source', '--disable-warning=ExperimentalWarning', '--input-type=module'];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--eval', program]);
    assert.equal(stdout, 'closed\n');
  } finally {
    await server.remove();
  }
});
