import type { SessionRecord, UserRecord } from './records.ts';
import type { SignInAsked } from './store.ts';

/** A session as it was read, and its user. `key`: how the engine finds it again. */
export type SignInAtHand<Key> = { key: Key; session: SessionRecord; user: UserRecord | undefined };

/** How many are kept at hand: some 15 MiB. */
const mostSignIns = 8192;

/**
 * Sessions that were read lately, with their users, whose next reading needs only what tells whether they are still that: the versions of both, and what a touch changes, which raises no
 * version. None of these is answered from here.
 */
export class SignInsAtHand<Key> {
  readonly #bySid = new Map<string, SignInAtHand<Key>>();
  readonly #byCookie = new Map<string, SignInAtHand<Key>>();

  find(asked: SignInAsked): SignInAtHand<Key> | undefined {
    return 'sid' in asked ? this.#bySid.get(asked.sid) : this.#byCookie.get(asked.cookieDigest);
  }

  keep(read: SignInAtHand<Key>): void {
    const { sid, cookieDigest } = read.session;
    this.#forget(sid);
    if (this.#bySid.size >= mostSignIns) this.#forget(this.#bySid.keys().next().value as string);
    this.#bySid.set(sid, read);
    this.#byCookie.set(cookieDigest, read);
  }

  #forget(sid: string): void {
    const known = this.#bySid.get(sid);
    if (!known) return;
    this.#bySid.delete(sid);
    this.#byCookie.delete(known.session.cookieDigest);
  }
}

/** The session with what a touch changes as it is now. */
export function touched(session: SessionRecord, lastSeenAt: number, ssoUntil: number): SessionRecord {
  return session.lastSeenAt === lastSeenAt && session.ssoUntil === ssoUntil
    ? session
    : { ...session, lastSeenAt, ssoUntil };
}
