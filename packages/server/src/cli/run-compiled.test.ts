import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';

const root = mkdtempSync(join(tmpdir(), 'tessera-compiled-'));
after(() => rmSync(root, { recursive: true }));

/** A program in a folder of its own, as the bundle has them. */
function program(name: string, code = "process.stdout.write('it ran from ' + url.split('/').at(-1));") {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'program.code'), `(function (require, url, importModule) {${code}})`);
  const start = join(folder, 'program.mjs');
  const source = pathToFileURL(join(import.meta.dirname, 'run-compiled.ts')).href;
  writeFileSync(
    start,
    `import { runCompiled } from '${source}';
    runCompiled({ url: import.meta.url, name: 'program', digest: 'abc', use: process.argv[2] ?? 'none' });`,
  );
  const run = (...line: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [start, ...line], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
    return stdout;
  };
  return { folder, run, kept: () => readdirSync(join(folder, 'compiled')).map((one) => join(folder, 'compiled', one)) };
}

describe('a program of the bundle', () => {
  it('is compiled once for each use, and starts from that', () => {
    const { run, kept } = program('once');
    assert.equal(run(), 'it ran from program.mjs');
    const [first] = kept() as [string];
    const { mtimeMs, ino } = statSync(first);
    assert.equal(run(), 'it ran from program.mjs');
    // What V8 rejects is written anew.
    assert.deepEqual([statSync(first).mtimeMs, statSync(first).ino], [mtimeMs, ino]);
    run('serve');
    assert.equal(kept().length, 2);
  });

  it('keeps the functions that ran, not only those that were compiled as it was loaded', () => {
    const long = (name: string) => `function ${name}(x) { ${'x = x * 3 + 1; '.repeat(400)} return x; }`;
    const idle = program('idle', long('one'));
    const busy = program('busy', `${long('one')} one(1);`);
    idle.run();
    busy.run();
    const [idleBytes, busyBytes] = [idle, busy].map(({ kept }) => statSync(kept()[0]!).size) as [number, number];
    assert.ok(busyBytes > idleBytes + 2000, `${idleBytes} and ${busyBytes} bytes`);
  });

  it('does not believe what was kept and is damaged, and keeps it anew', () => {
    const { run, kept } = program('damaged');
    run();
    const [path] = kept() as [string];
    const whole = readFileSync(path);
    for (const damaged of [Buffer.alloc(0), whole.subarray(0, 50), Buffer.from(whole).fill(0, whole.length - 40)]) {
      writeFileSync(path, damaged);
      assert.equal(run(), 'it ran from program.mjs');
      assert.equal(readFileSync(path).length, whole.length);
      assert.equal(kept().length, 1);
    }
  });

  it('starts where nothing can be kept', () => {
    const { folder, run } = program('closed');
    // A file where the folder would be: also who may write everywhere cannot make it.
    writeFileSync(join(folder, 'compiled'), '');
    chmodSync(folder, 0o555);
    assert.equal(run(), 'it ran from program.mjs');
    chmodSync(folder, 0o755);
  });

  it('imports modules and asks for Node’s, and nothing is warned of', () => {
    const { folder, run } = program(
      'modules',
      "importModule(new URL('other.mjs', url).href).then(({ word }) => process.stdout.write(word + require('node:path').sep));",
    );
    writeFileSync(join(folder, 'other.mjs'), "export const word = 'loaded';");
    assert.match(run(), /^loaded/);
  });
});
