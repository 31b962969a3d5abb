import { encodeBase64url } from '../core/base64url.ts';
import { sha256 } from '../core/dpop-proof.ts';

/** How long a writer says what it wrote. Far longer than a value takes to reach the other processes of a browser. */
const announcedForMs = 3000;
/** How long a reader waits for it. Then what it sees must do: the server gives the same successor to a token presented twice. */
const longestWaitMs = 1000;

/**
 * Makes sure that a tab sees what another one wrote to localStorage. Each process of a browser has a copy of localStorage that lags behind by some
 * milliseconds, so a tab that gets a lock right after the writer released it may still read the old value. Locks are held in one place: the writer holds one, for a
 * moment, whose name tells the digest of what it wrote, and the reader waits until its copy agrees.
 */
export class LatestValue {
  readonly #locks: LockManager | undefined;
  readonly #prefix: string;

  constructor(key: string, locks: LockManager | undefined = globalThis.navigator?.locks) {
    this.#locks = locks;
    this.#prefix = `${key}:written:`;
  }

  /** Announces what was written, `undefined` for a removal; one writer at a time. Resolves once every tab can know. */
  async announce(value: string | undefined): Promise<void> {
    // Two tabs may write in the same millisecond, and their clocks differ by a little.
    const before = (await this.#lastAnnounced())?.writtenAtMs ?? 0;
    const name = `${this.#prefix}${Math.max(Date.now(), before + 1)}:${await digestOf(value)}`;
    await new Promise<void>((resolve) => {
      const held = this.#locks?.request(name, { mode: 'shared' }, async () => {
        resolve();
        await pause(announcedForMs);
      });
      // Without locks, or with a page that is going away, there is nobody to tell.
      if (held === undefined) resolve();
      else held.catch(() => resolve());
    });
  }

  /** Reads until the value is the one last announced, at most a second. */
  async read(get: () => string | null): Promise<string | null> {
    const deadlineMs = Date.now() + longestWaitMs;
    for (;;) {
      const value = get();
      const announced = await this.#lastAnnounced();
      const agrees = announced === undefined || announced.digest === (await digestOf(value ?? undefined));
      if (agrees || Date.now() > deadlineMs) return value;
      await pause(5);
    }
  }

  async #lastAnnounced(): Promise<{ writtenAtMs: number; digest: string } | undefined> {
    const held = (await this.#locks?.query())?.held ?? [];
    const announcements = held
      .map(({ name = '' }) => name)
      .filter((name) => name.startsWith(this.#prefix))
      .map((name) => name.slice(this.#prefix.length).split(':'))
      .map(([writtenAtMs, digest = '']) => ({ writtenAtMs: Number(writtenAtMs), digest }))
      // A frozen tab may hold its announcement for hours; by then it tells nothing.
      .filter(({ writtenAtMs }) => Date.now() - writtenAtMs < 2 * announcedForMs)
      .sort((one, other) => one.writtenAtMs - other.writtenAtMs);
    return announcements.at(-1);
  }
}

async function digestOf(value: string | undefined): Promise<string> {
  return value === undefined ? 'removed' : encodeBase64url(await sha256(value));
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
