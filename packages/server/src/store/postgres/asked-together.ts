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
  #waiting: Waiting<Asked, Answer>[] = [];
  #underWay = 0;
  #beganMs = 0;
  #isScheduled = false;

  /** `read` answers each of a batch, in their order. */
  constructor(read: (batch: readonly Asked[]) => Promise<readonly Answer[]>) {
    this.#read = read;
  }

  ask(asked: Asked): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ asked, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#isBusy()) return;
    this.#isScheduled = true;
    // After the events of this turn of the loop, so that those who came with it go together.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#underWay += 1;
      this.#beganMs = performance.now();
      this.#answer(this.#waiting.splice(0, batchSize)).finally(() => {
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
