import assert from 'node:assert/strict';
import {
  appendFileSync,
  chownSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { JournalEntry } from './journal-entry.ts';
import { JournalFile, readEntries, readEpochs } from './journal-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'tessera-journal-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const now = 1_800_000_000;

async function opened(path = join(folder, `${++files}`, 'endings.journal')): Promise<JournalFile> {
  const journal = new JournalFile(path);
  await journal.open();
  return journal;
}

function session(id: string, position: number, until = now + 100): JournalEntry {
  return { kind: 'session', id, position, at: now, until };
}

async function idsOf(journal: { path: string }): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of readEntries(journal.path)) ids.push(id);
  return ids;
}

describe('the file of the journal', () => {
  it('is made for its owner alone, and remembers how far it reaches', async () => {
    const journal = await opened();
    assert.equal(statSync(journal.path).mode & 0o777, 0o600);
    await journal.append([session('a', 3)], { epoch: 7, position: 4 }, true);
    await journal.close();
    assert.deepEqual(await new JournalFile(journal.path).open(), { epoch: 7, position: 4 });
    assert.deepEqual(await idsOf(journal), ['a']);
  });

  it('A9: a write to it returns when it is on disk', {
    skip: process.platform !== 'linux' && 'flushed by a call of its own there',
  }, async (t) => {
    const journal = await opened();
    t.after(() => journal.close());
    const isJournals = (fd: string) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === journal.path;
      } catch {
        return false;
      }
    };
    const flagsNow = () => {
      const fd = readdirSync('/proc/self/fd').find(isJournals);
      return Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0', 8);
    };
    assert.notEqual(flagsNow() & constants.O_DSYNC, 0);
    await journal.append([session('a', 1)], { epoch: 7, position: 1 }, true);
    await journal.compact(now);
    assert.notEqual(flagsNow() & constants.O_DSYNC, 0, 'also after it was replaced');
  });

  it('a line that was cut short is passed over, and takes no other with it', async () => {
    const journal = await opened();
    await journal.append([session('a', 1)], { epoch: 7, position: 1 }, true);
    await journal.close();
    const whole = readFileSync(journal.path, 'utf8');
    const line = JSON.stringify(session('cut', 2));
    for (let length = 1; length < line.length; length += 1) {
      writeFileSync(journal.path, `${whole}\n${line.slice(0, length)}`);
      const after = await opened(journal.path);
      await after.append([session('b', 2)], { epoch: 7, position: 2 }, true);
      await after.close();
      assert.deepEqual(await idsOf(journal), ['a', 'b'], `cut after ${length}`);
      assert.deepEqual(await new JournalFile(journal.path).open(), { epoch: 7, position: 2 });
    }
    writeFileSync(journal.path, Buffer.concat([Buffer.from(whole), Buffer.alloc(512)]));
    assert.deepEqual(await new JournalFile(journal.path).open(), { epoch: 7, position: 1 }, 'zeros of a lost block');
  });

  it('tells what another process appended, once', async () => {
    const mine = await opened();
    const other = await opened(mine.path);
    assert.equal(await mine.news(), undefined);
    await other.append([session('a', 1)], { epoch: 7, position: 9 }, false);
    assert.deepEqual(await mine.news(), { epoch: 7, position: 9 });
    assert.equal(await mine.news(), undefined);
    await mine.append([], { epoch: 7, position: 10 }, false);
    assert.equal(await mine.news(), undefined);
  });

  it('finds its last mark behind many entries', async () => {
    const journal = await opened();
    const many = Array.from({ length: 5000 }, (_, index) => session(`s${index}`, index));
    await journal.append([], { epoch: 7, position: 1 }, false);
    appendFileSync(journal.path, many.map((entry) => JSON.stringify(entry)).join('\n'));
    assert.deepEqual(await new JournalFile(journal.path).open(), { epoch: 7, position: 1 });
  });
});

describe('compacting the journal', () => {
  it('keeps what matters, how users and clients were left, and the last mark of each epoch', async () => {
    const journal = await opened();
    const user = (state: 'enabled' | 'disabled', changed: string[], position: number): JournalEntry => ({
      kind: 'user',
      id: 'u',
      position,
      at: now,
      until: now + 1000,
      state,
      changed,
    });
    await journal.append([session('past', 1, now), session('a', 2)], { epoch: 6, position: 5 }, true);
    await journal.append([user('disabled', ['disabled'], 1)], { epoch: 7, position: 1 }, true);
    await journal.append([user('enabled', ['disabled', 'password'], 2)], { epoch: 7, position: 2 }, true);
    assert.equal(await journal.compact(now), true);
    const left: JournalEntry[] = [];
    for await (const entry of journal.entries()) left.push(entry);
    assert.deepEqual(left, [session('a', 2), user('enabled', ['disabled', 'password'], 2)]);
    const { last, epochs } = await readEpochs(journal.path);
    assert.deepEqual([last, epochs], [{ epoch: 7, position: 2 }, [6, 7]]);
    assert.equal(statSync(journal.path).mode & 0o777, 0o600);
  });

  it("leaves the file to the server's own user when root does it", {
    skip: process.geteuid?.() !== 0 && 'only root can give files away',
  }, async () => {
    const journal = await opened();
    chownSync(journal.path, 65534, 65534);
    assert.equal(await journal.compact(now), true);
    assert.equal(statSync(journal.path).uid, 65534);
  });

  it('loses nothing that is appended meanwhile, by whoever', async () => {
    const journal = await opened();
    const others = await Promise.all([opened(journal.path), opened(journal.path)]);
    let position = 0;
    let isDone = false;
    const kept: string[] = [];
    const load = others.map(async (other, index) => {
      for (let count = 0; !isDone; count += 1) {
        position += 1;
        await other.append([session(`${index}-${count}`, position)], { epoch: 7, position }, count % 7 === 0);
        kept.push(`${index}-${count}`);
      }
    });
    for (let round = 0; round < 40; round += 1) assert.equal(await journal.compact(now), true);
    isDone = true;
    await Promise.all(load);
    const found = new Set(await idsOf(journal));
    assert.ok(kept.length > 40);
    assert.deepEqual(
      kept.filter((id) => !found.has(id)),
      [],
    );
  });

  it('is done by one process at a time, also after one was killed at it', async () => {
    const journal = await opened();
    await journal.append([session('a', 1)], { epoch: 7, position: 1 }, true);
    const lock = `${journal.path}.compacting`;
    writeFileSync(lock, '');
    assert.equal(await journal.compact(now), false);
    utimesSync(lock, 1, 1);
    assert.equal(await journal.compact(now), true);
    assert.ok(!existsSync(lock));
  });

  it('is due only when the file has grown', async () => {
    const journal = await opened();
    await journal.append([session('a', 1)], { epoch: 7, position: 1 }, true);
    assert.equal(await journal.compactIfDue(now), false);
    const past = Array.from({ length: 20_000 }, (_, index) => session(`s${index}`, index, now));
    await journal.append(past, { epoch: 7, position: 2 }, false);
    assert.equal(await journal.compactIfDue(now), true);
    assert.ok(statSync(journal.path).size < 1000);
    assert.equal(await journal.compactIfDue(now), false);
  });
});
