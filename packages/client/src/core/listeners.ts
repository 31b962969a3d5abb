/** Listeners of one kind of event. A listener that throws neither stops the others nor the client; its error is reported as uncaught. */
export class Listeners<Event> {
  readonly #listeners = new Set<(event: Event) => void>();

  /** Adds a listener; the returned function removes it. */
  add(listener: (event: Event) => void): () => void {
    // Wrapped, so that the same function added twice is two subscriptions with two ends.
    const entry = (event: Event) => listener(event);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Tells all listeners, in the order they came. */
  tell(event: Event): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
