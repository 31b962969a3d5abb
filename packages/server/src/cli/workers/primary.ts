import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { extname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/config.ts';
import { CommandFailure } from '../failure.ts';
import { explainListen } from '../listen-failure.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { MetricsOfWorkers } from './metrics-of-workers.ts';

/** Workers that serve one port together. */
export type RunningWorkers = {
  url: string;
  pids: number[];
  /** Has all of them answer what is under way and end. */
  stop(): Promise<void>;
};

/** A worker's place; `quickEnds`: how many in a row ended soon after they began. */
type Place = { number: number; worker: Worker | undefined; startedAtMs: number; quickEnds: number };

/** A worker that lives shorter ends "at once"; then the pause before the next one doubles, between these (milliseconds). */
const soonMs = 10_000;
const leastPauseMs = 250;
const mostPauseMs = 30_000;
/** Longer than a server takes to answer what is under way; whoever has not ended by then is ended. */
const stopMs = 15_000;

/**
 * Starts as many workers as the settings say and resolves when all are ready; those that end are replaced, `tell` hears of it. The port belongs to this process,
 * which hands each connection to the next worker that is free. The first worker starts alone: what is made once in the life of a store
 * is made by it. Throws `CommandFailure` when a worker cannot start.
 */
export async function startWorkers(config: Config, tell: (message: string) => void): Promise<RunningWorkers> {
  const primary = new Primary(await withPort(config), tell);
  try {
    return await primary.start();
  } catch (error) {
    await primary.stop();
    throw error;
  }
}

class Primary {
  readonly #config: Config;
  readonly #tell: (message: string) => void;
  readonly #places: Place[];
  readonly #metrics = new MetricsOfWorkers((workerId, question) =>
    send(cluster.workers?.[workerId], { kind: 'collect', question }),
  );
  readonly #ending = new AbortController();

  constructor(config: Config, tell: (message: string) => void) {
    this.#config = config;
    this.#tell = tell;
    this.#places = Array.from({ length: config.workers }, (_, index) => ({
      number: index + 1,
      worker: undefined,
      startedAtMs: 0,
      quickEnds: 0,
    }));
    cluster.schedulingPolicy = cluster.SCHED_RR;
    // Beside this file, with this file's ending: from sources, built, and in the bundle, which carries it as a file of its own.
    cluster.setupPrimary({
      exec: fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url)),
      args: [],
    });
  }

  async start(): Promise<RunningWorkers> {
    const [first, ...others] = this.#places as [Place, ...Place[]];
    const url = await this.#launch(first, { declares: true });
    await Promise.all(others.map((place) => this.#launch(place)));
    for (const place of this.#places) this.#watch(place);
    return { url, pids: this.#places.map(({ worker }) => worker?.process.pid ?? 0), stop: () => this.stop() };
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    const running = this.#places.flatMap(({ worker }) => (worker && !worker.isDead() ? [worker] : []));
    await Promise.all(running.map(end));
  }

  /**
   * Starts a worker in that place; resolves to the URL it serves when it is ready. `declares` once alone: a worker that is replaced days later would put back what
   * a node with a newer configuration has declared since, and cut off the clients only that one knows.
   */
  #launch(place: Place, { declares } = { declares: false }): Promise<string> {
    place.startedAtMs = performance.now();
    place.worker = undefined;
    return new Promise((resolve, reject) => {
      const worker = cluster.fork();
      place.worker = worker;
      // Unheard it would end this process, and all workers with it.
      worker.on('error', (error: NodeJS.ErrnoException) => {
        if (worker.process.pid !== undefined) return;
        place.worker = undefined;
        reject(
          new CommandFailure(
            `the machine starts no process for it (${error.code}); is its memory or the limit of processes used up?`,
          ),
        );
      });
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') resolve(message.url);
        else if (message.kind === 'failed') reject(new CommandFailure(message.message, message.exitCode === 2 ? 2 : 1));
        else this.#answer(worker, message);
      });
      worker.once('exit', () => {
        this.#metrics.depart(worker.id);
        reject(new CommandFailure(`worker ${place.number} ${howItEnded(worker)} before it was ready`));
      });
      send(worker, { kind: 'start', config: this.#config, declares });
    });
  }

  #answer(worker: Worker, message: Extract<FromWorker, { question: number }>): void {
    const { question } = message;
    if (message.kind === 'metrics') {
      this.#metrics.answer(worker.id, question, message.metrics);
      return;
    }
    // The asker too: what it has counted must be known here when it is gone.
    const all = this.#places.flatMap(({ worker: one }) => (one?.isConnected() ? [one.id] : []));
    void this.#metrics.gather(all).then((metrics) => send(worker, { kind: 'collected', question, metrics }));
  }

  #watch(place: Place): void {
    const { worker } = place;
    if (worker === undefined) {
      void this.#replace(place, 'could not be started');
      return;
    }
    const replace = () => void this.#replace(place, `(pid ${worker.process.pid}) ${howItEnded(worker)}`);
    if (worker.isDead()) replace();
    else worker.once('exit', replace);
  }

  async #replace(place: Place, cause: string): Promise<void> {
    const { signal } = this.#ending;
    if (signal.aborted) return;
    const wasQuick = performance.now() - place.startedAtMs < soonMs;
    place.quickEnds = wasQuick ? place.quickEnds + 1 : 0;
    const pauseMs = wasQuick ? Math.min(mostPauseMs, leastPauseMs * 2 ** (place.quickEnds - 1)) : 0;
    const times = place.quickEnds > 1 ? `, ${place.quickEnds} times in a row soon after its start` : '';
    this.#tell(`✗ worker ${place.number} ${cause}${times}; the next one starts in ${pauseMs / 1000} s`);
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await this.#launch(place);
    } catch (error) {
      if (signal.aborted) return;
      this.#tell(`✗ worker ${place.number}: ${(error as Error).message}`);
      return this.#watch(place);
    }
    this.#tell(`✓ worker ${place.number} is back (pid ${place.worker?.process.pid})`);
    this.#watch(place);
  }
}

async function end(worker: Worker): Promise<void> {
  const exited = once(worker, 'exit');
  send(worker, { kind: 'stop' });
  const timer = setTimeout(() => worker.process.kill('SIGKILL'), stopMs);
  await exited;
  clearTimeout(timer);
}

function send(worker: Worker | undefined, message: ToWorker): boolean {
  if (!worker?.isConnected()) return false;
  // Without the callback a channel that closes meanwhile would throw.
  worker.send(message, undefined, undefined, () => undefined);
  return true;
}

function howItEnded({ process: { exitCode, signalCode } }: Worker): string {
  return signalCode === null ? `ended with code ${exitCode}` : `was ended by ${signalCode}`;
}

/** A free port is chosen once, so that workers that come later find the same one. */
async function withPort(config: Config): Promise<Config> {
  const { host, port } = config.listen;
  if (port !== 0) return config;
  const probe = createServer();
  const listening = once(probe, 'listening');
  probe.listen(0, host);
  await listening.catch((error: unknown) => Promise.reject(explainListen(error, config)));
  const found = (probe.address() as { port: number }).port;
  probe.close();
  await once(probe, 'close');
  return { ...config, listen: { host, port: found } };
}
