import { createHash } from 'node:crypto';
import type { BucketRecord, GrantRecord, SessionRecord } from '../records.ts';
import type { EventRecord } from '../store.ts';

/** What a store consists of, one piece at a time. `no`: the order in which sessions and grants were made. */
export type MovedRows = {
  documents: { kind: string; id: string; version: number; body: string };
  user_names: { name: string; userId: string; username: string };
  audiences: { audience: string; resourceServerId: string };
  sessions: { no: number; session: SessionRecord };
  grants: { no: number; grant: GrantRecord };
  events: EventRecord;
  remembered: { key: string; until: number; usedFrom: string | null };
  buckets: BucketRecord;
};

export type MovedKind = keyof MovedRows;

/** All kinds, in the order in which they are moved. */
export const movedKinds = [
  'documents',
  'user_names',
  'audiences',
  'sessions',
  'grants',
  'events',
  'remembered',
  'buckets',
] as const satisfies readonly MovedKind[];

/** One page of a kind. `after`: what the next page takes; undefined when there is none. */
export type MovedPage<K extends MovedKind> = { rows: MovedRows[K][]; after: string | undefined };

/** A store that can be read piece by piece while nobody writes to it. */
export type MoveSource = {
  page<K extends MovedKind>(kind: K, after: string | undefined, limit: number): Promise<MovedPage<K>>;
};

/** How many rows of a kind there are, and a digest of them all. */
export type Tally = { count: number; checksum: string };

const pageRows = 1000;
const modulus = 2n ** 256n;

/** Counts the rows of a kind and sums their digests, each over its canonical JSON: the same rows come to the same, in whatever order an engine keeps them. */
export async function tallyOf(
  source: MoveSource,
  kind: MovedKind,
  onProgress: (count: number) => void = () => undefined,
): Promise<Tally> {
  let count = 0;
  let sum = 0n;
  let after: string | undefined;
  do {
    const page = await source.page(kind, after, pageRows);
    for (const row of page.rows) {
      sum =
        (sum +
          BigInt(
            `0x${createHash('sha256')
              .update(canonicalJson(contentOf(kind, row)))
              .digest('hex')}`,
          )) %
        modulus;
      count += 1;
    }
    onProgress(count);
    after = page.after;
  } while (after !== undefined);
  return { count, checksum: sum.toString(16).padStart(64, '0') };
}

// The body of a document is text that both engines keep as it is; its order of keys is no part of it.
function contentOf(kind: MovedKind, row: MovedRows[MovedKind]): unknown {
  return kind === 'documents' ? { ...row, body: JSON.parse((row as MovedRows['documents']).body) } : row;
}

/** JSON with the keys of every object in order: the same for the same content. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}
