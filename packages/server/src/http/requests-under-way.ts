import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How many requests of one connection may be under way: browsers, proxies and libraries send the next one when they have the answer, or a handful ahead. */
const mostOfOne = 100;

/** How much of the answers to one connection may wait to be read: a dozen of the largest. */
const mostUnreadBytes = 4 * 1024 * 1024;

/**
 * Counts the requests of each connection that are under way, and what of their answers is not read. Node takes as many from a connection as were sent at once, thousands in one packet: a
 * hundred connections that send so and never read an answer would take gigabytes.
 */
export class RequestsUnderWay {
  readonly #counts = new WeakMap<Socket, { underWay: number; unreadBytes: number }>();

  /** Counts a request that came. False when its connection has too many: then it gets no answer any more. */
  begin(socket: Socket): boolean {
    const count = this.#counts.get(socket);
    if (count === undefined) this.#counts.set(socket, { underWay: 1, unreadBytes: 0 });
    else if (++count.underWay > mostOfOne) return false;
    return true;
  }

  /** Counts one that was answered. False when too much waits to be read: the connection is to be cut. */
  end(socket: Socket, response: ServerResponse): boolean {
    const count = this.#counts.get(socket);
    if (count === undefined) return true;
    count.underWay--;
    const waitingBytes = response.writableLength;
    if (waitingBytes === 0) return true;
    // What waited before this one: a single answer may be as large as it is.
    const isTooMuch = count.unreadBytes > mostUnreadBytes;
    count.unreadBytes += waitingBytes;
    response.once('close', () => {
      count.unreadBytes -= waitingBytes;
    });
    return !isTooMuch;
  }
}
