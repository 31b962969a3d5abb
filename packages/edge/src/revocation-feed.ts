import type { FeedMarkClaims, PollRequest, Seconds } from '@tessera/protocol';
import { EdgeRequestError, type Fetch, fetchJson } from './fetch-json.ts';
import type { JsonWebKeySet } from './json-web-key-set.ts';
import { PollWait } from './poll-wait.ts';
import type { RevocationSet } from './revocations.ts';
import { judgeSecurityEvent, readFeedMark, type SecurityEventError } from './security-event-token.ts';
import { StartOvers } from './start-overs.ts';
import { StoreEpochs } from './store-epochs.ts';

/**
 * What the feed is told. `locate` answers the poll URLs, several when several nodes may be asked in turn. `authorization` is the header that tells who
 * asks. `monotonicMs` never steps; `now` is the wall clock. `random` (0 to 1) spreads the retries. `onKeyRevoked` must drop the key at once.
 */
export type RevocationFeedOptions = {
  issuer: string;
  locate: () => Promise<readonly string[]>;
  authorization: string;
  keys: JsonWebKeySet;
  revocations: RevocationSet;
  onKeyRevoked: (kid: string) => void;
  onNotice: (notice: FeedNotice) => void;
  maxAge: Seconds;
  skew: Seconds;
  fetch: Fetch;
  now: () => Seconds;
  monotonicMs: () => number;
  random: () => number;
};

/** What the operator of the API is told, each once per change: not per retry. */
export type FeedNotice =
  | { kind: 'feed-lost'; url: string; code: string; message: string }
  | { kind: 'feed-current'; url: string; position: string; entries: number }
  | { kind: 'feed-gap'; url: string; cause: string };

/** How the feed stands. `position` is the cursor, `stalenessMs` the age of what is known; undefined before the first replay is complete. */
export type FeedStatus = {
  url: string | undefined;
  position: string | undefined;
  asOfMs: number | undefined;
  stalenessMs: number | undefined;
  isReplaying: boolean;
  failuresInARow: number;
  lastFailure: string | undefined;
  securityEvents: number;
  refusedSecurityEvents: number;
  ignoredSecurityEvents: number;
  resyncs: number;
};

const leastPauseMs = 100;
const mostPauseMs = 5000;
const shortPollTimeoutMs = 5000;
const longPollGraceMs = 2000;
// A picture that had no room is asked for again this much later, and so that replays take a tenth of the time at most: each entry costs a verification.
const retryIncompleteMs = 30_000;
const retryIncompletePerReplay = 9;
const largestAnswerBytes = 16 * 1024 * 1024;
const maxEvents = 1000;
// Proxies cut what is silent for longer, a minute being the common bound, and a line that died unnoticed is noticed this soon.
const longestLongPoll: Seconds = 20;
// What a proxy answers in place of a node that it waited for too long.
const givenUp: readonly number[] = [408, 502, 504];
const leastHeldMs = 1000;
const leastBetweenCutsMs = 1000;
// What is reported of an answer that could not be taken: enough to find the fault, and no more than any server reads.
const mostReported = 20;
const longestReportedId = 64;

type PollAnswerRead = { sets: [id: string, set: string][]; mark: string; moreAvailable: boolean; resync: boolean };
/** The poll under way, or the last. */
type Asked = { isLong: boolean; sentAtMs: number };
/** The part of a poll request that says where the receiver stands. */
type Standing = Pick<PollRequest, 'ack' | 'setErrs'>;

/**
 * Keeps a `RevocationSet` current by long polling. The acknowledgement is the cursor: the ids processed and the id of the last mark; nothing acknowledged asks for
 * the whole replay. A SET that cannot be taken is reported in `setErrs` and counts as a gap, and a gap leads to a replay. Never gives up: other nodes are tried
 * in turn, with a growing, jittered pause (100 ms to 5 s) after each round; a line that was cut is asked again at once. Whoever makes it start over again and again waits as long.
 *
 * Staleness. A mark says "as of" some moment of the server's clock, which is not ours. That moment lies between the sending of the poll and the arrival of its answer,
 * so the mark is dated to the *sending*, on a monotonic clock: the age can only be overstated, by at most the time the poll was held, and neither clock's
 * steps matter. One thing this cannot see is a node that answers with an old mark; so where the mark lies further behind our wall clock than the allowed
 * skew, the excess is added to the age. Marks count only once the answer was processed whole and nothing more was available.
 *
 * Source: RFC 8936 section 2; RFC 7240 section 4.3 for `Prefer: wait`.
 */
