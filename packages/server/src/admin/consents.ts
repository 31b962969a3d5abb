import type { Actor } from '../events/event-types.ts';
import { endingNow } from '../sessions/ending.ts';
import type { ConsentRecord } from '../store/records.ts';
import type { Page } from '../store/store.ts';
import { type AdminContext, commitOperation, done, type Outcome, type PageInput, pageOf, refuse } from './operation.ts';
import { type Ended, unknownUser } from './users.ts';

/** What a user allowed which applications. */
export async function listConsents(
  context: AdminContext,
  input: PageInput & { userId: string },
): Promise<Outcome<Page<ConsentRecord>>> {
  if (!(await context.store.get('user', input.userId))) return unknownUser(input.userId);
  return done(await context.store.list('consent', { ...pageOf(input), prefix: `${input.userId}/` }));
}

/** Withdraws what a user allowed an application: its grants for this user end, no others. The next sign-in asks again. */
export async function withdrawConsent(
  context: AdminContext,
  actor: Actor,
  { userId, clientId }: { userId: string; clientId: string },
): Promise<Outcome<Ended>> {
  return commitOperation(context, async () => {
    const consent = await context.store.get('consent', `${userId}/${clientId}`);
    if (consent?.userId !== userId || consent.clientId !== clientId)
      return refuse('not_found', `user "${userId}" has allowed client "${clientId}" nothing`);
    const ending = await endingNow(context, 'consent_withdrawn', actor);
    return {
      kind: 'write',
      changes: [
        { change: 'remove', kind: 'consent', id: consent.consentId, expect: consent.version },
        { change: 'end-grants', where: { userId, clientId }, ending },
      ],
      events: [{ type: 'consent.withdrawn', at: ending.at, actor, userId, clientId, data: { scopes: consent.scopes } }],
      value: ({ ended }) => ({ sessions: ended.sids.length, grants: ended.grantIds.length }),
    };
  });
}
