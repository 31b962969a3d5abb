import type { DatabaseSync } from 'node:sqlite';
import type { EndedGrant } from '../ending-events.ts';
import type { Change, NewEvent } from '../store.ts';
import { prepareDocumentChanges } from './document-changes.ts';
import { prepareEndings } from './endings.ts';
import { prepareGrantChanges } from './grant-changes.ts';
import { prepareSessionChanges } from './session-changes.ts';
import { prepareThrottleChanges } from './throttle-changes.ts';

/** What the changes of one commit brought about besides their own rows: what ending changes ended, and the events that tell of it. `grants`: those that ended by themselves. */
export type Effects = { events: NewEvent[]; sids: string[]; grantIds: string[]; grants: EndedGrant[] };

/** One change of one kind, for the function that writes it. */
export type ChangeOf<K extends Change['change']> = Extract<Change, { change: K }>;

/**
 * Prepares every statement that changes need. The returned function writes one change inside the open transaction and answers whether
 * its expectation held; if not, it may have written part of it, and the caller undoes the commit.
 */
export function prepareChanges(db: DatabaseSync): (change: Change, effects: Effects) => boolean {
  const documents = prepareDocumentChanges(db);
  const sessions = prepareSessionChanges(db);
  const grants = prepareGrantChanges(db);
  const endings = prepareEndings(db);
  const throttle = prepareThrottleChanges(db);
  return (change, effects) => {
    switch (change.change) {
      case 'rotate-grant':
        return grants.rotate(change);
      case 'touch-grant':
        return grants.touch(change);
      case 'count-replay':
        return grants.countReplay(change);
      case 'create-grant':
        return grants.create(change);
      case 'create-session':
        return sessions.create(change);
      case 'renew-session':
        return sessions.renew(change);
      case 'touch-session':
        return sessions.touch(change);
      case 'end-sessions':
        return endings.endSessions(change, effects);
      case 'end-grants':
        return endings.endGrants(change, effects);
      case 'put':
        return documents.put(change);
      case 'remove':
        return documents.remove(change);
      case 'check':
        return documents.check(change);
      case 'remember':
        return throttle.remember(change);
      case 'fill-bucket':
        return throttle.fillBucket(change);
      case 'empty-bucket':
        return throttle.emptyBucket(change);
      default:
        return unknownChange(change);
    }
  };
}

function unknownChange(change: never): never {
  throw new TypeError(`change: expected a kind of change that store.ts lists, got ${JSON.stringify(change)}`);
}
