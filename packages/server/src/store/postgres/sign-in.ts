import { AskedTogether } from '../asked-together.ts';
import type { UserRecord } from '../records.ts';
import { type SignInAtHand, SignInsAtHand, touched } from '../sign-ins-at-hand.ts';
import type { SignIn, SignInAsked } from '../store.ts';
import { packKey, packText, textOfKey } from './key.ts';
import { type SessionRow, sessionColumns, toSession } from './rows.ts';
import type { Statements } from './statements.ts';

type WholeRow = SessionRow & { ordinal: number; body: string | null };
type Versions = [ordinal: number, version: number, lastSeenAt: number, ssoUntil: number, userVersion: number | null];

const selectVersions = `
  SELECT a.ordinal, s.version, s.last_seen_at, s.sso_until, d.version
  FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS a(sid, user_id, ordinal)
  JOIN sessions s ON s.sid = a.sid LEFT JOIN documents d ON d.kind = 'user' AND d.id = a.user_id`;
const selectWhole = (column: 'sid' | 'cookie_digest') => `
  SELECT a.ordinal, ${sessionColumns.replaceAll(/\w+/g, 's.$&')}, d.body
  FROM unnest($1::bytea[]) WITH ORDINALITY AS a(key, ordinal)
  JOIN sessions s ON s.${column} = a.key LEFT JOIN documents d ON d.kind = 'user' AND d.id = ${textOfKey('s.user_id')}`;
const selectBySid = selectWhole('sid');
const selectByCookie = selectWhole('cookie_digest');

/** Reads sessions with their users, of all who ask at the same time in one statement. */
export class SignInReader {
  readonly #statements: Statements;
  readonly #atHand = new SignInsAtHand<Buffer>();
  readonly #versions = new AskedTogether<SignInAtHand<Buffer>, Versions | undefined>((batch) =>
    this.#selectVersions(batch),
  );
  readonly #bySid = new AskedTogether<string, WholeRow | undefined>((sids) => this.#selectWhole(selectBySid, sids));
  readonly #byCookie = new AskedTogether<string, WholeRow | undefined>((digests) =>
    this.#selectWhole(selectByCookie, digests),
  );

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async getSignIn(asked: SignInAsked): Promise<SignIn> {
    const known = this.#atHand.find(asked);
    if (!known) return this.#read(asked);
    const [, version, lastSeenAt, ssoUntil, userVersion] = (await this.#versions.ask(known)) ?? [];
    const { session, user } = known;
    if (version !== session.version || userVersion !== (user?.version ?? null)) return this.#read(asked);
    return { session: touched(session, lastSeenAt as number, ssoUntil as number), user };
  }

  async #read(asked: SignInAsked): Promise<SignIn> {
    const row = await ('sid' in asked ? this.#bySid.ask(asked.sid) : this.#byCookie.ask(asked.cookieDigest));
    if (!row) return { session: undefined, user: undefined };
    const session = toSession(row);
    const user = row.body === null ? undefined : (JSON.parse(row.body) as UserRecord);
    this.#atHand.keep({ key: row.sid, session, user });
    return { session, user };
  }

  async #selectVersions(batch: readonly SignInAtHand<Buffer>[]): Promise<(Versions | undefined)[]> {
    const sids = batch.map(({ key }) => key);
    const userIds = batch.map(({ session }) => packText(session.userId));
    const inOrder: Versions[] = [];
    for (const row of await this.#statements.allArrays<Versions>(selectVersions, sids, userIds))
      inOrder[row[0] - 1] = row;
    return inOrder;
  }

  async #selectWhole(sql: string, keys: readonly string[]): Promise<(WholeRow | undefined)[]> {
    const inOrder: WholeRow[] = [];
    for (const row of await this.#statements.all<WholeRow>(sql, keys.map(packKey))) inOrder[row.ordinal - 1] = row;
    return inOrder;
  }
}
