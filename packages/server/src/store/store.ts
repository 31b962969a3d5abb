import type { Seconds } from '@tessera/protocol';
import type { Actor, EventType } from '../events/event-types.ts';
import type {
  BucketRecord,
  DocumentKind,
  Documents,
  EndReason,
  GrantRecord,
  Origin,
  SessionRecord,
} from './records.ts';

/** What is known of an event before the store gives it its position. */
export type NewEvent = {
  type: EventType;
  at: Seconds;
  actor: Actor;
  userId?: string;
  sid?: string;
  grantId?: string;
  clientId?: string;
  /** What else helps to understand it; never a secret or a token. */
  data?: Record<string, unknown>;
  /** Revocations only: the audiences whose tokens it ends; null: all of them. */
  audiences?: string[] | null;
  /** Revocations only: until when an edge must remember it. */
  until?: Seconds;
};

/** An event as it is kept. Positions are dense, begin at 1 and follow the order of the commits. */
export type EventRecord = NewEvent & { position: number };

/** Why, when and by whom something ends. `until` is what an edge needs: from then on no token it concerns is valid any more. */
export type Ending = { reason: EndReason; at: Seconds; actor: Actor; until: Seconds; data?: Record<string, unknown> };

/** What only the holder of a grant's token knows of it: whose it is and the digest of its secret. */
export type GrantProof = { clientId: string; secretDigest: string };

/** A write. "Expects" says what makes it a conflict, which undoes the whole commit. */
export type Change =
  /**
   * Expects no record of that id ("absent"), or exactly that version. The store sets `version` itself: 1, or one more
   * than expected. Expects what must be unique to be free too: a user's username and e-mail address (folded, in one name space, so that neither is
   * another's of either kind), a resource server's audiences.
   */
  | { [K in DocumentKind]: { change: 'put'; kind: K; expect: 'absent' | number; record: Documents[K] } }[DocumentKind]
  /** Expects exactly that version. */
  | { change: 'remove'; kind: DocumentKind; id: string; expect: number }
  /** Writes nothing; expects exactly that version. */
  | { change: 'check'; kind: DocumentKind; id: string; expect: number }
  /** Expects neither the sid nor the cookie digest to be taken. The store sets `version` to 1. */
  | { change: 'create-session'; session: SessionRecord }
  /** A new sign-in of the same user in the same browser. Expects that version, not ended. */
  | {
      change: 'renew-session';
      sid: string;
      expect: number;
      renewed: Pick<
        SessionRecord,
        'cookieDigest' | 'authTime' | 'amr' | 'acr' | 'origin' | 'lastSeenAt' | 'ssoIdle' | 'ssoUntil' | 'endsAt'
      >;
    }
  /** Expects nothing and never waits: where the session is ended, gone or locked, nothing happens. Times only move forward. */
  | { change: 'touch-session'; sid: string; lastSeenAt: Seconds; ssoUntil: Seconds }
  /**
   * Ends sessions that have not ended, and the grants under them: those of kind `session`, with `offline` the others too. One event
   * `session.ended` for each session (data: reason, `endsAt`, until when it would have lasted, and `grants`, the ids of the session-bound grants it ended, at most 100, and `grantCount`), one `grant.ended`
   * for each offline grant; `audiences` are those of the grants it tells of, null (everybody) if one of them names no resources. With `offline`, grants that
   * outlived their session are found too; with `exceptSid`, those under that session are spared.
   * With `version`, nothing happens when the session was renewed since. Expects nothing: what has ended stays as it ended.
   */
  | {
      change: 'end-sessions';
      where: { sid: string; version?: number } | { userId: string; exceptSid?: string };
      offline: boolean;
      ending: Ending;
    }
  /** Expects the grant id to be free and its session to exist, unended. */
  | { change: 'create-grant'; grant: GrantRecord }
  /** Expects that generation, not ended. Raises generation and `uses` by one. `idleAt` never moves back: `findLapsed` looks when the earlier one is over. */
  | {
      change: 'rotate-grant';
      grantId: string;
      expect: number;
      sealKeyId: string;
      at: Seconds;
      idleAt: Seconds | null;
      origin: Origin;
      /** Only after a restore: the generation to move to instead of the next one. */
      generation?: number;
    }
  /** A use without rotation. Expects that generation, not ended. Raises `uses` by one. `idleAt` moves forward, as in a rotation. */
  | { change: 'touch-grant'; grantId: string; expect: number; at: Seconds; idleAt: Seconds | null; origin: Origin }
  /** A replay. Raises `replays` by one. Expects nothing. */
  | { change: 'count-replay'; grantId: string }
  /**
   * Ends grants that have not ended; one event `grant.ended` each (data: reason, and `endsAt`, until when it would have lasted). with `proof`, only a grant that is that
   * client's and has that secret, so that who holds its token need not look first. Expects nothing.
   */
  | {
      change: 'end-grants';
      where: { grantId: string; proof?: GrantProof } | { sid: string } | { userId: string; clientId: string };
      ending: Ending;
    }
  /** Single use: expects the key not to be remembered, or to have lapsed (`until` ≤ `now`). `from`: where it was used, for whoever meets the conflict. */
  | { change: 'remember'; key: string; now: Seconds; until: Seconds; from?: Origin }
  /** Adds to a leaking bucket; the level never falls below zero, time never runs backwards. Expects nothing. */
  | { change: 'fill-bucket'; key: string; add: number; leakPerSecond: number; at: Seconds }
  /** Empties a bucket. Expects nothing. */
  | { change: 'empty-bucket'; key: string };

