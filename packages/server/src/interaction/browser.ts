import { hash } from 'node:crypto';
import type { Context } from '../context.ts';
import { readCookies } from '../http/cookies.ts';
import { type Input, originOf } from '../http/message.ts';
import { randomSecret, timeOrderedId } from '../secrets/random.ts';
import { sameText, seal, unseal } from '../secrets/sealed.ts';
import { endingNow } from '../sessions/ending.ts';
import { type Authentication, isSessionLive, signedIn, touchSession } from '../sessions/session.ts';
import type { SessionRecord, UserRecord } from '../store/records.ts';
import { type Change, StoreUnavailable } from '../store/store.ts';

/** What a browser's cookies say: its session if that is alive (its cookie may have lapsed all the same), and its own id. */
export type Browser = { id: string | undefined; session: SessionRecord | undefined; user: UserRecord | undefined };

const sessionCookie = 'tessera_session';
const browserCookie = 'tessera_browser';
const knownCookie = 'tessera_known';
const knownFor = 365 * 86_400;

/** Who signed in from this browser before, newest first. */
type KnownBrowser = { id: string; userIds: string[] };

/** Reads a browser's cookies. */
export async function readBrowser(context: Context, input: Input): Promise<Browser> {
  const cookies = readCookies(input.headers.cookie);
  const secret = cookies[context.cookies.name(sessionCookie)];
  const id = cookies[context.cookies.name(browserCookie)];
  const found =
    secret === undefined ? undefined : await context.store.getSignIn({ cookieDigest: digestCookie(secret) });
  const isLive = found?.session !== undefined && isSessionLive(found.session, context.now());
  return {
    id: id !== undefined && /^[A-Za-z0-9_-]{22}$/.test(id) ? id : undefined,
    session: isLive ? found.session : undefined,
    user: isLive ? found.user : undefined,
  };
}

/** The browser's id, and the cookie that gives it one where it has none: forms are tied to it. */
export function ensureBrowserId(context: Context, browser: Browser): { id: string; cookies: string[] } {
  if (browser.id !== undefined) return { id: browser.id, cookies: [] };
  const id = Buffer.from(context.random(16)).toString('base64url');
  return { id, cookies: [context.cookies.write(browserCookie, id, undefined)] };
}

/**
 * The anti-forgery token of a browser's forms. `userId`: whose page the form is on, where it speaks of one account. Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet,
 * signed double submit.
 */
export function formToken(context: Context, browserId: string, userId: string | undefined, keyId?: string): string {
  return context.rootKeys.authenticate('form', userId === undefined ? browserId : `${browserId} ${userId}`, keyId);
}

/** True when a form post comes from one of our own pages in this very browser: it carries the token that such a form was given and, where browsers tell, our own origin. */
export function isOwnForm(
  context: Context,
  input: Input,
  { id }: Browser,
  userId: string | undefined,
  token: string | undefined,
): boolean {
  if (!isFromOwnOrigin(context, input)) return false;
  if (id === undefined || token === undefined) return false;
  return context.rootKeys.acceptedIds.some((keyId) => sameText(token, formToken(context, id, userId, keyId)));
}

/** False when the browser tells that a form post came from another origin than ours; those that tell nothing pass. */
export function isFromOwnOrigin(context: Context, input: Input): boolean {
  const { origin, 'sec-fetch-site': site } = input.headers;
  if (origin !== undefined && origin !== new URL(context.config.issuer).origin) return false;
  return site === undefined || site === 'same-origin' || site === 'none';
}

/** Finds this browser's own failure count for an account it signed in to before. */
export function knownBrowserOf(context: Context, input: Input): (userId: string) => string | undefined {
  const known = readKnown(context, input);
  return (userId) => (known?.userIds.includes(userId) ? known.id : undefined);
}

/**
 * Signs a user in, in this browser: the session of the same user is renewed, one of another user ends. The cookie gets a fresh secret either way, so a planted one is worth nothing
 * (session fixation). `authenticated`: the user as read before the password was checked. Undefined when the user was removed, disabled or given another password since: what ended all
 * their sessions must not miss this one. Source: OWASP Session Management Cheat Sheet.
 */
