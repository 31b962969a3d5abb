import type { UserRecord } from '../records.ts';
import { SignInsAtHand, touched } from '../sign-ins-at-hand.ts';
import type { SignIn, SignInAsked } from '../store.ts';
import { type Key, packKey } from './key.ts';
import { type SessionRow, toSession } from './rows.ts';
import type { Statements } from './statements.ts';

// By its number, without the index of sids; but a number may be given again when its session was swept.
const selectVersions = `
  SELECT version, last_seen_at, sso_until, (SELECT version FROM documents WHERE kind = 'user' AND id = ?3)
  FROM sessions WHERE session_no = ?1 AND sid = ?2`;
const selectBySid = 'SELECT * FROM sessions WHERE sid = ?';
const selectByCookie = 'SELECT * FROM sessions WHERE cookie_digest = ?';
const selectUser = "SELECT body FROM documents WHERE kind = 'user' AND id = ?";

type VersionColumns = [version: number, lastSeenAt: number, ssoUntil: number, userVersion: number | null];

/** Reads sessions with their users. */
export class SignInReader {
  readonly #statements: Statements;
  readonly #atHand = new SignInsAtHand<{ number: number; sid: Key }>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Answers all who asked in one turn of the loop, in one reading of the file: its locks are taken once. */
  async getSignIns(batch: readonly SignInAsked[]): Promise<SignIn[]> {
    return this.#statements.inOneReading(() => batch.map((asked) => this.#signInOf(asked)));
  }

  #signInOf(asked: SignInAsked): SignIn {
    const known = this.#atHand.find(asked);
    if (!known) return this.#read(asked);
    const { key, session, user } = known;
    const columns = this.#statements.oneArray<VersionColumns>(selectVersions, key.number, key.sid, session.userId);
    if (columns?.[0] !== session.version) return this.#read(asked);
    known.session = touched(session, columns[1], columns[2]);
    if (columns[3] !== (user?.version ?? null)) known.user = this.#readUser(session.userId);
    return { session: known.session, user: known.user };
  }

  #read(asked: SignInAsked): SignIn {
    const row =
      'sid' in asked
        ? this.#statements.one<SessionRow>(selectBySid, packKey(asked.sid))
        : this.#statements.one<SessionRow>(selectByCookie, packKey(asked.cookieDigest));
    if (!row) return { session: undefined, user: undefined };
    const session = toSession(row);
    const user = this.#readUser(session.userId);
    this.#atHand.keep({ key: { number: row.session_no, sid: row.sid }, session, user });
    return { session, user };
  }

  #readUser(userId: string): UserRecord | undefined {
    const row = this.#statements.one<{ body: string }>(selectUser, userId);
    return row && (JSON.parse(row.body) as UserRecord);
  }
}