/** Events that a commit appended, as they are kept, with their positions in that epoch of the store. */
export type Appended = { epoch: number; events: readonly EventRecord[] };

/**
 * What a commit came to. `ended` tells what its ending changes ended; `appended`, where the engine knows it without looking, where the log tells of it.
 */
export type CommitResult =
  | { outcome: 'committed'; ended: { sids: string[]; grantIds: string[] }; appended?: Appended }
  /** Somebody moved first: nothing was written. `change` is the index of the first change whose expectation failed. Read and decide again. */
  | { outcome: 'conflict'; change: number };

/** One page of a list. `next`, when there is more, is what `after` takes. */
export type Page<T> = { items: T[]; next?: string };

export type PageRequest = { after?: string; limit: number };

export type SessionFilter = { userId?: string; clientId?: string; state?: 'live' | 'ended'; now: Seconds };
export type GrantFilter = { userId?: string; clientId?: string; sid?: string; state?: 'live' | 'ended'; now: Seconds };

/** Which events to read, in the order of positions, or newest first. */
export type EventFilter = {
  afterPosition?: number;
  beforePosition?: number;
  types?: EventType[];
  userId?: string;
  sid?: string;
  grantId?: string;
  clientId?: string;
  from?: Seconds;
  to?: Seconds;
  /** Only revocations that still matter then. */
  mattersAt?: Seconds;
  newestFirst?: boolean;
  limit: number;
};

/** Whose standing is asked for: a grant, a client, a key that may be remembered at `now`; each may be absent. */
export type StandingAsked = {
  grantId?: string | undefined;
  clientId?: string | undefined;
  rememberedKey?: string | undefined;
  now: Seconds;
};

/** What a token hangs on. Nobody may change the records. */
export type Standing = {
  grant: GrantRecord | undefined;
  /** The grant's user. */
  user: Documents['user'] | undefined;
  /** The version of the client's record; undefined: there is none. */
  clientVersion: number | undefined;
  isRemembered: boolean;
};

/** Whose sign-in is asked for: by the digest of its cookie's secret, or by its sid. */
export type SignInAsked = { cookieDigest: string } | { sid: string };

/** A session, ended or not, and its user. Nobody may change the records. */
export type SignIn = { session: SessionRecord | undefined; user: Documents['user'] | undefined };

/** The state of the event log. A changed epoch means that positions of before say nothing any more. */
export type StorePosition = { epoch: number; position: number };

/** How many rows a sweep removed. */
export type SweepResult = { sessions: number; grants: number; remembered: number; buckets: number; events: number };

