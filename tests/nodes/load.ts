import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type App, introspectAs, present, revoke, signInApps, signOut } from '../apps.ts';
import { eventually } from '../eventually.ts';
import { pick } from '../seeded.ts';
import { History } from './history.ts';
import type { Nodes, ServerNode } from './nodes.ts';

/** When a client gives up on an answer and asks elsewhere, unless a test says otherwise. */
const usualPatienceMs = 1500;

/**
 * Apps that refresh and are introspected at random nodes, as fast as they can, and some that are ended meanwhile. A client that gets no answer keeps what it holds and asks again,
 * mostly another node. Everything is written down.
 */
export class Load {
  readonly history = new History();
  readonly #nodes: Pick<Nodes, 'all' | 'running'>;
  readonly #random: () => number;
  readonly #apps: App[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #timeoutMs: number;
  #isRunning = true;
  #isPatient = false;

  /** `patienceMs`: when a client gives up on an answer. */
  constructor(
    nodes: Pick<Nodes, 'all' | 'running'>,
    random: () => number,
    { patienceMs = usualPatienceMs }: { patienceMs?: number } = {},
  ) {
    this.#nodes = nodes;
    this.#random = random;
    this.#timeoutMs = patienceMs;
  }

  /** Signs in that many browsers, two apps each, and lets the apps begin. `pauseMs`: between the requests of each, at most. */
  async begin(browsers: number, pauseMs = 20): Promise<void> {
    for (let index = 0; index < browsers; index++) {
      let isSignedIn = false;
      const signedIn = await signInApps(() => {
        const node = pick(this.#nodes.running, this.#random);
        return isSignedIn ? this.#reach(node) : node.reach;
      });
      isSignedIn = true;
      for (const app of signedIn) {
        const number = this.#apps.push(app) - 1;
        this.#running.push(this.#run(number, pauseMs));
      }
    }
  }

  /** Ends the grant of a random app, or signs its browser out, at a random node that runs. */
  async endOne(): Promise<void> {
    const number = Math.floor(this.#random() * this.#apps.length);
    const app = this.#apps[number] as App;
    const node = pick(this.#nodes.running, this.#random);
    const where = { app: number, node: node.number, sent: '' };
    if (this.#random() < 0.5) {
      await this.history.record('revoke', where, () => revoke(this.#reach(node), app, app.refreshToken));
      return;
    }
    // Its sibling under the same session ends with it, whatever the answer.
    const isDone = signOut(this.#reach(node), app);
    const sibling = number % 2 === 0 ? number + 1 : number - 1;
    await Promise.all([
      this.history.record('sign-out', where, () => isDone),
      this.history.record('sign-out', { ...where, app: sibling }, () => isDone),
    ]);
  }

  /** Ends the apps; not before they refreshed more than `refreshes` times, so that a slow machine has seen as much as any. */
  async stop(refreshes = -1): Promise<void> {
    await eventually(() => this.history.count('refresh', 'done') > refreshes);
    this.#isRunning = false;
    await Promise.all(this.#running);
  }

  /**
   * Asks every node about every app, when all is well again: what was not ended lives, what was ended is dead everywhere, and what clients hold still works.
   */
  async checkEnd(seed: number): Promise<void> {
    this.#isPatient = true;
    for (const [number, app] of this.#apps.entries())
      for (const node of this.#nodes.running) await this.#introspect(number, app, node);
    for (const [number, app] of this.#apps.entries())
      await this.#refresh(number, app, pick(this.#nodes.running, this.#random));
    const last = this.history.entries.slice(-this.#apps.length * (this.#nodes.running.length + 1));
    for (const { outcome, asked, node } of last)
      assert.ok(
        ['done', 'refused'].includes(outcome.kind),
        `seed ${seed}: in the end ${asked} at node ${node} was ${outcome.kind}`,
      );
    this.history.check(seed);
  }

  async #run(number: number, pauseMs: number): Promise<void> {
    const app = this.#apps[number] as App;
    while (this.#isRunning) {
      const node = pick(this.#nodes.all, this.#random);
      const outcome =
        this.#random() < 0.7 ? await this.#refresh(number, app, node) : await this.#introspect(number, app, node);
      await sleep(outcome.kind === 'done' ? this.#random() * pauseMs : 50);
    }
  }

  async #refresh(number: number, app: App, node: ServerNode) {
    const sent = app.refreshToken;
    const outcome = await this.history.record('refresh', { app: number, node: node.number, sent }, () =>
      present(this.#reach(node), app, sent),
    );
    if (outcome.kind === 'done' && outcome.successor !== undefined) app.refreshToken = outcome.successor;
    return outcome;
  }

  #introspect(number: number, app: App, node: ServerNode) {
    const sent = app.accessToken;
    return this.history.record('introspect', { app: number, node: node.number, sent }, () =>
      introspectAs(this.#reach(node), 'orders-api', sent),
    );
  }

  #reach(node: ServerNode) {
    return this.#isPatient ? node.reach : { ...node.reach, timeoutMs: this.#timeoutMs };
  }
}

/** How much longer than by default a scenario runs: `TESSERA_ROUNDS`, 1 by default. */
export const rounds = Number(process.env.TESSERA_ROUNDS ?? 1);
