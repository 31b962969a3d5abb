import { WaitingLine } from './waiting-line.ts';

// How many askers one reading answers; how many readings are under way at once, and when one is so late that others do not wait for it.
const batchSize = 256;
const mostUnderWay = 4;
const lateMs = 50;

type Waiting<Asked, Answer> = { asked: Asked; resolve(answer: Answer): void; reject(error: unknown): void };

/**
 * Answers all who ask at the same time by one reading. Who asks while a reading is under way waits for the next one, so under load a reading costs each of them a small
 * part of a statement, and what is answered is never older than the question.
 */
export class AskedTogether<Asked, Answer> {
  readonly #read: (batch: readonly Asked[]) => Promise<readonly Answer[]>;
  readonly #waiting = new WaitingLine<Waiting<Asked, Answer>>('readings');
  #underWay = 0;
  #beganMs = 0;
  #isScheduled = false;

  /** `read` answers each of a batch, in their order. */
  constructor(read: (batch: readonly Asked[]) => Promise<readonly Answer[]>) {
    this.#read = read;
  }

  /** Rejects with what the reading failed with, or with `StoreUnavailable` when too many wait or its turn does not come in time. */
  ask(asked: Asked): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.join({ asked, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#isBusy()) return;
    this.#isScheduled = true;
    // After the events of this turn of the loop, so that those who came with it go together.
    setImmediate(() => {
      this.#isScheduled = false;
      const batch = this.#waiting.take(batchSize);
      if (batch.length === 0) return;
      this.#underWay += 1;
      this.#beganMs = performance.now();
      this.#answer(batch).finally(() => {
        this.#underWay -= 1;
        this.#schedule();
      });
    });
  }

  #isBusy(): boolean {
    if (this.#underWay === 0) return false;
    return this.#underWay >= mostUnderWay || performance.now() - this.#beganMs < lateMs;
  }

  async #answer(batch: readonly Waiting<Asked, Answer>[]): Promise<void> {
    try {
      const answers = await this.#read(batch.map(({ asked }) => asked));
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
