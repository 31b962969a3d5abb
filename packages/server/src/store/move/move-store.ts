import type { MoveProgress, MoveTarget } from '../postgres/move-in.ts';
import type { StorePosition } from '../store.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { type MovedKind, type MoveSource, movedKinds, type Tally, tallyOf } from './moved-rows.ts';

/** Moves a store. `onSourceDone` is called when the target holds all of it, verified, and before servers may use the target: from then on the source must not be used. */
export type MoveOrder = {
  source: MoveSource & { at: StorePosition };
  target: MoveTarget;
  onSourceDone(): void;
  onProgress?: (line: string) => void;
};

/** What was moved: how many rows of each kind, with the digest both sides agree on. */
export type Moved = { tallies: Record<MovedKind, Tally>; wasMovedBefore: boolean };

// One transaction: small enough to take well under a second, with its place in the same one.
const pieceRows = 1000;

/**
 * Copies a store piece by piece, then reads both sides and compares. Cut short at any moment, it goes on behind the last piece that was written. Throws `StoreNotUsable` when the two sides differ; then
 * nothing has changed at the source.
 */
export async function moveStore({
  source,
  target,
  onSourceDone,
  onProgress = () => undefined,
}: MoveOrder): Promise<Moved> {
  const progress = await target.begin(source.at);
  if (progress.state === 'done') {
    onSourceDone();
    return { tallies: progress.tallies as Record<MovedKind, Tally>, wasMovedBefore: true };
  }
  for (const kind of movedKinds) await copyKind(kind, source, target, progress, onProgress);
  const tallies = await compare(source, target, onProgress);
  // In this order: two stores that servers take for one would be worse than none for a moment.
  onSourceDone();
  await target.finish({ ...progress, tallies });
  return { tallies, wasMovedBefore: false };
}

async function copyKind<K extends MovedKind>(
  kind: K,
  source: MoveSource,
  target: MoveTarget,
  progress: MoveProgress,
  onProgress: (line: string) => void,
): Promise<void> {
  let count = 0;
  for (let after = progress.after[kind]; after !== null; ) {
    const page = await source.page(kind, after, pieceRows);
    after = page.after ?? null;
    progress.after[kind] = after;
    await target.write(kind, page.rows, progress);
    count += page.rows.length;
    onProgress(`${words(kind)}: ${count} moved`);
  }
}

async function compare(
  source: MoveSource,
  target: MoveSource,
  onProgress: (line: string) => void,
): Promise<Record<MovedKind, Tally>> {
  const tallies: Partial<Record<MovedKind, Tally>> = {};
  for (const kind of movedKinds) {
    const [here, there] = await Promise.all([
      tallyOf(source, kind, (count) => onProgress(`${words(kind)}: ${count} compared`)),
      tallyOf(target, kind),
    ]);
    if (here.count !== there.count || here.checksum !== there.checksum)
      throw new StoreNotUsable(
        `${words(kind)} differ: ${here.count} here (${here.checksum.slice(0, 12)}), ${there.count} there (${there.checksum.slice(0, 12)}); the store here is unchanged. Empty the database and begin again`,
      );
    tallies[kind] = here;
  }
  return tallies as Record<MovedKind, Tally>;
}

/** A kind, in words. */
export function words(kind: MovedKind): string {
  return kind === 'user_names' ? 'names of users' : kind;
}
