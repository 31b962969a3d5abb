import type { Revocation, Seconds } from '@tessera/protocol';
import { LapsingIds } from './lapsing-ids.ts';
import { type Refused, refused } from './verification.ts';

/** What of a token's claims can be revoked. */
export type RevocableClaims = Readonly<Record<string, unknown>>;

type Epoch = { epoch: number; until: Seconds };

const sweepEvery: Seconds = 60;
// Of a million endings this is a millisecond's work or two.
const partsAtOnce = 4;

/** One whole picture of what has ended, each entry with the time until which it matters. */
class Picture {
  readonly sessions = new LapsingIds();
  readonly grants = new LapsingIds();
  readonly tokens = new LapsingIds();
  readonly clientEpochs = new Map<string, Epoch>();
  issuerEpoch: Epoch | undefined;
  /** Set when a live entry found no place. It stays: only a new picture can be whole again. */
  isIncomplete = false;
  #sweeping: Iterator<number> | undefined;
  #sweptAt: Seconds = Number.NEGATIVE_INFINITY;
  #foundNoneAt: Seconds = Number.NEGATIVE_INFINITY;
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.sessions.size + this.grants.size + this.tokens.size + this.clientEpochs.size;
  }

  /** Makes sure there is a place for one more entry; a live entry is never given up for it. */
  makePlace(now: Seconds): boolean {
    if (this.size < this.#capacity) return true;
    if (now > this.#foundNoneAt) {
      // Ends at the first part that had one: the next entry finds the next.
      for (const taken of this.#parts(now)) if (taken > 0) return true;
      this.#foundNoneAt = now;
    }
    this.isIncomplete = true;
    return false;
  }

  /** Takes out a part of what has lapsed; begins once a minute, and each call goes on where the one before ended. */
  sweepOn(now: Seconds): void {
    if (!this.#sweeping) {
      if (now - this.#sweptAt < sweepEvery) return;
      this.#sweptAt = now;
      this.#sweeping = this.#parts(now);
    }
    for (let looks = 0; looks < partsAtOnce; looks++)
      if (this.#sweeping.next().done) {
        this.#sweeping = undefined;
        return;
      }
  }

  *#parts(now: Seconds): Generator<number, void> {
    if (this.issuerEpoch && this.issuerEpoch.until <= now) this.issuerEpoch = undefined;
    const clients = this.clientEpochs.size;
    for (const [id, { until }] of this.clientEpochs) if (until <= now) this.clientEpochs.delete(id);
    yield clients - this.clientEpochs.size;
    for (const ids of [this.sessions, this.grants, this.tokens]) yield* ids.sweep(now);
  }
}

/**
 * What has ended, in memory: sessions, grants, single tokens, and cut-offs of a client or of the whole issuer. Bounded: when it is full of live
 * entries it refuses the next and says so (`isIncomplete`), and the edge then follows its policy for stale revocations; nothing live is ever evicted.
 * During a resync the old picture and the new one both count, until the new one is whole. Revoked keys live with the keys.
 */
export class RevocationSet {
  readonly #capacity: number;
  #current: Picture;
  #replacement: Picture | undefined;

  constructor(options: { capacity: number }) {
    this.#capacity = options.capacity;
    this.#current = new Picture(options.capacity);
  }

  /** How many entries are held, those of a replacement under way included. */
  get size(): number {
    return this.#current.size + (this.#replacement?.size ?? 0);
  }

  /** True when an ending is missing for want of room. */
  get isIncomplete(): boolean {
    return this.#current.isIncomplete;
  }

  /** Starts a new picture; what is held goes on counting. */
  beginReplacement(): void {
    this.#replacement = new Picture(this.#capacity);
  }

  /** The new picture is whole: it takes the place of the old one. */
  completeReplacement(): void {
    if (!this.#replacement) return;
    this.#current = this.#replacement;
    this.#replacement = undefined;
  }

  /** True between `beginReplacement` and `completeReplacement`. */
  get isReplacing(): boolean {
    return this.#replacement !== undefined;
  }

  /** Enters an ending. Entering the same twice keeps the later `until` and the higher epoch. Keys are not entered here. */
  add(revocation: Revocation, now: Seconds): void {
    this.#current.sweepOn(now);
    this.#replacement?.sweepOn(now);
    const picture = this.#replacement ?? this.#current;
    if (revocation.kind === 'key' || revocation.until <= now) return;
    if (revocation.kind === 'issuer-epoch') {
      picture.issuerEpoch = laterEpoch(picture.issuerEpoch, revocation);
      return;
    }
    if (revocation.kind === 'client-epoch') {
      const held = picture.clientEpochs.get(revocation.client_id);
      if (held || picture.makePlace(now)) picture.clientEpochs.set(revocation.client_id, laterEpoch(held, revocation));
      return;
    }
    const [entries, id] = placeOf(picture, revocation);
    if (entries.has(id) || picture.makePlace(now)) entries.set(id, revocation.until);
  }

  /**
   * Why the token is dead, or undefined. An epoch missing in the token counts as 0. Reasons: `issuer_cut_off`, `client_cut_off`, `session_ended`,
   * `grant_ended`, `token_revoked`.
   */
  find(claims: RevocableClaims): Refused | undefined {
    return findIn(this.#current, claims) ?? (this.#replacement && findIn(this.#replacement, claims));
  }
}

function findIn(picture: Picture, claims: RevocableClaims): Refused | undefined {
  const { issuerEpoch, clientEpochs, sessions, grants, tokens } = picture;
  if (issuerEpoch && epochOf(claims.issuer_epoch) < issuerEpoch.epoch) return refused('issuer_cut_off');
  const clientEpoch = clientEpochs.get(claims.client_id as string);
  if (clientEpoch && epochOf(claims.client_epoch) < clientEpoch.epoch) return refused('client_cut_off');
  if (sessions.has(claims.sid as string)) return refused('session_ended');
  if (grants.has(claims.grant_id as string)) return refused('grant_ended');
  if (tokens.has(claims.jti as string)) return refused('token_revoked');
  return undefined;
}

function epochOf(claim: unknown): number {
  return typeof claim === 'number' ? claim : 0;
}

function laterEpoch(held: Epoch | undefined, { epoch, until }: Epoch): Epoch {
  return { epoch: Math.max(held?.epoch ?? 0, epoch), until: Math.max(held?.until ?? 0, until) };
}

function placeOf(
  picture: Picture,
  revocation: Extract<Revocation, { kind: 'session' | 'grant' | 'token' }>,
): [LapsingIds, string] {
  switch (revocation.kind) {
    case 'session':
      return [picture.sessions, revocation.sid];
    case 'grant':
      return [picture.grants, revocation.grant_id];
    case 'token':
      return [picture.tokens, revocation.jti];
  }
}
