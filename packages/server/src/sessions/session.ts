import type { Seconds } from '@tessera/protocol';
import type { Config } from '../config/config.ts';
import type { Origin, SessionRecord } from '../store/records.ts';

/** How somebody just proved who they are. Source: RFC 8176 for `amr`, OpenID Connect Core 1.0 section 2 for `acr`. */
export type Authentication = { amr: string[]; acr: string };

/** True while the session has neither ended nor reached its absolute limit. Its cookie may have lapsed all the same. Pure. */
export function isSessionLive(session: SessionRecord, now: Seconds): boolean {
  return session.endedAt === null && now < session.endsAt;
}

/** True while the session's cookie skips the sign-in page. Pure. */
export function skipsSignIn(session: SessionRecord, now: Seconds): boolean {
  return isSessionLive(session, now) && now < session.ssoUntil;
}

/** The fields a sign-in sets, in a new session and in a renewed one. `remembered`: "keep me signed in" was chosen. */
export function signedIn(
  config: Pick<Config, 'lifetimes'>,
  how: Authentication & { cookieDigest: string; origin: Origin; remembered: boolean },
  now: Seconds,
) {
  const ssoIdle = how.remembered ? config.lifetimes.ssoRemembered : config.lifetimes.sso;
  const endsAt = now + config.lifetimes.session;
  return {
    cookieDigest: how.cookieDigest,
    authTime: now,
    amr: how.amr,
    acr: how.acr,
    origin: how.origin,
    lastSeenAt: now,
    ssoIdle,
    ssoUntil: Math.min(now + ssoIdle, endsAt),
    endsAt,
  };
}

/**
 * What a use of the session's cookie now should write, or undefined while its times would move by no more than a twentieth of the limit. Pure.
 */
export function touchSession(
  session: SessionRecord,
  now: Seconds,
): { lastSeenAt: Seconds; ssoUntil: Seconds } | undefined {
  const ssoUntil = Math.min(now + session.ssoIdle, session.endsAt);
  return ssoUntil - session.ssoUntil > Math.floor(session.ssoIdle / 20) ? { lastSeenAt: now, ssoUntil } : undefined;
}
