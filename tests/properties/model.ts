import type { Seconds } from '@tessera/protocol';

/** How a client of the model behaves; `world.ts` declares them to the server. */
export type ClientTraits = {
  name: 'spa' | 'strict' | 'web' | 'steady' | 'keyed';
  isPublic: boolean;
  rotates: boolean;
  /** Its grants are bound to a DPoP key. */
  isKeyed: boolean;
  /** Whether it may have offline grants. */
  offline: boolean;
  window: Seconds;
  strategy: 'server-backed' | 'sliding' | 'sliding-revocable';
  /** Null: use does not extend. */
  idle: Seconds | null;
  absolute: Seconds;
};

/** Limits small enough for a run to meet all of them. */
export const limits = { accessToken: 60, code: 30, session: 600, raceWindow: 10 };

const confidential = { isPublic: false, isKeyed: false, offline: true } as const;
const open = { isPublic: true, rotates: true, offline: false } as const;

/** All kinds of clients that the verdict table and the lifetimes tell apart; the idle limit of the first is shorter than an access token lives. */
export const clients: readonly ClientTraits[] = [
  { name: 'spa', ...open, isKeyed: false, window: 30, strategy: 'sliding-revocable', idle: 40, absolute: 400 },
  { name: 'strict', ...open, isKeyed: false, window: 0, strategy: 'server-backed', idle: null, absolute: 90 },
  { name: 'keyed', ...open, isKeyed: true, window: 5, strategy: 'sliding-revocable', idle: 120, absolute: 400 },
  { name: 'web', ...confidential, rotates: true, window: 10, strategy: 'sliding', idle: 120, absolute: 400 },
  {
    name: 'steady',
    ...confidential,
    rotates: false,
    window: 30,
    strategy: 'sliding-revocable',
    idle: 120,
    absolute: 400,
  },
];

export type Session = { sid: string; user: string; endsAt: Seconds; ended: boolean };

export type Code = {
  text: string;
  verifier: string;
  client: ClientTraits;
  session: Session;
  kind: 'session' | 'offline';
  issuedAt: Seconds;
  grant: Grant | undefined;
};

export type Grant = {
  id: string;
  client: ClientTraits;
  session: Session;
  kind: 'session' | 'offline';
  createdAt: Seconds;
  /** All refresh tokens ever made, by generation; index 0 is unused. */
  tokens: string[];
  generation: number;
  /** The generation the honest client has in its hands: lower than the stored one after a lost answer. */
  held: number;
  rotatedAt: Seconds;
  idleAt: Seconds | null;
  endsAt: Seconds;
  ended: boolean;
  accessTokens: { text: string; exp: Seconds }[];
  /** How often a theft was found. */
  reuses: number;
  codeReuses: 0 | 1 | 'perhaps';
};

/** What presenting a refresh token must come to: the table of design section 2, written a second time and differently. */
export type Expected = 'refused' | 'prove' | 'rotate' | 'reissue' | 'replay' | 'reuse';

/** Everything the world is expected to be, without a server. */
export class Model {
  now: Seconds;
  readonly sessions = new Map<string, Session>();
  /** The session whose cookie each browser has. */
  readonly inBrowser: (Session | undefined)[];
  readonly codes: Code[] = [];
  readonly grants: Grant[] = [];

  constructor(now: Seconds, browsers: number) {
    this.now = now;
    this.inBrowser = Array.from({ length: browsers }, () => undefined);
  }

  isSessionLive(session: Session): boolean {
    return !session.ended && this.now < session.endsAt;
  }

  isLive(grant: Grant): boolean {
    return !grant.ended && this.now < grant.endsAt && (grant.idleAt === null || this.now < grant.idleAt);
  }

  /** The moments that a clock which jumps back must not cross: whether they were noticed is not told from outside. */
  crosses(back: Seconds): boolean {
    const moments = [
      ...this.grants.flatMap((grant) => [grant.idleAt ?? 0, grant.endsAt]),
      ...[...this.sessions.values()].map((one) => one.endsAt),
    ];
    return moments.some((moment) => moment > this.now - back && moment <= this.now);
  }

  birth({ client, kind, session }: Code): Pick<Grant, 'idleAt' | 'endsAt'> {
    const caps: Seconds[] = [];
    if (client.strategy !== 'sliding' || kind === 'offline') caps.push(this.now + client.absolute);
    if (kind === 'session') caps.push(session.endsAt);
    const endsAt = Math.min(...caps);
    return { endsAt, idleAt: client.idle === null ? null : Math.min(this.now + client.idle, endsAt) };
  }

  /** What the table says of a token of that generation, presented by its own client. */
  judge(grant: Grant, generation: number, answersNonce: boolean): Expected {
    if (!this.isLive(grant)) return 'refused';
    const { client } = grant;
    if (generation === grant.generation) return client.rotates ? 'rotate' : 'reissue';
    const isInTime = client.window > 0 && Math.max(0, this.now - grant.rotatedAt) <= client.window;
    const isPrevious = generation === grant.generation - 1;
    if (isInTime) return isPrevious ? 'replay' : 'refused';
    if (isPrevious && client.isKeyed) return answersNonce ? 'replay' : 'prove';
    return 'reuse';
  }

  use(grant: Grant, expected: 'rotate' | 'reissue'): void {
    const { idle } = grant.client;
    const before = grant.idleAt ?? 0;
    const slid = idle === null ? null : Math.min(Math.max(this.now + idle, before), grant.endsAt);
    if (expected === 'rotate') {
      grant.generation++;
      grant.rotatedAt = this.now;
      grant.idleAt = slid;
    } else if (slid !== null && idle !== null && slid - before > idle / 20) grant.idleAt = slid;
  }

  accessTokenExpiry(grant: Grant): Seconds {
    return Math.min(this.now + limits.accessToken, grant.idleAt ?? grant.endsAt, grant.endsAt);
  }

  /** Ends a session and its session grants; `all`: its offline ones too. */
  endSession(session: Session, all: boolean): void {
    session.ended = true;
    for (const grant of this.grants)
      if (grant.session === session && (all || grant.kind === 'session')) grant.ended = true;
  }

  endUser(user: string): void {
    for (const session of this.sessions.values()) if (session.user === user) this.endSession(session, true);
  }
}
