import { type Answer, HttpConnection } from './http-connection.ts';

/** Where the endpoints of a server are, as its metadata say; paths with what stands before them. */
export type Endpoints = { authorize: string; token: string; introspect: string; revoke: string; userinfo: string };

/** A server under load. `pids`: where it runs on this machine, its process and that of its database, whose processor time is counted. `cookies`: sessions that are signed in, as Cookie headers. */
export type Target = {
  issuer: string;
  host: string;
  port: number;
  pids: readonly number[];
  endpoints: Endpoints;
  cookies: readonly string[];
  usernames: readonly string[];
};

const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

/** Finds a server's endpoints. Source: RFC 8414 section 3, OpenID Connect Discovery 1.0 section 4. */
export async function describeTarget(
  issuer: string,
  more: Pick<Target, 'pids' | 'cookies' | 'usernames'>,
): Promise<Target> {
  if (!issuer.startsWith('http://')) throw new Error(`${issuer}: the load generator speaks plain http alone, no TLS`);
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`, { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${issuer} answered its metadata with ${answer.status}`);
  const metadata = (await answer.json()) as Record<string, string>;
  const url = new URL(issuer);
  const pathOf = (name: string) => new URL(metadata[name] ?? '', issuer).pathname;
  return {
    issuer,
    host: url.hostname === 'localhost' ? '127.0.0.1' : url.hostname,
    port: Number(url.port || 80),
    endpoints: {
      authorize: pathOf('authorization_endpoint'),
      token: pathOf('token_endpoint'),
      introspect: pathOf('introspection_endpoint'),
      revoke: pathOf('revocation_endpoint'),
      userinfo: pathOf('userinfo_endpoint'),
    },
    ...more,
  };
}

/** One caller: a connection of its own. */
export class Caller {
  readonly index: number;
  readonly target: Target;
  readonly #connection: HttpConnection;
  readonly #host: string;
  /** The answer that came last, to tell what went wrong. */
  last: Answer | undefined;

  constructor(target: Target, index: number) {
    this.index = index;
    this.target = target;
    this.#connection = new HttpConnection(target.host, target.port);
    this.#host = new URL(target.issuer).host;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#send(`GET ${path} HTTP/1.1\r\n${this.#fields(headers)}\r\n`);
  }

  /** Posts a form that is encoded already. */
  post(path: string, form: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const length = Buffer.byteLength(form);
    return this.#send(
      `POST ${path} HTTP/1.1\r\n${this.#fields(headers)}content-type: application/x-www-form-urlencoded\r\ncontent-length: ${length}\r\n\r\n${form}`,
    );
  }

  close(): void {
    this.#connection.close();
  }

  async #send(text: string): Promise<Answer> {
    this.last = undefined;
    this.last = await this.#connection.request(text);
    return this.last;
  }

  #fields(headers: Readonly<Record<string, string>>): string {
    let text = `host: ${this.#host}\r\nuser-agent: ${userAgent}\r\naccept: */*\r\n`;
    for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
    return text;
  }
}
