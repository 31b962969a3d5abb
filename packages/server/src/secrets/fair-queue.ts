/**
 * Lets at most `concurrency` pieces of work run at once. Those that wait stand in one line for each source, and the lines take turns: who sends many waits behind
 * their own, not before others. `longest` bounds all lines together, `longestOfOne` each.
 */
export class FairQueue {
  readonly #concurrency: number;
  readonly #longest: number;
  readonly #longestOfOne: number;
  readonly #lines = new Map<string, (() => void)[]>();
  #running = 0;
  #waiting = 0;

  constructor(options: { concurrency: number; longest: number; longestOfOne: number }) {
    this.#concurrency = options.concurrency;
    this.#longest = options.longest;
    this.#longestOfOne = options.longestOfOne;
  }

  /** Takes a place; resolves when it is one's turn. Undefined, at once, when the line is full. Whoever got a turn must `leave`. */
  enter(source: string): Promise<void> | undefined {
    if (this.#running < this.#concurrency) {
      this.#running++;
      return Promise.resolve();
    }
    const line = this.#lines.get(source) ?? [];
    if (this.#waiting >= this.#longest || line.length >= this.#longestOfOne) return undefined;
    this.#waiting++;
    return new Promise((resolve) => {
      line.push(resolve);
      this.#lines.set(source, line);
    });
  }

  /** Gives the turn back: to the first of the line that waited longest for one. */
  leave(): void {
    const [first] = this.#lines;
    if (!first) {
      this.#running--;
      return;
    }
    const [source, line] = first;
    const next = line.shift();
    this.#lines.delete(source);
    // To the end of the lines: the others come first now.
    if (line.length > 0) this.#lines.set(source, line);
    this.#waiting--;
    next?.();
  }
}
