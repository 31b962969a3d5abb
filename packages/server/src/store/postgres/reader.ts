import type { Seconds } from '@tessera/protocol';
import { AskedTogether } from '../asked-together.ts';
import { pageOf } from '../pages.ts';
import type { Readings } from '../readings.ts';
import type {
  BucketRecord,
  DocumentKind,
  Documents,
  GrantRecord,
  Origin,
  SessionRecord,
  UserRecord,
} from '../records.ts';
import type {
  EventFilter,
  EventRecord,
  GrantFilter,
  Page,
  PageRequest,
  SessionFilter,
  SignIn,
  SignInAsked,
  Standing,
  StandingAsked,
  StorePosition,
} from '../store.ts';
import { foldName } from '../user-names.ts';
import type { Pool } from './connection.ts';
import { readEvents, readPosition } from './event-reader.ts';
import { afterPrefix, packKey, packText, unpackText } from './key.ts';
import { LapsedScan } from './lapsed.ts';
import { listGrants, listSessions } from './lists.ts';
import { type SessionRow, sessionColumns, toSession } from './rows.ts';
import { SignInReader } from './sign-in.ts';
import { StandingReader } from './standing.ts';
import { clockOfServer, Statements } from './statements.ts';

const selectDocuments = `
  SELECT a.ordinal, d.body FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS a(kind, id, ordinal) JOIN documents d USING (kind, id)`;
const selectSessions = `
  SELECT a.ordinal, ${sessionColumns} FROM unnest($1::bytea[]) WITH ORDINALITY AS a(sid, ordinal) JOIN sessions s USING (sid)`;
const selectBuckets = `
  SELECT a.ordinal, b.level, b.at, b.leak_per_second FROM unnest($1::bytea[]) WITH ORDINALITY AS a(key, ordinal) JOIN buckets b USING (key)`;

