import type { DatabaseSync } from 'node:sqlite';
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
import { readEvents, readPosition } from './event-reader.ts';
import { asStoreFailure } from './failure.ts';
import { packKey } from './key.ts';
import { type DueReply, type DueTask, LapsedScan } from './lapsed.ts';
import { listGrants, listSessions } from './lists.ts';
import { type SessionRow, toSession } from './rows.ts';
import { SignInReader } from './sign-in.ts';
import { StandingReader } from './standing.ts';
import { Statements } from './statements.ts';

// Sorts after every character: the end of the range of texts with a prefix.
const highest = '\u{10FFFF}';

/**
 * The reading half of the store, on a connection of the calling thread: a look-up takes microseconds, less than asking another thread. What
 * could take long is done in slices. It sees only durable data, see `openConnection`.
 */
export class Reader implements Readings {
  readonly #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #lapsed: LapsedScan;
  readonly #standing: StandingReader;
  readonly #standings: AskedTogether<StandingAsked, Standing>;
  readonly #signIns: AskedTogether<SignInAsked, SignIn>;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#statements = new Statements(db);
    this.#lapsed = new LapsedScan(this.#statements);
    this.#standing = new StandingReader(this.#statements);
    this.#standings = new AskedTogether((batch) => this.#standing.getStandings(batch));
    const signIns = new SignInReader(this.#statements);
    this.#signIns = new AskedTogether((batch) => signIns.getSignIns(batch));
  }

  async get<K extends DocumentKind>(kind: K, id: string): Promise<Documents[K] | undefined> {
    const row = this.#statements.one<{ body: string }>(
      'SELECT body FROM documents WHERE kind = ? AND id = ?',
      kind,
      id,
    );
    return row && (JSON.parse(row.body) as Documents[K]);
  }

  async list<K extends DocumentKind>(kind: K, page: PageRequest & { prefix?: string }): Promise<Page<Documents[K]>> {
    const prefix = page.prefix ?? '';
    const rows = this.#statements.all<{ id: string; body: string }>(
      'SELECT id, body FROM documents WHERE kind = ? AND id >= ? AND id < ? AND id > ? ORDER BY id LIMIT ?',
      kind,
      prefix,
      prefix + highest,
      page.after ?? '',
      page.limit + 1,
    );
    return pageOf(
      rows,
      page.limit,
      (row) => row.id,
      (row) => JSON.parse(row.body) as Documents[K],
    );
  }

  async findUser(name: string): Promise<UserRecord | undefined> {
    const row = this.#statements.one<{ body: string }>(
      "SELECT body FROM user_names CROSS JOIN documents ON kind = 'user' AND id = user_id WHERE name = ?",
      foldName(name),
    );
    return row && (JSON.parse(row.body) as UserRecord);
  }

  async searchUsers(prefix: string, page: PageRequest): Promise<Page<UserRecord>> {
    const from = foldName(prefix);
    // A user whose username and address both match is listed once, by the username.
    const rows = this.#statements.all<{ name: string; body: string }>(
      `SELECT name, body FROM user_names CROSS JOIN documents ON kind = 'user' AND id = user_id
       WHERE name >= ?1 AND name < ?2 AND name > ?3 AND (name = username OR username < ?1 OR username >= ?2)
       ORDER BY name LIMIT ?4`,
      from,
      from + highest,
      page.after ?? '',
      page.limit + 1,
    );
    return pageOf(
      rows,
      page.limit,
      (row) => row.name,
      (row) => JSON.parse(row.body) as UserRecord,
    );
  }

  async getSession(sid: string): Promise<SessionRecord | undefined> {
    return this.#sessionOf(sid);
  }

  getSignIn(asked: SignInAsked): Promise<SignIn> {
    return this.#signIns.ask(asked);
  }

  listSessions(filter: SessionFilter, page: PageRequest): Promise<Page<SessionRecord>> {
    return listSessions(this.#statements, filter, page);
  }

  async getGrant(grantId: string): Promise<GrantRecord | undefined> {
    return this.#standing.getGrant(grantId);
  }

  getStanding(asked: StandingAsked): Promise<Standing> {
    return this.#standings.ask(asked);
  }

  listGrants(filter: GrantFilter, page: PageRequest): Promise<Page<GrantRecord>> {
    return listGrants(this.#statements, filter, page);
  }

  async isRemembered(key: string, now: Seconds): Promise<boolean> {
    return this.#standing.isRemembered(key, now);
  }

  async rememberedFrom(key: string, now: Seconds): Promise<Origin | undefined> {
    const row = this.#statements.one<{ used_from: string | null }>(
      'SELECT used_from FROM remembered WHERE key = ? AND until > ?',
      key,
      now,
    );
    return typeof row?.used_from === 'string' ? (JSON.parse(row.used_from) as Origin) : undefined;
  }

  async getBuckets(keys: readonly string[]): Promise<BucketRecord[]> {
    return keys.flatMap((key) => {
      const row = this.#statements.one<BucketRecord>(
        'SELECT key, level, at, leak_per_second AS leakPerSecond FROM buckets WHERE key = ?',
        key,
      );
      return row === undefined ? [] : [{ ...row }];
    });
  }

  readEvents(filter: EventFilter): Promise<EventRecord[]> {
    return readEvents(this.#statements, filter);
  }

  async position(): Promise<StorePosition> {
    return { ...readPosition(this.#statements) };
  }

  async findLapsed(
    now: Seconds,
    limit: number,
    ask: (task: DueTask) => Promise<DueReply>,
  ): Promise<{ sessions: SessionRecord[]; grants: GrantRecord[] }> {
    const { sids, grantIds } = await this.#lapsed.find(now, limit, ask);
    return {
      sessions: sids.flatMap((sid) => this.#sessionOf(sid) ?? []),
      grants: grantIds.flatMap((grantId) => this.#standing.getGrant(grantId) ?? []),
    };
  }

  /** A number that changes with every commit of any other connection, also of other processes. Source: https://sqlite.org/pragma.html#pragma_data_version. */
  dataVersion(): number {
    return this.#statements.one<{ data_version: number }>('PRAGMA data_version')!.data_version;
  }

  close(): void {
    try {
      this.#db.close();
    } catch (error) {
      throw asStoreFailure(error);
    }
  }

  #sessionOf(sid: string): SessionRecord | undefined {
    const row = this.#statements.one<SessionRow>('SELECT * FROM sessions WHERE sid = ?', packKey(sid));
    return row && toSession(row);
  }
}
