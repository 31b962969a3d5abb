import { largestAllowedSkew } from '@tessera/protocol';
import type { Context } from './context.ts';
import { EvenTime } from './even-time.ts';
import { MaintenanceLease } from './maintenance-lease.ts';
import { tokensUntil } from './sessions/tokens-until.ts';
import { JournaledStore } from './store/journal/journaled-store.ts';
import { type KeyRotationPolicy, readSigningKeys, replaceMuteKeys, rotateSigningKeys } from './tokens/key-rotation.ts';
import { signingAlgorithms } from './tokens/signing-keys.ts';

/** The pause between two looks for lapsed sessions, in milliseconds, and how often the slower work is done. */
const pauseMs = 2000;
const slowEveryMs = 60_000;
/** A look costs what comes due; with much of it the pauses grow, so that looking takes at most a twentieth of the time. */
const pausePerLook = 20;
/** Rows of one slice: a slice must never hold up a request. */
const slice = 200;
/** How long, in seconds, ended rows stay at hand beyond the last token under them: for support, and so that late replays find their grant. */
const keepEndedFor = 3600;

/** The rotation schedule that the configuration asks for. */
async function keyRotationPolicy(context: Context): Promise<KeyRotationPolicy> {
  const { keys, lifetimes } = context.config;
  const longestToken = (await tokensUntil(context, 0)) + lifetimes.idToken + largestAllowedSkew;
  // An app hands its ID token back when it signs its user out, long after it expired; with keys that rotate fast, two rounds must do.
  const asHints = Math.min(lifetimes.session, 2 * keys.rotateEvery);
  return { ...keys, keepRetiredFor: Math.max(longestToken, asHints) };
}

/**
 * Loads the signing keys, after making or rotating what is due. A current key that cannot be opened, because the root key it was encrypted under was refused since,
 * is replaced at once.
 */
export async function refreshSigningKeys(context: Context): Promise<void> {
  const policy = await keyRotationPolicy(context);
  await context.signingKeys.reload(() => rotateSigningKeys(context, policy));
  if (signingAlgorithms.every((algorithm) => context.signingKeys.currentKid(algorithm) !== undefined)) return;
  await replaceMuteKeys(context, { kind: 'server' });
  await reloadSigningKeys(context);
}

/**
 * What must happen although nobody asks: lapsed sessions and grants are ended, with everyone told, before their rows go; keys rotate. In slices, while serving. Of the processes
 * on one store one does it at a time; when it is gone another takes over within half a minute. A clock that jumps ahead ends nothing until it has stayed there for a while.
 */
export class Maintenance {
  readonly #context: Context;
  #lookTimer: NodeJS.Timeout | undefined;
  #slowTimer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;
  readonly #lease: MaintenanceLease;
  readonly #time: EvenTime;

  constructor(context: Context) {
    this.#context = context;
    this.#lease = new MaintenanceLease(context.store, context.now, context.random);
    this.#time = new EvenTime(context.nowMs, context.monotonicMs);
  }

  /** Asks for its turn, and from now on does the work when it has it. */
  async start(): Promise<void> {
    await this.#lease.hold();
    this.#lookAgainIn(pauseMs);
    this.#slowTimer = setInterval(() => this.#queue(() => this.#slowWork()), slowEveryMs).unref();
  }

  /** Ends what has lapsed; says how many sessions and grants that were. */
  async endLapsed(): Promise<number> {
    const { store, now } = this.#context;
    const { sessions, grants } = await store.findLapsed(now(), slice);
    if (sessions.length + grants.length === 0) return 0;
    const at = now();
    // No token outlives what it hangs on: those under it have expired too, but for what an edge may allow for its clock.
    const lapse = { at, actor: { kind: 'server' } as const, until: at + largestAllowedSkew };
    const idle = { ...lapse, reason: 'idle' as const };
    const expired = { ...lapse, reason: 'expired' as const };
    await store.commit([
      ...sessions.map((session) => ({
        change: 'end-sessions' as const,
        where: { sid: session.sid, version: session.version },
        offline: false,
        ending: session.endsAt <= at ? expired : idle,
      })),
      ...grants.map((grant) => ({
        change: 'end-grants' as const,
        where: { grantId: grant.grantId },
        ending: grant.endsAt <= at ? expired : idle,
      })),
    ]);
    return sessions.length + grants.length;
  }

  /** Removes rows that nothing needs any more. */
  async sweep(): Promise<void> {
    const { store, now, config } = this.#context;
    const at = now();
    const endedBefore = at - keepEndedFor - ((await tokensUntil(this.#context, at)) - at);
    const bounds = { now: at, endedBefore, eventsBefore: at - config.eventRetention, limit: slice };
    for (;;) {
      const removed = await store.sweep(bounds);
      if (this.#isStopped || Math.max(...Object.values(removed)) < slice) return;
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#lookTimer);
    clearInterval(this.#slowTimer);
    await this.#running;
    // Left to lapse if it cannot be given back: others wait for that.
    await this.#lease.release().catch(() => undefined);
  }

  #lookAgainIn(ms: number): void {
    if (this.#isStopped) return;
    this.#lookTimer = setTimeout(() => this.#queue(() => this.#look()), ms).unref();
  }

  async #look(): Promise<void> {
    const startedMs = performance.now();
    try {
      const ended = (await this.#isTurn()) ? await this.endLapsed() : 0;
      this.#lookAgainIn(ended >= slice ? 0 : Math.max(pauseMs, pausePerLook * (performance.now() - startedMs)));
    } catch (error) {
      this.#lookAgainIn(pauseMs);
      throw error;
    }
  }

  async #slowWork(): Promise<void> {
    const { store, now } = this.#context;
    // Each node has a journal of its own.
    if (store instanceof JournaledStore && this.#context.clock.isSteady) await store.compactIfDue(now());
    if (!(await this.#isTurn())) return reloadSigningKeys(this.#context);
    await refreshSigningKeys(this.#context);
    await this.sweep();
  }

  /** Whether this process is the one that does the work, and whether the time can be trusted with what is for good. */
  async #isTurn(): Promise<boolean> {
    return this.#time.look() && (await this.#lease.hold());
  }

  #queue(work: () => Promise<unknown>): void {
    this.#running = this.#running
      .then(() => (this.#isStopped ? undefined : work()))
      .then(
        () => undefined,
        (error: unknown) => this.#context.log.error({ error: String(error) }, 'maintenance failed; it is tried again'),
      );
  }
}

/** Reads the signing keys again, for instance when another process changed them. */
export async function reloadSigningKeys(context: Pick<Context, 'signingKeys' | 'store'>): Promise<void> {
  await context.signingKeys.reload(() => readSigningKeys(context.store));
}
