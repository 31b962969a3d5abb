import type { SharedTask } from './batch.ts';
import type { EndOneGrant, SharedChange } from './changes.ts';
import { type Creation, creationOf } from './creations.ts';
import { endingOf } from './endings-together.ts';
import { type Rotation, rotationOf } from './rotations.ts';

/** Commits of a batch, those together that one statement can write. `rotations`, `creations`, `endings`: what is all of each; nothing of it is about the same grant or key as any other commit of the batch. */
export type Alike<T> = {
  rotations: { waiting: T; rotation: Rotation }[];
  creations: { waiting: T; creation: Creation }[];
  endings: { waiting: T; ending: EndOneGrant }[];
  others: T[];
};

/**
 * Takes commits that wait together apart by what they do. Those about the same grant or key stay together, in their order: they are decided one after the other.
 */
export function takeApart<T extends { task: SharedTask }>(batch: readonly T[]): Alike<T> {
  const alike: Alike<T> = { rotations: [], creations: [], endings: [], others: [] };
  const named = new Map<string, number>();
  for (const { task } of batch) for (const name of namesOf(task)) named.set(name, (named.get(name) ?? 0) + 1);
  for (const waiting of batch) {
    const { task } = waiting;
    const isAlone = [...namesOf(task)].every((name) => named.get(name) === 1);
    const rotation = isAlone ? rotationOf(task) : undefined;
    const creation = isAlone ? creationOf(task) : undefined;
    const ending = isAlone ? endingOf(task) : undefined;
    if (rotation) alike.rotations.push({ waiting, rotation });
    else if (creation) alike.creations.push({ waiting, creation });
    else if (ending) alike.endings.push({ waiting, ending });
    else alike.others.push(waiting);
  }
  return alike;
}

/** What of the grants and keys a commit is about, each once. */
function namesOf({ changes }: SharedTask): Set<string> {
  const names = new Set<string>();
  for (const change of changes) {
    const name = nameOf(change);
    if (name !== undefined) names.add(name);
  }
  return names;
}

function nameOf(change: SharedChange): string | undefined {
  if (change.change === 'create-grant') return `grant ${change.grant.grantId}`;
  if (change.change === 'end-grants') return `grant ${change.where.grantId}`;
  if (change.change === 'remember') return `key ${change.key}`;
  return 'grantId' in change ? `grant ${change.grantId}` : undefined;
}
