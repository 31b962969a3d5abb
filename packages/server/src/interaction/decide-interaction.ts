import type { Seconds } from '@tessera/protocol';
import type { AuthorizationRequest } from '../authorize/authorization-request.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import { skipsSignIn } from '../sessions/session.ts';
import type { ClientRecord, ConsentRecord, SessionRecord, UserRecord } from '../store/records.ts';

/** What the next step rests on. `session` and `user`: of the browser's cookie, if any. `scopes`: of those asked for, the ones this user may have. */
export type InteractionFacts = {
  request: AuthorizationRequest;
  client: ClientRecord;
  session: SessionRecord | undefined;
  user: UserRecord | undefined;
  consent: ConsentRecord | undefined;
  scopes: readonly string[];
};

/** What the user does next, or nothing: then a code is issued. */
export type Interaction =
  | { kind: 'sign-in'; reauthenticate: boolean }
  | { kind: 'choose-account' }
  | { kind: 'consent' }
  | { kind: 'issue'; session: SessionRecord; user: UserRecord }
  | Refusal;

/** How long, in seconds, a sign-in on the way answers `prompt=login` and `max_age`: time for the pages that follow it. */
const signInHolds: Seconds = 600;

/** Decides what the user does next. Pure. Source: OpenID Connect Core 1.0 sections 3.1.2.1 to 3.1.2.4 and 5.5.1.1. */
export function decideInteraction(
  { request, client, session, user, consent, scopes }: InteractionFacts,
  now: Seconds,
): Interaction {
  const facts = { clientId: client.clientId, ...(session && { sid: session.sid, userId: session.userId }) };
  const isSilent = request.prompt.includes('none');
  const isSignedIn = session !== undefined && user !== undefined && !user.disabled && skipsSignIn(session, now);
  if (!isSignedIn)
    return isSilent
      ? refuse('login_required', 'login_required', 'the user must sign in', { facts })
      : { kind: 'sign-in', reauthenticate: false };

  // Not for as long as the sealed request lives: going back in the browser's history must not skip prompt=login.
  const justSignedIn = request.signedInSid === session.sid && now - session.authTime <= signInHolds;
  // max_age=0 asks anew even within the second of the sign-in, as prompt=login does.
  const isTooOld = request.maxAge === 0 || (request.maxAge !== undefined && now - session.authTime > request.maxAge);
  if (!justSignedIn && (isTooOld || request.prompt.includes('login')))
    return isSilent
      ? refuse('login_required', 'login_required', 'the user signed in too long ago', { facts })
      : { kind: 'sign-in', reauthenticate: true };
  if (request.expectedSub !== undefined && request.expectedSub !== user.userId)
    return isSilent || justSignedIn
      ? refuse('login_required', 'user_mismatch', 'another user is signed in than the request asks for', { facts })
      : { kind: 'sign-in', reauthenticate: false };
  if (request.prompt.includes('select_account') && request.chosenSid !== session.sid && !justSignedIn)
    return { kind: 'choose-account' };
  if (request.essentialAcr && !request.essentialAcr.includes(session.acr))
    return refuse(
      'unmet_authentication_requirements',
      'authentication_level_unmet',
      'the acr asked for cannot be reached',
      {
        facts: { ...facts, expected: request.essentialAcr.join(' '), got: session.acr },
      },
    );

  if (
    (request.prompt.includes('consent') && request.consentedSid !== session.sid) ||
    isConsentMissing(client, consent, { scopes, resources: request.resources })
  )
    return isSilent
      ? refuse('consent_required', 'consent_required', 'the user must be asked', { facts })
      : { kind: 'consent' };
  return { kind: 'issue', session, user };
}

/** Whether the user must be asked before the client has these scopes at these resources. Pure. */
export function isConsentMissing(
  client: Pick<ClientRecord, 'consent'>,
  consent: Pick<ConsentRecord, 'scopes' | 'resources'> | undefined,
  { scopes, resources }: { scopes: readonly string[]; resources: readonly string[] },
): boolean {
  if (client.consent === 'skip') return false;
  const isCovered = scopes.every((scope) => consent?.scopes.includes(scope));
  return !consent || !isCovered || !resources.every((resource) => consent.resources.includes(resource));
}
