import type { Change, GrantProof, NewEvent } from '../store.ts';

/** What the changes of one commit brought about besides their own rows: what ending changes ended, and the events that tell of it. */
export type Effects = { events: NewEvent[]; sids: string[]; grantIds: string[] };

/** One change of one kind, for the function that writes it. */
export type ChangeOf<K extends Change['change']> = Extract<Change, { change: K }>;

/** The kinds of changes that many commits make together, see `rows-at-hand.ts`; the others are written by statements of their own. */
const shared = [
  'rotate-grant',
  'touch-grant',
  'count-replay',
  'create-grant',
  'check',
  'remember',
  'fill-bucket',
  'empty-bucket',
  'touch-session',
] as const satisfies Change['change'][];

/** The ending of one grant that is named; what other endings select is found by statements. */
export type EndOneGrant = ChangeOf<'end-grants'> & {
  where: { grantId: string; proof?: GrantProof };
};

/** A change that can be decided on rows at hand. */
export type SharedChange = ChangeOf<(typeof shared)[number]> | EndOneGrant;

/** Whether a change can be decided on rows at hand, together with those of other commits. */
export function isShared(change: Change): change is SharedChange {
  if (change.change === 'end-grants') return 'grantId' in change.where;
  return (shared as readonly string[]).includes(change.change);
}
