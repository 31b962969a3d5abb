import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDataFolder } from './data-folder.ts';

test('the data folder is made closed to others, once, and where it cannot be made it says what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-data-'));
  try {
    const data = join(folder, 'deep', 'data');
    await makeDataFolder(data);
    await makeDataFolder(data);
    assert.equal((await stat(data)).mode & 0o777, 0o700);
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(makeDataFolder(join(folder, 'file', 'data')), {
      code: 'store_not_usable',
      message: /file\/data cannot be made \(ENOTDIR\); .*--data or TESSERA_DATA$/,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
