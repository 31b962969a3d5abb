import type { Seconds } from '@tessera/protocol';
import type { EndReason } from '../records.ts';

/** What a line of the journal says has ended, or has been changed in a way that a restore should not quietly undo. */
export type JournalKind =
  | 'session'
  | 'grant'
  | 'token'
  | 'client-epoch'
  | 'issuer-epoch'
  | 'key'
  | 'consent'
  /** A user or client that was disabled, enabled or removed, and what else of it was changed. */
  | 'user'
  | 'client'
  | 'resource-server';

/**
 * One ending as the journal holds it: ids, times and reasons, never a secret, a token or a name. `id` is the `sid`, `grant_id`, `jti`, `kid`, user id or client id;
 * empty for the issuer.
 */
export type JournalEntry = {
  kind: JournalKind;
  id: string;
  /** Where the store's event log tells of it. */
  position: number;
  at: Seconds;
  /** Until when it matters: by then it would have ended by itself, or no backup is that old. */
  until: Seconds;
  reason?: EndReason;
  userId?: string;
  sid?: string;
  clientId?: string;
  /** The epoch a client or the issuer was raised to. */
  epoch?: number;
  /** Users and clients: how it was left. */
  state?: 'enabled' | 'disabled' | 'removed';
  /** Users, clients and resource servers: the names of what was changed. */
  changed?: string[];
  /** Until when edges must hear of it, and whose; null: all of them. */
  edgesUntil?: Seconds;
  audiences?: string[] | null;
};

/** How far the journal reaches: it holds every ending up to that position of that epoch of the store. */
export type JournalMark = { epoch: number; position: number };

/** A line of the journal. */
export type JournalLine = { entry: JournalEntry } | { mark: JournalMark };

/** A line as it is written, without its end. */
export function formatLine(line: JournalLine): string {
  return JSON.stringify('entry' in line ? line.entry : line.mark);
}

/** Reads a line; undefined for what is none, such as one that was cut short when its process was killed. */
export function parseLine(text: string): JournalLine | undefined {
  // A line that was cut short lacks its closing brace, or is no JSON.
  if (!text.startsWith('{') || !text.endsWith('}')) return undefined;
  try {
    const value = JSON.parse(text) as Partial<JournalEntry & JournalMark>;
    if (typeof value.position !== 'number') return undefined;
    if (typeof value.kind === 'string' && typeof value.id === 'string') return { entry: value as JournalEntry };
    if (typeof value.epoch === 'number') return { mark: { epoch: value.epoch, position: value.position } };
  } catch {
    // Counted by whoever reads.
  }
  return undefined;
}

/** What two entries of the same thing come to, the later one second: the state it was left in, and all that was changed of it. */
export function mergeEntries(earlier: JournalEntry | undefined, later: JournalEntry): JournalEntry {
  if (earlier === undefined) return later;
  const merged: JournalEntry = { ...earlier, ...later, until: Math.max(earlier.until, later.until) };
  if (earlier.epoch !== undefined && later.epoch !== undefined) merged.epoch = Math.max(earlier.epoch, later.epoch);
  if (earlier.changed !== undefined) merged.changed = [...new Set([...earlier.changed, ...(later.changed ?? [])])];
  return merged;
}

/** Entries of these kinds replace or add to earlier ones of the same id; the others stand once. */
export const mergedKinds: readonly JournalKind[] = [
  'client-epoch',
  'issuer-epoch',
  'user',
  'client',
  'resource-server',
];