/**
 * What keeps everything. Every engine passes the contract suite in `store-contract.ts`.
 *
 * Reads see only what is durable. A commit is all or nothing and answers only when durable; commits that wait at the same time share one
 * flush, and one that conflicts or fails undoes only itself. A failure of the engine is thrown as `StoreUnavailable`.
 */
export interface Store {
  get<K extends DocumentKind>(kind: K, id: string): Promise<Documents[K] | undefined>;
  /** Documents of a kind in the order of their ids; `prefix` keeps those whose id begins so. */
  list<K extends DocumentKind>(kind: K, page: PageRequest & { prefix?: string }): Promise<Page<Documents[K]>>;
  /** The user with that username or, failing that, that e-mail address; both compared after NFKC and case folding. */
  findUser(name: string): Promise<Documents['user'] | undefined>;
  /** Users whose username or e-mail begins so. */
  searchUsers(prefix: string, page: PageRequest): Promise<Page<Documents['user']>>;

  getSession(sid: string): Promise<SessionRecord | undefined>;
  /** The session of a cookie, or of a sid, and its user, in one reading. */
  getSignIn(asked: SignInAsked): Promise<SignIn>;
  /** Newest first. `clientId` keeps sessions that have, or had, a grant of that client. */
  listSessions(filter: SessionFilter, page: PageRequest): Promise<Page<SessionRecord>>;
  getGrant(grantId: string): Promise<GrantRecord | undefined>;
  /** What each use of a token asks about, in one reading, because it is what the store is asked most. */
  getStanding(asked: StandingAsked): Promise<Standing>;
  /** Newest first. */
  listGrants(filter: GrantFilter, page: PageRequest): Promise<Page<GrantRecord>>;

  isRemembered(key: string, now: Seconds): Promise<boolean>;
  /** Where a remembered key was used; undefined when it is not remembered or nobody said. */
  rememberedFrom(key: string, now: Seconds): Promise<Origin | undefined>;
  getBuckets(keys: readonly string[]): Promise<BucketRecord[]>;

  readEvents(filter: EventFilter): Promise<EventRecord[]>;
  position(): Promise<StorePosition>;
  /**
   * Calls back soon after events were appended: by this process at once, by another within 50 ms. Several may be one call, and there may be calls without any. Returns the end of it.
   */
  onEvents(listener: () => void): () => void;

  /**
   * Writes the changes in their order, each seeing those before it, and appends the events: the given ones first, as the cause, then those
   * the endings imply. Throws `StoreUnavailable` when the engine failed, then it may or may not have been written: read again; and `TypeError`
   * for values that cannot be stored.
   */
  commit(changes: readonly Change[], events?: readonly NewEvent[]): Promise<CommitResult>;

  /**
   * Sessions and grants that have lapsed and have not been ended: sessions past `endsAt`, or past `ssoUntil` without a live grant; grants past `idleAt` or `endsAt`.
   * At most `limit` of each; called in a loop that ends what it finds it reaches all of them, at the cost of what comes due and without an index on anything that a
   * refresh changes. None found means that there are none, but for rows that another node's look or ending holds at that moment, and for a database that comes
   * from an older version, which is taken in over the first calls. Another may use or renew what was found before it is ended.
   */
  findLapsed(now: Seconds, limit: number): Promise<{ sessions: SessionRecord[]; grants: GrantRecord[] }>;
  /**
   * Removes, at most `limit` rows of each kind: what ended before `endedBefore`, remembered keys and buckets that have lapsed, events older than `eventsBefore`. A session stays while one of
   * its grants does; an event stays while edges must remember it, and so do those after it.
   */
  sweep(bounds: { now: Seconds; endedBefore: Seconds; eventsBefore: Seconds; limit: number }): Promise<SweepResult>;

  /**
   * The database's clock, in milliseconds. Only where many nodes share a database: they go by its clock. An embedded one has that of its machine.
   */
  clockMs?(): Promise<number>;

  /** Waits for commits under way, then lets go of files and threads. */
  close(): Promise<void>;
}

/** The store cannot answer: full disk, lost connection, closed. Answered on the wire with 503 and `Retry-After`. */
export class StoreUnavailable extends Error {
  readonly code = 'store_unavailable';
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StoreUnavailable';
  }
}
