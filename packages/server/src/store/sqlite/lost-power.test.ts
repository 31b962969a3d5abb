import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { canTrace, type DiskStep, traceDisk } from './crash-trace.ts';
import { checkAfterCrash, crashWriter, fillForCrash, seeded } from './crash-writing.ts';

const callers = 6;
const cuts = 24;
const sectorBytes = 512;

test('what was acknowledged is there when the power fails, whatever of the rest reached the disk', {
  skip: canTrace() ? false : 'no strace: what reaches the disk cannot be watched',
  timeout: 280_000,
}, async (t) => {
  const seed = Number(process.env.TESSERA_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`TESSERA_SEED=${seed}`);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-power-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'store.db');
  const grantIds = await fillForCrash(file, callers);
  assert.ok(!existsSync(`${file}-wal`));
  const disk = new Disk(folder, { [file]: readFileSync(file) });
  const steps = await traceDisk(crashWriter(file, grantIds), {
    paths: [file, `${file}-wal`, folder],
    said: join(folder, 'said'),
    trace: join(folder, 'trace'),
    forMs: 1500,
  });
  const checkpoints = steps.filter((step) => step.step === 'flushed' && step.path === file).length;
  assert.ok(checkpoints > 0, 'the log was copied into the file meanwhile');

  const at = new Set(Array.from({ length: cuts }, (_, index) => seeded(seed, `cut ${index}`, steps.length)));
  const acknowledged = new Map<string, number>();
  for (const [index, step] of steps.entries()) {
    if (at.has(index)) {
      const left = join(folder, `left-${index}`);
      mkdirSync(left);
      disk.leave(left, (name, limit) => seeded(seed, `${index} ${name}`, limit));
      await checkAfterCrash(join(left, 'store.db'), grantIds, new Map(acknowledged), `seed ${seed}, step ${index}`);
      rmSync(left, { recursive: true });
    }
    if (step.step === 'said') {
      const [grantId = '', generation] = step.text.trim().split(' ');
      acknowledged.set(grantId, Number(generation));
    } else disk.take(step, index);
  }
  t.diagnostic(`${steps.length} steps, ${checkpoints} checkpoints, the power failed at ${at.size} of them`);
});

type FileStep = Extract<DiskStep, { step: 'written' | 'resized' }>;

/** A disk that keeps what was flushed; what was not is there or not, sector by sector, as it happens. */
class Disk {
  readonly #folder: string;
  readonly #kept: Map<string, Buffer>;
  readonly #onTheirWay = new Map<string, { index: number; step: FileStep }[]>();
  /** Files whose names are on the disk too. */
  readonly #named: Set<string>;

  constructor(folder: string, files: Record<string, Buffer>) {
    this.#folder = folder;
    this.#kept = new Map(Object.entries(files));
    this.#named = new Set(this.#kept.keys());
  }

  take(step: Exclude<DiskStep, { step: 'said' }>, index: number): void {
    const waiting = this.#onTheirWay.get(step.path) ?? [];
    if (step.step !== 'flushed') {
      this.#onTheirWay.set(step.path, [...waiting, { index, step }]);
      return;
    }
    if (step.path === this.#folder) for (const path of this.#onTheirWay.keys()) this.#named.add(path);
    const flushed = waiting.filter((one) => one.index < step.began);
    this.#kept.set(step.path, this.#after(step.path, flushed));
    this.#onTheirWay.set(
      step.path,
      waiting.filter((one) => one.index >= step.began),
    );
  }

  /** Writes what is left when the power fails now into another folder. `choose`: a number below a limit, for what is left to chance. */
  leave(folder: string, choose: (name: string, limit: number) => number): void {
    for (const path of new Set([...this.#kept.keys(), ...this.#onTheirWay.keys()])) {
      if (path === this.#folder) continue;
      if (!this.#named.has(path) && choose(`${path} named`, 2) === 0) continue;
      // Now nothing of what was on its way arrived, now some.
      const some = choose('some', 3);
      const arrived = (this.#onTheirWay.get(path) ?? []).flatMap(({ index, step }) =>
        some === 0
          ? []
          : sectorsOf(step, (sector) => choose(`${index} ${sector}`, 3) < some).map((one) => ({ index, step: one })),
      );
      writeFileSync(join(folder, path.slice(dirname(path).length)), this.#after(path, arrived), { mode: 0o600 });
    }
  }

  #after(path: string, arrived: readonly { step: FileStep }[]): Buffer {
    let content = Buffer.from(this.#kept.get(path) ?? Buffer.alloc(0));
    for (const { step } of arrived) {
      const length = step.step === 'resized' ? step.length : Math.max(content.length, step.offset + step.bytes.length);
      if (length !== content.length) content = Buffer.concat([content, Buffer.alloc(length)], length);
      if (step.step === 'written') step.bytes.copy(content, step.offset);
    }
    return content;
  }
}

/** The sectors of a write that arrived, each a write of its own. */
function sectorsOf(step: FileStep, hasArrived: (sector: number) => boolean): FileStep[] {
  if (step.step === 'resized') return hasArrived(0) ? [step] : [];
  const parts: FileStep[] = [];
  for (let from = 0; from < step.bytes.length; ) {
    const sector = Math.floor((step.offset + from) / sectorBytes);
    const to = Math.min(step.bytes.length, (sector + 1) * sectorBytes - step.offset);
    if (hasArrived(sector)) parts.push({ ...step, offset: step.offset + from, bytes: step.bytes.subarray(from, to) });
    from = to;
  }
  return parts;
}
