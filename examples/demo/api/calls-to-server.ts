import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';
import type { Fetch } from '@tessera/edge';

/**
 * Counts, for each request to the API, how often its handling called the server, and says so in the header `Demo-Calls-To-Server`. The feed of endings
 * runs beside all requests and belongs to none.
 */
export class CallsToServer {
  readonly #current = new AsyncLocalStorage<{ calls: number }>();

  /** The `fetch` to give to the edge: everything it asks the server goes through here. */
  readonly fetch: Fetch = (input, init) => {
    const request = this.#current.getStore();
    if (request) request.calls++;
    return fetch(input, init);
  };

  /** Runs the handling of one request. */
  count(response: ServerResponse, handle: () => void): void {
    const request = { calls: 0 };
    const writeHead = response.writeHead.bind(response) as (...parts: unknown[]) => ServerResponse;
    // The number is known when the answer begins, and not before.
    response.writeHead = (...parts: unknown[]) => {
      response.setHeader('Demo-Calls-To-Server', request.calls);
      return writeHead(...parts);
    };
    this.#current.run(request, handle);
  }
}
