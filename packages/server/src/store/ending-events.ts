import type { Seconds } from '@tessera/protocol';
import type { Appended, Ending, NewEvent, StorePosition } from './store.ts';

/** A grant that just ended, as far as its event tells of it. */
export type EndedGrant = {
  grantId: string;
  sid: string;
  userId: string;
  clientId: string;
  resources: readonly string[];
  /** When it would have ended by itself, however much it was used. */
  endsAt: Seconds;
};

// How many grants an event names: enough for edges to drop them one by one, few enough for one row.
const namedGrants = 100;

/** The event that a session's ending implies; `grants`: those that ended with it. */
export function sessionEnded(
  session: { sid: string; userId: string; endsAt: Seconds },
  grants: readonly Pick<EndedGrant, 'grantId' | 'resources'>[],
  ending: Ending,
): NewEvent {
  return {
    type: 'session.ended',
    at: ending.at,
    actor: ending.actor,
    userId: session.userId,
    sid: session.sid,
    data: {
      ...ending.data,
      reason: ending.reason,
      grants: grants.slice(0, namedGrants).map(({ grantId }) => grantId),
      grantCount: grants.length,
      endsAt: session.endsAt,
    },
    audiences: audiencesOf(grants),
    until: ending.until,
  };
}

/** The event that a grant's ending by itself implies. */
export function grantEnded(grant: EndedGrant, ending: Ending): NewEvent {
  const { grantId, sid, userId, clientId } = grant;
  return {
    type: 'grant.ended',
    at: ending.at,
    actor: ending.actor,
    userId,
    sid,
    grantId,
    clientId,
    data: { ...ending.data, reason: ending.reason, endsAt: grant.endsAt },
    audiences: audiencesOf([grant]),
    until: ending.until,
  };
}

/** What a commit came to that ended these grants and did nothing else; the log tells of them from `position` on. */
export function grantsEndedAt(
  grants: readonly EndedGrant[],
  ending: Ending,
  at: StorePosition,
): { ended: { sids: string[]; grantIds: string[] }; appended: Appended } {
  const events = grants.map((grant) => grantEnded(grant, ending));
  return { ended: { sids: [], grantIds: grants.map(({ grantId }) => grantId) }, appended: appendedAt(events, at) };
}

/** Events that were appended one after the other, the first of them at `position`. */
export function appendedAt(events: readonly NewEvent[], { epoch, position }: StorePosition): Appended {
  return { epoch, events: events.map((event, index) => ({ ...event, position: position + index })) };
}

// A grant that names no resources may have tokens for audiences we cannot tell: then everybody hears of its end.
function audiencesOf(grants: readonly Pick<EndedGrant, 'resources'>[]): string[] | null {
  const audiences = new Set<string>();
  for (const { resources } of grants) {
    if (resources.length === 0) return null;
    for (const resource of resources) audiences.add(resource);
  }
  return [...audiences].sort();
}
