import type { SessionRecord, UserRecord } from './records.ts';
import type { SignInAsked } from './store.ts';
import { UsedLately } from './used-lately.ts';

/** A session as it was read, and its user. `key`: how the engine finds it again. */
export type SignInAtHand<Key> = { key: Key; session: SessionRecord; user: UserRecord | undefined };

/** How many are kept at hand, at least: some 8 MiB, twice that at most. */
const mostSignIns = 4096;

/**
 * Sessions that were read lately, with their users, whose next reading needs only what tells whether they are still that: the versions of both, and what a touch changes, which raises no
 * version. None of these is answered from here. A cookie that was replaced still finds its session, in another version.
 */
export class SignInsAtHand<Key> {
  readonly #bySid = new UsedLately<SignInAtHand<Key>>(mostSignIns);
  readonly #byCookie = new UsedLately<SignInAtHand<Key>>(mostSignIns);

  find(asked: SignInAsked): SignInAtHand<Key> | undefined {
    return 'sid' in asked ? this.#bySid.get(asked.sid) : this.#byCookie.get(asked.cookieDigest);
  }

  keep(read: SignInAtHand<Key>): void {
    this.#bySid.set(read.session.sid, read);
    this.#byCookie.set(read.session.cookieDigest, read);
  }
}

/** The session with what a touch changes as it is now. */
export function touched(session: SessionRecord, lastSeenAt: number, ssoUntil: number): SessionRecord {
  return session.lastSeenAt === lastSeenAt && session.ssoUntil === ssoUntil
    ? session
    : { ...session, lastSeenAt, ssoUntil };
}
