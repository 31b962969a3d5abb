import type { Socket } from 'node:net';

/** How many requests of one connection may be under way: browsers, proxies and libraries send the next one when they have the answer, or a handful ahead. */
const mostOfOne = 100;

/**
 * Counts the requests of each connection that are under way. Node takes as many from a connection as were sent at once, thousands in one packet: a hundred connections
 * that send so and never read an answer would take gigabytes.
 */
export class RequestsUnderWay {
  readonly #counts = new WeakMap<Socket, { underWay: number }>();

  /** Counts a request that came. False when its connection has too many: then it gets no answer any more. */
  begin(socket: Socket): boolean {
    const count = this.#counts.get(socket);
    if (count === undefined) this.#counts.set(socket, { underWay: 1 });
    else if (++count.underWay > mostOfOne) return false;
    return true;
  }

  /** Counts one that was answered. */
  end(socket: Socket): void {
    const count = this.#counts.get(socket);
    if (count !== undefined) count.underWay--;
  }
}