/** The reading half of the store. The server shows a commit only once it is on its disk, so it sees only durable data. */
export class Reader implements Readings {
  readonly statements: Statements;
  readonly #lapsed: LapsedScan;
  readonly #standing: StandingReader;
  readonly #signIns: SignInReader;
  readonly #documents = new AskedTogether<{ kind: string; id: string }, string | undefined>((asked) =>
    this.#selectDocuments(asked),
  );
  readonly #sessions = new AskedTogether<string, SessionRecord | undefined>((sids) => this.#selectSessions(sids));
  readonly #buckets = new AskedTogether<string, BucketRecord | undefined>((keys) => this.#selectBuckets(keys));

  constructor(pool: Pool) {
    this.statements = new Statements(pool);
    this.#lapsed = new LapsedScan(pool);
    this.#standing = new StandingReader(this.statements);
    this.#signIns = new SignInReader(this.statements);
  }

  async get<K extends DocumentKind>(kind: K, id: string): Promise<Documents[K] | undefined> {
    const body = await this.#documents.ask({ kind, id });
    return body === undefined ? undefined : (JSON.parse(body) as Documents[K]);
  }

  async list<K extends DocumentKind>(kind: K, page: PageRequest & { prefix?: string }): Promise<Page<Documents[K]>> {
    const prefix = page.prefix ?? '';
    const rows = await this.statements.all<{ id: Buffer; body: string }>(
      'SELECT id, body FROM documents WHERE kind = $1 AND id >= $2 AND id < $3 AND id > $4 ORDER BY id LIMIT $5',
      kind,
      packText(prefix),
      afterPrefix(prefix),
      packText(page.after ?? ''),
      page.limit + 1,
    );
    return pageOf(
      rows,
      page.limit,
      (row) => unpackText(row.id),
      (row) => JSON.parse(row.body) as Documents[K],
    );
  }

  async findUser(name: string): Promise<UserRecord | undefined> {
    const row = await this.statements.one<{ body: string }>(
      "SELECT body FROM user_names JOIN documents ON kind = 'user' AND id = user_id WHERE name = $1",
      packText(foldName(name)),
    );
    return row && (JSON.parse(row.body) as UserRecord);
  }

  async searchUsers(prefix: string, page: PageRequest): Promise<Page<UserRecord>> {
    const from = foldName(prefix);
    // A user whose username and address both match is listed once, by the username.
    const rows = await this.statements.all<{ name: Buffer; body: string }>(
      `SELECT name, body FROM user_names JOIN documents ON kind = 'user' AND id = user_id
       WHERE name >= $1 AND name < $2 AND name > $3 AND (name = username OR username < $1 OR username >= $2)
       ORDER BY name LIMIT $4`,
      packText(from),
      afterPrefix(from),
      packText(page.after ?? ''),
      page.limit + 1,
    );
    return pageOf(
      rows,
      page.limit,
      (row) => unpackText(row.name),
      (row) => JSON.parse(row.body) as UserRecord,
    );
  }

  getSession(sid: string): Promise<SessionRecord | undefined> {
    return this.#sessions.ask(sid);
  }

  getSignIn(asked: SignInAsked): Promise<SignIn> {
    return this.#signIns.getSignIn(asked);
  }

  listSessions(filter: SessionFilter, page: PageRequest): Promise<Page<SessionRecord>> {
    return listSessions(this.statements, filter, page);
  }

  async getGrant(grantId: string): Promise<GrantRecord | undefined> {
    return (await this.getStanding({ grantId, now: 0 })).grant;
  }

  getStanding(asked: StandingAsked): Promise<Standing> {
    return this.#standing.getStanding(asked);
  }

  listGrants(filter: GrantFilter, page: PageRequest): Promise<Page<GrantRecord>> {
    return listGrants(this.statements, filter, page);
  }

  async isRemembered(key: string, now: Seconds): Promise<boolean> {
    return (await this.getStanding({ rememberedKey: key, now })).isRemembered;
  }

  async rememberedFrom(key: string, now: Seconds): Promise<Origin | undefined> {
    const row = await this.statements.one<{ used_from: string | null }>(
      'SELECT used_from FROM remembered WHERE key = $1 AND until > $2',
      packText(key),
      now,
    );
    return typeof row?.used_from === 'string' ? (JSON.parse(row.used_from) as Origin) : undefined;
  }

  async getBuckets(keys: readonly string[]): Promise<BucketRecord[]> {
    const found = await Promise.all(keys.map((key) => this.#buckets.ask(key)));
    return found.filter((bucket) => bucket !== undefined);
  }

  readEvents(filter: EventFilter): Promise<EventRecord[]> {
    return readEvents(this.statements, filter);
  }

  position(): Promise<StorePosition> {
    return readPosition(this.statements);
  }

  /** The server's clock, in milliseconds. */
  async clockMs(): Promise<number> {
    const row = await this.statements.one<{ ms: number }>(`SELECT ${clockOfServer} AS ms`);
    return row!.ms;
  }

  findLapsed(now: Seconds, limit: number): Promise<{ sessions: SessionRecord[]; grants: GrantRecord[] }> {
    return this.#lapsed.find(now, limit);
  }

  async #selectDocuments(asked: readonly { kind: string; id: string }[]): Promise<(string | undefined)[]> {
    const rows = await this.statements.all<{ ordinal: number; body: string }>(
      selectDocuments,
      asked.map(({ kind }) => kind),
      asked.map(({ id }) => packText(id)),
    );
    return inOrder(rows, ({ body }) => body);
  }

  async #selectSessions(sids: readonly string[]): Promise<(SessionRecord | undefined)[]> {
    type Row = SessionRow & { ordinal: number };
    return inOrder(await this.statements.all<Row>(selectSessions, sids.map(packKey)), toSession);
  }

  async #selectBuckets(keys: readonly string[]): Promise<(BucketRecord | undefined)[]> {
    type Row = { ordinal: number; level: number; at: number; leak_per_second: number };
    const rows = await this.statements.all<Row>(selectBuckets, keys.map(packText));
    return inOrder(rows, ({ ordinal, level, at, leak_per_second: leakPerSecond }) => ({
      key: keys[ordinal - 1]!,
      level,
      at,
      leakPerSecond,
    }));
  }
}

/** What the rows say, each at the place of who asked for it; nothing where there is no row. */
function inOrder<Row extends { ordinal: number }, T>(rows: readonly Row[], convert: (row: Row) => T): T[] {
  const answers: T[] = [];
  for (const row of rows) answers[row.ordinal - 1] = convert(row);
  return answers;
}
