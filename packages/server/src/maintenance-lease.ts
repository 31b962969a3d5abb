import type { Seconds } from '@tessera/protocol';
import type { Random } from './secrets/random.ts';
import type { Store } from './store/store.ts';

/** How long a node that died keeps the others waiting, and how often one that lives renews. */
const heldFor: Seconds = 30;
const renewEvery: Seconds = 10;
const name = 'maintenance';

type Held = { holder: string; until: Seconds };

/**
 * Which of the processes on one store does the maintenance: all could, and nothing goes wrong when two do, but the work would be done as often as there are processes. The
 * lease stands in the store; one that lapsed, because its holder died or froze, goes to whoever asks first.
 */
export class MaintenanceLease {
  readonly #store: Store;
  readonly #now: () => Seconds;
  readonly #holder: string;
  #until: Seconds = 0;

  constructor(store: Store, now: () => Seconds, random: Random) {
    this.#store = store;
    this.#now = now;
    this.#holder = Buffer.from(random(12)).toString('base64url');
  }

  /** True when it is this process's turn, which it then remains for at least some seconds. */
  async hold(): Promise<boolean> {
    const now = this.#now();
    const left = this.#until - now;
    if (left > heldFor - renewEvery && left <= heldFor) return true;
    const found = await this.#store.get('setting', name);
    const held = found?.value as Held | undefined;
    // A lease that runs for longer than any is given was written by a clock that was ahead.
    const isFree = !held || held.holder === this.#holder || held.until <= now || held.until > now + heldFor;
    return isFree && (await this.#write(found?.version, now + heldFor));
  }

  /** Lets another process take over at once. */
  async release(): Promise<void> {
    if (this.#until <= this.#now()) return;
    const found = await this.#store.get('setting', name);
    if ((found?.value as Held | undefined)?.holder === this.#holder) await this.#write(found?.version, 0);
  }

  async #write(version: number | undefined, until: Seconds): Promise<boolean> {
    const value: Held = { holder: this.#holder, until };
    const record = { name, version: 0, value };
    const { outcome } = await this.#store.commit([
      { change: 'put', kind: 'setting', expect: version ?? 'absent', record },
    ]);
    this.#until = outcome === 'committed' ? until : 0;
    return outcome === 'committed';
  }
}
