import { constants, type Stats, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Seconds } from '@tessera/protocol';
import { keepOwner } from '../keep-owner.ts';
import {
  formatLine,
  type JournalEntry,
  type JournalMark,
  mergedKinds,
  mergeEntries,
  parseLine,
} from './journal-entry.ts';

// Small journals are left alone; beyond that one is compacted when it has doubled since.
const compactFromBytes = 1 << 20;
const chunkBytes = 1 << 18;
// On Linux a write returns when it is on disk: one call instead of two. Elsewhere either there is no such thing, or it means less than a flush does.
const flushesEachWrite = process.platform === 'linux';
const openFlags =
  constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | (flushesEachWrite ? constants.O_DSYNC : 0);
// A compaction that was killed leaves its lock behind; none takes that long.
const lockIsStaleAfterMs = 10 * 60_000;

/**
 * The file of the journal: lines that are only ever appended, by any number of processes of this machine. Each write is whole lines that end in a mark, and begins on a
 * line of its own whatever the write before left behind. Compaction replaces the file by one without what no longer matters; who appended to the old one
 * meanwhile is carried over.
 */
export class JournalFile {
  readonly path: string;
  #handle: FileHandle | undefined;
  #inode = 0;
  /** How far this process has read or written it. */
  #seenBytes = 0;
  #compactedBytes = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** How far the journal reaches, by its last mark; undefined for a new one. Makes the file, for its owner alone. */
  async open(): Promise<JournalMark | undefined> {
    await this.#reopen();
    return lastMark(this.#file(), this.#seenBytes);
  }

  /** The last mark that another process has appended since this one looked, if one has. */
  async news(): Promise<JournalMark | undefined> {
    const current = this.#look();
    if (current === undefined || current.ino !== this.#inode) await this.#reopen();
    else if (current.size === this.#seenBytes) return undefined;
    else this.#seenBytes = current.size;
    return lastMark(this.#file(), this.#seenBytes);
  }

  /** Appends entries and a mark in one write. With `flush` it is on disk when this returns. */
  async append(entries: readonly JournalEntry[], mark: JournalMark, flush: boolean): Promise<void> {
    const lines = [...entries.map((entry) => formatLine({ entry })), formatLine({ mark })];
    // The first line end closes what a killed process may have left open.
    const bytes = Buffer.from(`\n${lines.join('\n')}\n`);
    for (;;) {
      const file = this.#file();
      await writeAll(file, bytes);
      if (flush && !flushesEachWrite) await file.datasync();
      this.#seenBytes += bytes.length;
      // Replaced by a compaction while we wrote: perhaps after it had read the last of the old file.
      if (this.#look()?.ino === this.#inode) return;
      await this.#reopen();
    }
  }

  /** Makes sure that what others appended is on disk. */
  async flush(): Promise<void> {
    await this.#file().datasync();
  }

  /** All entries in their order, also those that no longer matter. */
  async *entries(): AsyncGenerator<JournalEntry> {
    yield* readEntries(this.path);
  }

  /** Compacts when the file has grown enough to be worth it. Returns whether it did. */
  async compactIfDue(now: Seconds): Promise<boolean> {
    const { size } = await stat(this.path);
    if (size < compactFromBytes || size < 2 * this.#compactedBytes) return false;
    return this.compact(now);
  }

  /** Rewrites the file without what no longer matters. False when another process is at it. */
  async compact(now: Seconds): Promise<boolean> {
    const lock = `${this.path}.compacting`;
    if (!(await takeLock(lock))) return false;
    const temporary = `${this.path}.new`;
    try {
      await this.news();
      const old = await open(this.path, 'r');
      try {
        const target = await open(temporary, 'w', 0o600);
        let reached = 0;
        try {
          await keepOwner(target, this.path);
          // To where it ends now: others append meanwhile, perhaps faster than we read.
          reached = await copyWhatMatters(old, (await old.stat()).size, target, now);
          await target.datasync();
        } finally {
          await target.close();
        }
        await rename(temporary, this.path);
        await syncFolder(this.path);
        await this.#reopen();
        // What others appended between our reading and the renaming.
        const { size } = await old.stat();
        if (size > reached) {
          const rest = Buffer.alloc(size - reached);
          await old.read(rest, 0, rest.length, reached);
          await writeAll(this.#file(), Buffer.concat([Buffer.from('\n'), rest]));
          await this.#file().datasync();
        }
      } finally {
        await old.close();
      }
      ({ size: this.#compactedBytes } = await stat(this.path));
      this.#seenBytes = this.#compactedBytes;
      return true;
    } finally {
      await rm(temporary, { force: true });
      await rm(lock, { force: true });
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** What the name leads to now. Not by another thread: that costs several times what the look does. */
  #look(): Stats | undefined {
    return statSync(this.path, { throwIfNoEntry: false });
  }

  #file(): FileHandle {
    if (this.#handle === undefined) throw new TypeError('journal: expected it to be open');
    return this.#handle;
  }

  async #reopen(): Promise<void> {
    const before = this.#handle;
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const handle = await open(this.path, openFlags, 0o600);
    const { ino, size } = await handle.stat();
    if (size === 0) await syncFolder(this.path);
    this.#handle = handle;
    this.#inode = ino;
    this.#seenBytes = size;
    await before?.close();
  }
}

/** The entries of a journal file in their order; of another node, for instance. Lines that were cut short are passed over. */
export async function* readEntries(path: string): AsyncGenerator<JournalEntry> {
  const file = await open(path, 'r');
  try {
    for await (const { text } of linesOf(file)) {
      const line = parseLine(text);
      if (line !== undefined && 'entry' in line) yield line.entry;
    }
  } finally {
    await file.close();
  }
}

/** All marks of a journal file that begin an epoch or end the file: the epochs it has seen. */
export async function readEpochs(path: string): Promise<{ last: JournalMark | undefined; epochs: number[] }> {
  const epochs = new Set<number>();
  let last: JournalMark | undefined;
  const file = await open(path, 'r');
  try {
    for await (const { text } of linesOf(file)) {
      const line = parseLine(text);
      if (line === undefined || !('mark' in line)) continue;
      epochs.add(line.mark.epoch);
      last = later(last, line.mark);
    }
    return { last, epochs: [...epochs] };
  } finally {
    await file.close();
  }
}

// Two processes may write their marks in the other order; within an epoch positions only grow.
function later(before: JournalMark | undefined, mark: JournalMark): JournalMark {
  return before !== undefined && before.epoch === mark.epoch && before.position > mark.position ? before : mark;
}

/** Copies what matters after `now` of that many bytes: endings as they stand, what was merged once and last, then the mark. Returns how many bytes of the old file it read. */
async function copyWhatMatters(old: FileHandle, size: number, target: FileHandle, now: Seconds): Promise<number> {
  const merged = new Map<string, JournalEntry>();
  let mark: JournalMark | undefined;
  let waiting: string[] = [];
  let reached = 0;
  const write = async () => {
    if (waiting.length > 0) await writeAll(target, Buffer.from(`${waiting.join('\n')}\n`));
    waiting = [];
  };
  for await (const { text, end } of linesOf(old, size)) {
    const line = parseLine(text);
    reached = end;
    if (line === undefined) continue;
    if ('mark' in line) {
      // The mark that ends an epoch stays: it says where the next one came from.
      if (mark !== undefined && mark.epoch !== line.mark.epoch) waiting.push(formatLine({ mark }));
      mark = later(mark, line.mark);
    } else if (mergedKinds.includes(line.entry.kind)) {
      const key = `${line.entry.kind} ${line.entry.id}`;
      merged.set(key, mergeEntries(merged.get(key), line.entry));
    } else if (line.entry.until > now) waiting.push(formatLine({ entry: withoutEdges(line.entry, now) }));
    if (waiting.length >= 1000) await write();
  }
  for (const entry of merged.values()) if (entry.until > now) waiting.push(formatLine({ entry }));
  if (mark !== undefined) waiting.push(formatLine({ mark }));
  await write();
  return reached;
}

function withoutEdges(entry: JournalEntry, now: Seconds): JournalEntry {
  if (entry.edgesUntil === undefined || entry.edgesUntil > now) return entry;
  const { edgesUntil: _until, audiences: _audiences, ...rest } = entry;
  return rest;
}

/** The whole lines of a file, or of its first `size` bytes; `end`: where the next one begins. What follows the last line end is none yet. */
async function* linesOf(
  file: FileHandle,
  size = Number.POSITIVE_INFINITY,
): AsyncGenerator<{ text: string; end: number }> {
  let open = Buffer.alloc(0);
  let at = 0;
  for (;;) {
    const wanted = Math.min(chunkBytes, size - at - open.length);
    if (wanted === 0) return;
    const chunk = Buffer.alloc(wanted);
    const { bytesRead } = await file.read(chunk, 0, wanted, at + open.length);
    if (bytesRead === 0) return;
    let bytes = Buffer.concat([open, chunk.subarray(0, bytesRead)]);
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      at += end + 1;
      yield { text: bytes.toString('utf8', 0, end), end: at };
      bytes = bytes.subarray(end + 1);
    }
    open = bytes;
  }
}

async function lastMark(file: FileHandle, size: number): Promise<JournalMark | undefined> {
  for (let window = 4096; ; window *= 16) {
    const from = Math.max(0, size - window);
    const bytes = Buffer.alloc(size - from);
    await file.read(bytes, 0, bytes.length, from);
    const lines = bytes.toString('utf8').split('\n');
    // The first may have begun before the window.
    if (from > 0) lines.shift();
    let mark: JournalMark | undefined;
    for (const text of lines) {
      const line = parseLine(text);
      if (line !== undefined && 'mark' in line) mark = later(mark, line.mark);
    }
    if (mark !== undefined || from === 0) return mark;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  const { bytesWritten } = await file.write(bytes);
  // A disk that is full takes part of it; what was cut short is passed over by readers.
  if (bytesWritten !== bytes.length)
    throw new Error(`expected to write ${bytes.length} bytes, ${bytesWritten} were taken; is the disk full?`);
}

async function takeLock(lock: string): Promise<boolean> {
  const held = await stat(lock).catch(() => undefined);
  if (held !== undefined && Date.now() - held.mtimeMs > lockIsStaleAfterMs) await rm(lock, { force: true });
  try {
    await (await open(lock, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  // Without it a new name may be lost with the power. Windows cannot open folders.
  const folder = await open(dirname(path), 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
