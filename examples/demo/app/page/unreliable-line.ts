/** A `fetch` that can be told to throw the next answer of an address away, after the server gave it: as a train does that enters a tunnel. */
export class UnreliableLine {
  #losing: { url: string; lost: () => void } | undefined;

  /** Loses the next answer from this address. Resolves when it is lost. */
  loseNextAnswer(url: string): Promise<void> {
    return new Promise((resolve) => {
      this.#losing = { url, lost: resolve };
    });
  }

  /** What the client library uses instead of `fetch`. */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const response = await fetch(input, init);
    const losing = this.#losing;
    if (losing === undefined || response.url !== losing.url) return response;
    this.#losing = undefined;
    losing.lost();
    throw new TypeError('the answer was lost on its way');
  };
}