export async function signIn(
  context: Context,
  input: Input,
  authenticated: UserRecord,
  how: Authentication & { remembered: boolean },
): Promise<{ sid: string; cookies: string[] } | undefined> {
  let user = authenticated;
  const known = readKnown(context, input);
  const knownNow: KnownBrowser = {
    id: known?.id ?? Buffer.from(context.random(12)).toString('base64url'),
    userIds: [user.userId, ...(known?.userIds ?? []).filter((id) => id !== user.userId)].slice(0, 8),
  };
  for (let tries = 0; tries < 4; tries++) {
    const { session } = await readBrowser(context, input);
    const secret = randomSecret(context.random);
    const fields = signedIn(
      context.config,
      { ...how, cookieDigest: digestCookie(secret), origin: originOf(input) },
      context.now(),
    );
    const sid = await commitSignIn(context, user, session, fields);
    if (sid === undefined) {
      const now = await asAuthenticated(context, authenticated);
      if (now === undefined) return undefined;
      user = now;
      continue;
    }
    const maxAge = how.remembered ? context.config.lifetimes.session : undefined;
    return {
      sid,
      cookies: [
        context.cookies.write(sessionCookie, secret, maxAge),
        context.cookies.write(knownCookie, seal(context.rootKeys, 'known-browser', knownNow, context.random), knownFor),
      ],
    };
  }
  throw new StoreUnavailable('the session of this browser, or its user, changed with each reading');
}

/** The user as they are now, if what they proved is still worth as much. */
async function asAuthenticated(context: Context, before: UserRecord): Promise<UserRecord | undefined> {
  const user = await context.store.get('user', before.userId);
  return user && !user.disabled && user.passwordHash === before.passwordHash ? user : undefined;
}

/** Moves the time until which the session's cookie skips the sign-in page, where it moves far enough; the answer does not wait for it. */
export function touch(context: Context, session: SessionRecord): void {
  const touched = touchSession(session, context.now());
  if (!touched) return;
  context.store
    .commit([{ change: 'touch-session', sid: session.sid, ...touched }])
    .catch((error: unknown) => context.log.warn({ error: String(error) }, 'a session could not be touched'));
}

/** The cookie that removes the session's. */
export function forgetSessionCookie(context: Context): string {
  return context.cookies.write(sessionCookie, '', 0);
}

async function commitSignIn(
  context: Context,
  user: UserRecord,
  session: SessionRecord | undefined,
  fields: ReturnType<typeof signedIn>,
): Promise<string | undefined> {
  const isRenewal = session?.userId === user.userId;
  const sid = isRenewal ? session.sid : timeOrderedId(context.nowMs(), context.random);
  const changes: Change[] = [{ change: 'check', kind: 'user', id: user.userId, expect: user.version }];
  if (session && !isRenewal)
    changes.push({
      change: 'end-sessions',
      where: { sid: session.sid },
      offline: false,
      ending: await endingNow(context, 'replaced', { kind: 'user', userId: session.userId }),
    });
  if (isRenewal) changes.push({ change: 'renew-session', sid, expect: session.version, renewed: fields });
  else {
    const born = {
      sid,
      version: 0,
      userId: user.userId,
      createdAt: fields.authTime,
      endedAt: null,
      endReason: null,
      ...fields,
    };
    changes.push({ change: 'create-session', session: born });
  }
  const result = await context.store.commit(changes, [
    {
      type: isRenewal ? 'session.renewed' : 'session.started',
      at: fields.authTime,
      actor: { kind: 'user', userId: user.userId },
      userId: user.userId,
      sid,
      data: { origin: fields.origin, amr: fields.amr },
    },
  ]);
  return result.outcome === 'committed' ? sid : undefined;
}

function readKnown(context: Context, input: Input): KnownBrowser | undefined {
  const text = readCookies(input.headers.cookie)[context.cookies.name(knownCookie)];
  return text === undefined ? undefined : (unseal(context.rootKeys, 'known-browser', text) as KnownBrowser | undefined);
}

function digestCookie(secret: string): string {
  return hash('sha256', secret, 'base64url');
}
