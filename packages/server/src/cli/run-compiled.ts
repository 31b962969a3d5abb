import { hash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

/**
 * A program of the bundle. `url`: of the file that starts it; its code lies beside it, as `<name>.code`. `digest`: tells this code from any other of that name. `use`: what is
 * kept apart, because it needs other functions of it.
 */
export type CompiledProgram = { url: string; name: string; digest: string; use: string };

/** When, in milliseconds after the start, what was compiled is kept, if the program has not ended before. */
const keepAfterMs = 2000;
const digestBytes = 32;

/**
 * Runs a program of the bundle from what V8 compiled of it the first time: every function that a start needs. Node's own compile cache holds only those that are compiled as a file is loaded, about
 * a tenth of them. It is kept in the folder `compiled` beside the bundle, not in the folder for temporary files, where others could leave code for us. Without it, or where it cannot be written, the
 * program starts all the same, only slower. The code is a function of `require`, the `url` and `importModule`.
 */
export function runCompiled({ url, name, digest, use }: CompiledProgram): void {
  const folder = dirname(fileURLToPath(url));
  const filename = join(folder, `${name}.code`);
  const kept = join(folder, 'compiled', `${name}-${use}-${digest}-${process.version}-${process.arch}`);
  const cachedData = readKept(kept);
  // The code is plain ASCII: read as such it takes one byte a character, outside the heap.
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    ...(cachedData && { cachedData }),
  });
  if (cachedData === undefined || script.cachedDataRejected) keepLater(script, kept);
  // A script that imports by itself needs what Node calls experimental, and warns of.
  script.runInThisContext()(createRequire(url), url, (module: string) => import(module));
}

/** What was kept, if it is whole: V8 believes what it is given. */
function readKept(path: string): Buffer | undefined {
  try {
    const content = readFileSync(path);
    const data = content.subarray(digestBytes);
    return content.subarray(0, digestBytes).equals(hash('sha256', data, 'buffer')) ? data : undefined;
  } catch {
    return undefined;
  }
}

function keepLater(script: Script, path: string): void {
  const keepNow = () => {
    clearTimeout(timer);
    process.off('exit', keepNow);
    keep(script.createCachedData(), path);
  };
  const timer = setTimeout(keepNow, keepAfterMs).unref();
  process.on('exit', keepNow);
}

function keep(data: Buffer, path: string): void {
  const unfinished = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    try {
      writeWhole(unfinished, data);
      renameSync(unfinished, path);
    } finally {
      rmSync(unfinished, { force: true });
    }
  } catch {
    // Installed where this user may not write, or a full disk.
  }
}

function writeWhole(path: string, data: Buffer): void {
  const file = openSync(path, 'wx');
  try {
    writeSync(file, hash('sha256', data, 'buffer'));
    writeSync(file, data);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
