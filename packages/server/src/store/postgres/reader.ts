import type { Seconds } from '@tessera/protocol';
import type pg from 'pg';
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
  Standing,
  StorePosition,
} from '../store.ts';
import { foldName } from '../user-names.ts';
import { readEvents, readPosition } from './event-reader.ts';
import { afterPrefix, packKey, packText, unpackText } from './key.ts';
import { LapsedScan } from './lapsed.ts';
import { listGrants, listSessions, selectGrant } from './lists.ts';
import { type GrantRow, type SessionRow, toGrant, toSession } from './rows.ts';
import { StandingReader } from './standing.ts';
import { Statements } from './statements.ts';

/** The reading half of the store. The server shows a commit only once it is on its disk, so it sees only durable data. */
export class Reader {
  readonly statements: Statements;
  readonly #lapsed: LapsedScan;
  readonly #standing: StandingReader;

  constructor(pool: pg.Pool) {
    this.statements = new Statements(pool);
    this.#lapsed = new LapsedScan(this.statements);
    this.#standing = new StandingReader(pool);
  }

  async get<K extends DocumentKind>(kind: K, id: string): Promise<Documents[K] | undefined> {
    const row = await this.statements.one<{ body: string }>(
      'SELECT body FROM documents WHERE kind = $1 AND id = $2',
      kind,
      packText(id),
    );
    return row && (JSON.parse(row.body) as Documents[K]);
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

  async getSession(sid: string): Promise<SessionRecord | undefined> {
    const row = await this.statements.one<SessionRow>('SELECT * FROM sessions WHERE sid = $1', packKey(sid));
    return row && toSession(row);
  }

  async findSession(cookieDigest: string): Promise<SessionRecord | undefined> {
    const row = await this.statements.one<SessionRow>(
      'SELECT * FROM sessions WHERE cookie_digest = $1',
      packKey(cookieDigest),
    );
    return row && toSession(row);
  }

  listSessions(filter: SessionFilter, page: PageRequest): Promise<Page<SessionRecord>> {
    return listSessions(this.statements, filter, page);
  }

  async getGrant(grantId: string): Promise<GrantRecord | undefined> {
    const row = await this.statements.one<GrantRow>(selectGrant, packKey(grantId));
    return row && toGrant(row);
  }

  getStanding(asked: Parameters<StandingReader['getStanding']>[0]): Promise<Standing> {
    return this.#standing.getStanding(asked);
  }

  listGrants(filter: GrantFilter, page: PageRequest): Promise<Page<GrantRecord>> {
    return listGrants(this.statements, filter, page);
  }

  async isRemembered(key: string, now: Seconds): Promise<boolean> {
    const row = await this.statements.one('SELECT 1 FROM remembered WHERE key = $1 AND until > $2', packText(key), now);
    return row !== undefined;
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
    if (keys.length === 0) return [];
    const rows = await this.statements.all<{ key: Buffer; level: number; at: number; leak_per_second: number }>(
      'SELECT key, level, at, leak_per_second FROM buckets WHERE key = ANY($1::bytea[])',
      keys.map(packText),
    );
    const found = new Map(rows.map((row) => [unpackText(row.key), row]));
    return keys.flatMap((key) => {
      const row = found.get(key);
      return row === undefined ? [] : [{ key, level: row.level, at: row.at, leakPerSecond: row.leak_per_second }];
    });
  }

  readEvents(filter: EventFilter): Promise<EventRecord[]> {
    return readEvents(this.statements, filter);
  }

  position(): Promise<StorePosition> {
    return readPosition(this.statements);
  }

  findLapsed(now: Seconds, limit: number): Promise<{ sessions: SessionRecord[]; grants: GrantRecord[] }> {
    return this.#lapsed.find(now, limit);
  }
}

function pageOf<Row, T>(rows: Row[], limit: number, cursor: (row: Row) => string, convert: (row: Row) => T): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items: items.map(convert) };
  return { items: items.map(convert), next: cursor(last) };
}
