import type { Seconds } from '@tessera/protocol';
import type { Actor } from '../events/event-types.ts';
import { endingNow } from '../sessions/ending.ts';
import { isSessionLive } from '../sessions/session.ts';

import type { SessionRecord } from '../store/records.ts';
import type { EventRecord, Page, SessionFilter } from '../store/store.ts';
import { type Grant, viewGrants } from './grants.ts';
import {
  type AdminContext,
  commitOperation,
  done,
  given,
  type Outcome,
  type PageInput,
  pageOf,
  refuse,
} from './operation.ts';
import { type Ended, endAll, unknownUser } from './users.ts';

/** How many grants and events a session is shown with; the newest ones. */
const mostGrants = 200;
const mostEvents = 500;

/** A session as administrators see one. `state`: `expired` is past its absolute limit and about to be ended. */
export type Session = Omit<SessionRecord, 'cookieDigest'> & { state: 'live' | 'ended' | 'expired' };

/** A session with the grants under it and what happened to it, newest first. */
export type SessionStory = { session: Session; grants: Grant[]; events: EventRecord[] };

/** A session without what nobody may see. */
export function viewSession(record: SessionRecord, now: Seconds): Session {
  const { cookieDigest: _, ...rest } = record;
  const state = record.endedAt !== null ? 'ended' : isSessionLive(record, now) ? 'live' : 'expired';
  return { ...rest, state };
}

/** Sessions, newest first. */
export async function listSessions(
  context: AdminContext,
  input: PageInput & { [K in keyof Omit<SessionFilter, 'now'>]: SessionFilter[K] | undefined },
): Promise<Outcome<Page<Session>>> {
  const { after: _after, limit: _limit, ...filter } = input;
  const now = context.now();
  const { items, ...rest } = await context.store.listSessions({ ...given(filter), now }, pageOf(input));
  return done({ items: items.map((record) => viewSession(record, now)), ...rest });
}

/** One session: its sign-in, its grants and its story. */
export async function getSession(context: AdminContext, sid: string): Promise<Outcome<SessionStory>> {
  const record = await context.store.getSession(sid);
  if (!record) return unknownSession(sid);
  const now = context.now();
  const grants = await context.store.listGrants({ sid, now }, { limit: mostGrants });
  const events = await context.store.readEvents({ sid, newestFirst: true, limit: mostEvents });
  return done({ session: viewSession(record, now), grants: await viewGrants(context, grants.items), events });
}

/** Ends a session and everything that came from it, offline grants too. What has ended stays as it ended. */
export async function endSession(context: AdminContext, actor: Actor, sid: string): Promise<Outcome<Ended>> {
  return commitOperation(context, async () => {
    if (!(await context.store.getSession(sid))) return unknownSession(sid);
    const ending = await endingNow(context, 'admin', actor);
    return {
      kind: 'write',
      changes: [
        { change: 'end-sessions', where: { sid }, offline: true, ending },
        // Offline grants may live on under a session that ended before.
        { change: 'end-grants', where: { sid }, ending },
      ],
      events: [],
      value: ({ ended }) => ({ sessions: ended.sids.length, grants: ended.grantIds.length }),
    };
  });
}

/** Ends all sessions and grants of a user. */
export async function endSessionsOfUser(context: AdminContext, actor: Actor, userId: string): Promise<Outcome<Ended>> {
  return commitOperation(context, async () => {
    if (!(await context.store.get('user', userId))) return unknownUser(userId);
    return {
      kind: 'write',
      changes: [await endAll(context, actor, { userId }, 'admin')],
      events: [],
      value: ({ ended }) => ({ sessions: ended.sids.length, grants: ended.grantIds.length }),
    };
  });
}

function unknownSession(sid: string) {
  return refuse('not_found', `there is no session "${sid}"; ended ones are kept for a while only`);
}
