import { connect, type Socket } from 'node:net';

/** An answer as far as the generator looks at it. `head`: status line and header fields as they came. */
export type Answer = { status: number; head: string; body: string };

/**
 * One kept-alive connection that sends one request at a time. Does only what a load generator needs, so that it is not what is measured: a request costs it about a tenth
 * of what it costs through node:http. Bodies come with Content-Length or chunked. Source: RFC 9112 sections 6 and 7.
 */
export class HttpConnection {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  /** Sends a request (head and body as they go over the wire) and resolves with its answer; connects where it must. */
  async request(text: string): Promise<Answer> {
    const socket = this.#socket ?? (await this.#connect());
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      socket.write(text);
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
      socket.once('connect', () => {
        this.#socket = socket;
        resolve(socket);
      });
      socket.once('error', reject);
      socket.on('data', (chunk) => this.#take(chunk));
      socket.on('error', (error) => this.#fail(error));
      socket.on('close', () => this.#fail(new Error('the server closed the connection')));
    });
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = readAnswer(this.#received);
    if (!answer) return;
    this.#received = Buffer.alloc(0);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (/\r\nconnection: close/i.test(answer.head)) this.close();
    waiting?.resolve(answer);
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#received = Buffer.alloc(0);
    this.close();
    waiting?.reject(error);
  }
}

/** The answer that these bytes hold, undefined while some are missing. */
export function readAnswer(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(head.slice(9, 12));
  const bodyAt = end + 4;
  if (status === 204 || status === 304) return { status, head, body: '' };
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length) {
    const bodyEnd = bodyAt + Number(length[1]);
    return bytes.length < bodyEnd ? undefined : { status, head, body: bytes.toString('utf8', bodyAt, bodyEnd) };
  }
  const body = readChunks(bytes, bodyAt);
  return body === undefined ? undefined : { status, head, body };
}

function readChunks(bytes: Buffer, start: number): string | undefined {
  let body = '';
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return body;
    body += bytes.toString('utf8', lineEnd + 2, lineEnd + 2 + size);
    at = next;
  }
}

/** The first header field of that name (lower case). */
export function headerOf(answer: Answer, name: string): string | undefined {
  return headersOf(answer, name)[0];
}

/** All header fields of that name (lower case). */
export function headersOf({ head }: Answer, name: string): string[] {
  return head
    .split('\r\n')
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim());
}
