import { addMetrics, type CollectedMetrics } from '../../metrics.ts';

/** How long, in milliseconds, a worker may take to say its metrics; beyond, what it said last stands for it. */
const answerMs = 1000;
/** Beyond so many, those of workers that are gone are summed up. */
const mostDeparted = 8;

/**
 * Brings together what all workers have counted. What a worker counted stays in the sums when it is gone: a sum that falls looks like a restart of everything to
 * whoever computes rates from it.
 */
export class MetricsOfWorkers {
  readonly #ask: (workerId: number, question: number) => boolean;
  readonly #last = new Map<number, CollectedMetrics>();
  readonly #waiting = new Map<number, (workerId: number, metrics: CollectedMetrics) => void>();
  readonly #departed: CollectedMetrics[] = [];
  #isSummingUp = false;
  #questions = 0;

  /** `ask` sends a question to a worker; false when it cannot be asked. Answers come by `answer`. */
  constructor(ask: (workerId: number, question: number) => boolean) {
    this.#ask = ask;
  }

  /** The metrics of these workers and of those that are gone. */
  async gather(workerIds: readonly number[]): Promise<CollectedMetrics[]> {
    const question = ++this.#questions;
    const missing = new Set(workerIds);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, answerMs);
      const strike = (workerId: number) => {
        missing.delete(workerId);
        if (missing.size > 0) return;
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.set(question, (workerId, metrics) => {
        this.#last.set(workerId, metrics);
        strike(workerId);
      });
      for (const workerId of workerIds) if (!this.#ask(workerId, question)) strike(workerId);
      if (workerIds.length === 0) strike(0);
    });
    this.#waiting.delete(question);
    return [...this.#departed, ...workerIds.map((workerId) => this.#last.get(workerId) ?? [])];
  }

  /** Takes a worker's answer. */
  answer(workerId: number, question: number, metrics: CollectedMetrics): void {
    this.#waiting.get(question)?.(workerId, metrics);
  }

  /** Keeps what a worker counted that is gone. Its gauges go with it. */
  depart(workerId: number): void {
    const last = this.#last.get(workerId)?.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));
    this.#last.delete(workerId);
    if (last) this.#departed.push(last);
    if (this.#departed.length > mostDeparted && !this.#isSummingUp) void this.#sumUp();
  }

  async #sumUp(): Promise<void> {
    this.#isSummingUp = true;
    const taken = [...this.#departed];
    const sum = await addMetrics(taken);
    this.#departed.splice(0, taken.length, sum);
    this.#isSummingUp = false;
  }
}