export class RevocationFeed {
  readonly #options: RevocationFeedOptions;
  readonly #closing = new AbortController();
  readonly #wait: PollWait;
  readonly #epochs = new StoreEpochs();
  readonly #startOvers = new StartOvers();
  #running: Promise<void> | undefined;
  #standing: Standing = {};
  #mark: FeedMarkClaims | undefined;
  #awaitsReplay = true;
  #isCaughtUp = false;
  #currentAtMs: number | undefined;
  #replayBeganAtMs = 0;
  #replayTookMs = 0;
  #replayAgainAtMs: number | undefined;
  /** What the operator was told since the feed was last current. */
  readonly #told = new Set<FeedNotice['kind']>();
  #isAnnounced = false;
  #wake: (() => void) | undefined;
  #endFirstRound: () => void = () => {};
  readonly #firstRound = new Promise<void>((resolve) => {
    this.#endFirstRound = resolve;
  });
  #url: string | undefined;
  #asked: Asked | undefined;
  #failuresInARow = 0;
  /** Of the failures in a row, how many were lines cut: 0 or 1. */
  #cuts = 0;
  #cutAtMs: number | undefined;
  #lastFailure: string | undefined;
  #counts = { securityEvents: 0, refusedSecurityEvents: 0, ignoredSecurityEvents: 0, resyncs: 0 };

  constructor(options: RevocationFeedOptions) {
    this.#options = options;
    // A third of the bound: two polls in a row, the age of the first still counting, stay within it.
    this.#wait = new PollWait(Math.min(longestLongPoll, Math.max(1, Math.floor(options.maxAge / 3))));
  }

  /** Starts polling; resolves when the first replay is complete, or when every node has failed once. Never rejects. */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return this.#firstRound;
  }

  /** Stops polling; resolves when the last request has ended. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake?.();
    await this.#running;
    this.#endFirstRound();
  }

  /** The age in milliseconds of what is known; undefined before the first replay is complete. */
  stalenessMs(): number | undefined {
    return this.#currentAtMs === undefined ? undefined : this.#options.monotonicMs() - this.#currentAtMs;
  }

  /** For how long, in milliseconds, nodes of different stores have been answering in turns; undefined when they do not. What is known is then not to be trusted. */
  dividedForMs(): number | undefined {
    return this.#epochs.dividedForMs(this.#options.monotonicMs());
  }

  /** How the feed stands now. */
  status(): FeedStatus {
    return {
      url: this.#url,
      position: this.#mark?.jti,
      asOfMs: this.#mark?.as_of_ms,
      stalenessMs: this.stalenessMs(),
      isReplaying: this.#awaitsReplay || this.#options.revocations.isReplacing,
      failuresInARow: this.#failuresInARow,
      lastFailure: this.#lastFailure,
      ...this.#counts,
    };
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#closing.signal.aborted; ) {
      let urls: readonly string[] = [];
      this.#asked = undefined;
      try {
        urls = await this.#options.locate();
        const url = urls[turn % urls.length] as string;
        this.#url = url;
        await this.#poll(url);
        this.#failuresInARow = 0;
        this.#cuts = 0;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        turn++;
        this.#noteFailure(error);
        const rounds = Math.floor((this.#failuresInARow - this.#cuts) / Math.max(1, urls.length));
        if (rounds > 0) this.#endFirstRound();
        await this.#pauseAfter(Math.max(rounds, this.#startOversSoFar() - 1));
      }
    }
  }

  /** One poll, taken in. Throws when the node could not be asked, or when its answer had a gap; what follows a gap is a replay. */
  async #poll(url: string): Promise<void> {
    if (this.#mayReplayAgain()) this.#askForReplay();
    const isLong = this.#isCaughtUp && this.#failuresInARow === 0;
    const sentAtMs = this.#options.monotonicMs();
    const held = this.#mark;
    this.#asked = { isLong, sentAtMs };
    const answer = await this.#ask(url, this.#asked);
    const gap = await this.#take(answer, sentAtMs);
    if (gap !== undefined) {
      this.#startOvers.note(this.#options.monotonicMs());
      this.#askForReplay();
      throw new FeedGap(gap);
    }
    if (answer.resync && held) return this.#pauseAfter(this.#startOversSoFar() - 1);
    if (answer.moreAvailable && answer.sets.length === 0 && this.#mark?.jti === held?.jti)
      throw new EdgeRequestError('not_json', `${url} says that there is more and gives nothing`);
    // A node that does not hold the poll, or tells the same again and again, must not make us spin.
    const isIdle = answer.sets.length === 0 || this.#mark?.jti === held?.jti;
    if (isLong && isIdle && this.#options.monotonicMs() - sentAtMs < leastPauseMs) await this.#pause(leastPauseMs);
  }

  #startOversSoFar(): number {
    return this.#startOvers.countAt(this.#options.monotonicMs());
  }

  async #ask(url: string, { isLong, sentAtMs }: Asked): Promise<PollAnswerRead> {
    const waitSeconds = this.#wait.at(sentAtMs);
    const request: PollRequest = { ...this.#standing, maxEvents, returnImmediately: !isLong };
    const { body } = await fetchJson({
      fetch: this.#options.fetch,
      url,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: this.#options.authorization,
        ...(isLong ? { prefer: `wait=${waitSeconds}` } : {}),
      },
      body: JSON.stringify(request),
      timeoutMs: isLong ? waitSeconds * 1000 + longPollGraceMs : shortPollTimeoutMs,
      largestAnswerBytes,
      signal: this.#closing.signal,
    });
    return readPollAnswer(body, url);
  }

  /** Takes an answer in; says the gap if there is one. What could be read of a bad answer counts all the same: it only ends things. */
  async #take(answer: PollAnswerRead, sentAtMs: number): Promise<string | undefined> {
    const { revocations, now } = this.#options;
    if (answer.resync || this.#awaitsReplay) {
      revocations.beginReplacement();
      this.#replayBeganAtMs = sentAtMs;
      this.#counts.resyncs++;
      this.#awaitsReplay = false;
    }
    const isReplay = answer.resync || this.#mark === undefined;
    const errors = new Map<string, SecurityEventError>();
    for (const [index, [id, set]] of answer.sets.entries()) {
      // A long replay must not hold up the API's own requests; each entry takes a tenth of a millisecond and more.
      if (index % 20 === 19) await new Promise((resolve) => setImmediate(resolve));
      const verdict = await judgeSecurityEvent(set, id, this.#options);
      if (!verdict.ok) errors.set(id, verdict.error);
      else if (!verdict.revocation) this.#counts.ignoredSecurityEvents++;
      else if (verdict.revocation.kind === 'key') this.#options.onKeyRevoked(verdict.revocation.kid);
      else revocations.add(verdict.revocation, now());
    }
    this.#counts.securityEvents += answer.sets.length;
    this.#counts.refusedSecurityEvents += errors.size;
    const [first] = errors;
    if (first) {
      this.#standing = { setErrs: reportOf(errors) };
      return `SET ${first[0].slice(0, 100)}: ${first[1].description}`;
    }
    const mark = await readFeedMark(answer.mark, this.#options);
    if ('err' in mark) return `mark: ${mark.description}`;
    if (!isReplay && !follows(mark, this.#mark as FeedMarkClaims))
      return `position ${mark.jti.slice(0, 100)} does not follow ${this.#mark?.jti.slice(0, 100)}`;
    this.#noteEpoch(mark, answer.resync);
    this.#mark = mark;
    this.#standing = { ack: [...answer.sets.map(([id]) => id), mark.jti] };
    if (answer.moreAvailable) this.#isCaughtUp = false;
    else {
      this.#isCaughtUp = true;
      // Where stores take turns, what each of them says counts beside what was known, and nothing is taken to be whole.
      if (this.dividedForMs() === undefined) this.#becomeCurrent(mark, sentAtMs);
    }
    return undefined;
  }

  /** `isResync`: the answer begins a replay; whether one was asked for is seen by the mark still held. */
  #noteEpoch(mark: FeedMarkClaims, isResync: boolean): void {
    const nowMs = this.#options.monotonicMs();
    const isSetBack = isResync && this.#mark !== undefined;
    if (isSetBack) this.#startOvers.note(nowMs);
    const cause = this.#epochs.note(splitPosition(mark.jti)[0], isSetBack, nowMs);
    if (cause === undefined) return;
    this.#lastFailure = cause;
    this.#tellOnce({ kind: 'feed-gap', url: this.#url as string, cause });
    this.#endFirstRound();
  }

  #becomeCurrent(mark: FeedMarkClaims, sentAtMs: number): void {
    const { revocations, monotonicMs, now, skew, onNotice } = this.#options;
    if (revocations.isReplacing) this.#replayTookMs = monotonicMs() - this.#replayBeganAtMs;
    revocations.completeReplacement();
    const behindMs = now() * 1000 - mark.as_of_ms - (skew + 1) * 1000;
    this.#currentAtMs = Math.min(sentAtMs, monotonicMs() - Math.max(0, behindMs));
    if (!revocations.isIncomplete) this.#replayAgainAtMs = undefined;
    else
      this.#replayAgainAtMs ??=
        monotonicMs() + Math.max(retryIncompleteMs, retryIncompletePerReplay * this.#replayTookMs);
    // One that starts over again and again is found when that has ended: to be told of each time would hide it.
    if (this.#startOversSoFar() < 2) {
      if (!this.#isAnnounced)
        onNotice({ kind: 'feed-current', url: this.#url as string, position: mark.jti, entries: revocations.size });
      this.#isAnnounced = true;
      this.#told.clear();
    }
    this.#lastFailure = undefined;
    this.#endFirstRound();
  }

  /** A picture that had no room for everything can become whole only by a replay, once entries have lapsed. */
  #mayReplayAgain(): boolean {
    return this.#replayAgainAtMs !== undefined && this.#options.monotonicMs() >= this.#replayAgainAtMs;
  }

  #askForReplay(): void {
    const { setErrs } = this.#standing;
    this.#standing = setErrs ? { setErrs } : {};
    this.#mark = undefined;
    this.#awaitsReplay = true;
    this.#isCaughtUp = false;
    this.#replayAgainAtMs = undefined;
  }

  #noteFailure(error: unknown): void {
    const url = this.#url ?? '';
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof EdgeRequestError ? error.code : 'unreachable';
    if (this.#isCut(error)) this.#noteCut();
    else if (error instanceof FeedGap) this.#tellOnce({ kind: 'feed-gap', url, cause: message });
    else this.#tellOnce({ kind: 'feed-lost', url, code, message });
    this.#failuresInARow++;
    this.#lastFailure = message;
    this.#isCaughtUp = false;
  }

  /**
   * True for a line that was in use and broke, or that a proxy gave up: they do so when they are idle, reload or restart. No loss yet: it is asked again at once, and the operator is told when that
   * fails too. Not more than once a second.
   */
  #isCut(error: unknown): boolean {
    if (!(error instanceof EdgeRequestError) || !this.#asked || this.#failuresInARow > 0) return false;
    const nowMs = this.#options.monotonicMs();
    if (this.#cutAtMs !== undefined && nowMs - this.#cutAtMs < leastBetweenCutsMs) return false;
    if (error.code === 'unreachable') return true;
    return this.#heldMs(nowMs) >= leastHeldMs && givenUp.includes(error.status ?? 0);
  }

  #noteCut(): void {
    const nowMs = this.#options.monotonicMs();
    const heldMs = this.#heldMs(nowMs);
    if (heldMs >= leastHeldMs) this.#wait.noteCut(heldMs, nowMs);
    this.#cutAtMs = nowMs;
    this.#cuts = 1;
  }

  /** How long the poll under way has been held; none that was to be answered at once is. */
  #heldMs(nowMs: number): number {
    return this.#asked?.isLong ? nowMs - this.#asked.sentAtMs : 0;
  }

  /** A gap that stays is told once, and a loss is told also where a gap was told before. */
  #tellOnce(notice: FeedNotice): void {
    if (this.#told.has(notice.kind)) return;
    this.#told.add(notice.kind);
    this.#isAnnounced = false;
    this.#options.onNotice(notice);
  }

  /** The pause doubles from 100 ms to 5 s; between half of it and all of it, so that edges do not come back in step. None before every node was tried. */
  async #pauseAfter(rounds: number): Promise<void> {
    if (rounds <= 0) return;
    const wholeMs = Math.min(mostPauseMs, leastPauseMs * 2 ** Math.min(rounds - 1, 10));
    await this.#pause(wholeMs * (0.5 + this.#options.random() / 2));
  }

  async #pause(durationMs: number): Promise<void> {
    if (this.#closing.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Something may have been missed; `message` says what showed it. */
class FeedGap extends Error {}

/** What goes into `setErrs`: a report that a server refuses for its size would be sent again and again, and nothing be learned. */
function reportOf(errors: ReadonlyMap<string, SecurityEventError>): NonNullable<PollRequest['setErrs']> {
  const readable = [...errors].filter(([id]) => id.length <= longestReportedId);
  return Object.fromEntries(readable.slice(0, mostReported));
}

/** A mark follows another in the same store epoch and not below its position; anything else means that something was missed. */
function follows(mark: FeedMarkClaims, previous: FeedMarkClaims): boolean {
  const [epoch, position] = splitPosition(mark.jti);
  const [previousEpoch, previousPosition] = splitPosition(previous.jti);
  return epoch === previousEpoch && position >= previousPosition;
}

function splitPosition(jti: string): [epoch: string, position: number] {
  const dot = jti.lastIndexOf('.');
  return [jti.slice(0, dot), Number(jti.slice(dot + 1))];
}

function readPollAnswer(body: unknown, url: string): PollAnswerRead {
  const { sets, mark, moreAvailable, resync } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  const entries = typeof sets === 'object' && sets !== null ? Object.entries(sets) : undefined;
  if (!entries?.every((entry): entry is [string, string] => typeof entry[1] === 'string') || typeof mark !== 'string')
    throw new EdgeRequestError('not_json', `${url} did not answer with sets and a mark (RFC 8936 section 2.3)`);
  return { sets: entries, mark, moreAvailable: moreAvailable === true, resync: resync === true };
}
