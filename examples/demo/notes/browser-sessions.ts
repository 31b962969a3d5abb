import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Values kept on this server, each for one browser, which holds nothing but a random name in a cookie that script cannot read. In memory, bounded:
 * the oldest goes first.
 */
export class BrowserSessions<Value> {
  readonly #cookie: string;
  readonly #most: number;
  readonly #values = new Map<string, Value>();

  constructor(cookie: string, most = 1000) {
    this.#cookie = cookie;
    this.#most = most;
  }

  /** The value of this browser, if there is one. */
  get(request: IncomingMessage): Value | undefined {
    return this.#values.get(this.#nameOf(request));
  }

  /** Keeps a value under a new name: one that was planted in the browser before is worth nothing. */
  begin(request: IncomingMessage, response: ServerResponse, value: Value): void {
    this.#values.delete(this.#nameOf(request));
    const name = randomBytes(24).toString('base64url');
    this.#values.set(name, value);
    for (const oldest of this.#values.keys()) if (this.#values.size > this.#most) this.#values.delete(oldest);
    // Lax: the sign-in comes back from the server's site by a navigation. On https it would be Secure and named __Host-.
    response.appendHeader('Set-Cookie', `${this.#cookie}=${name}; Path=/; HttpOnly; SameSite=Lax`);
  }

  /** Replaces the value of this browser, under the same name. */
  replace(request: IncomingMessage, value: Value): void {
    const name = this.#nameOf(request);
    if (this.#values.has(name)) this.#values.set(name, value);
  }

  /** Forgets the value of this browser and returns it. */
  end(request: IncomingMessage, response: ServerResponse): Value | undefined {
    const name = this.#nameOf(request);
    const value = this.#values.get(name);
    this.#values.delete(name);
    response.appendHeader('Set-Cookie', `${this.#cookie}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`);
    return value;
  }

  #nameOf(request: IncomingMessage): string {
    const pairs = (request.headers.cookie ?? '').split(/; */);
    return pairs.find((pair) => pair.startsWith(`${this.#cookie}=`))?.slice(this.#cookie.length + 1) ?? '';
  }
}
