import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What happens to what passes. `stalled`: nothing arrives any more, and nobody is told. `refused`: new connections are cut at once. `unansweredFrom`: what the node sends arrives, but once
 * it has sent this on a connection, no answer comes back there.
 */
export type Disturbance = { delayMs?: number; stalled?: boolean; refused?: boolean; unansweredFrom?: RegExp };

type Waiting = { at: number; chunk: Buffer };

/** Stands between a node and its Postgres, and delays, stalls or cuts what passes, in both directions and in order. */
export class DatabaseProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #flush = new Set<() => void>();
  readonly #unanswered = new Set<Socket>();
  #disturbance: Disturbance = {};

  private constructor(socketFile: string) {
    this.#server = createServer((client) => {
      if (this.#disturbance.refused) client.destroy();
      else this.#join(client, connect(socketFile));
    });
  }

  static async start(socketFile: string): Promise<DatabaseProxy> {
    const proxy = new DatabaseProxy(socketFile);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get connectionString(): string {
    const { port } = this.#server.address() as { port: number };
    return `postgresql://tessera@127.0.0.1:${port}/postgres`;
  }

  /** From now on; `{}` lets everything pass again, what was held up included. */
  disturb(disturbance: Disturbance): void {
    this.#disturbance = disturbance;
    for (const flush of this.#flush) flush();
  }

  /** Whether something was sent since that stays without an answer. */
  get isUnanswered(): boolean {
    return this.#unanswered.size > 0;
  }

  /** Cuts all connections there are. */
  cut(): void {
    for (const socket of this.#sockets) {
      // The side of the node is TCP and can be reset; that of the database is a socket of this machine.
      if (socket.remoteFamily === undefined) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket, database: Socket): void {
    for (const [from, to] of [
      [client, database],
      [database, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.once('close', () => {
        this.#sockets.delete(from);
        this.#unanswered.delete(from);
        to.destroy();
      });
      this.#pass(from, to);
    }
  }

  #pass(from: Socket, to: Socket): void {
    const waiting: Waiting[] = [];
    let timer: NodeJS.Timeout | undefined;
    let sent = '';
    const flush = () => {
      clearTimeout(timer);
      timer = undefined;
      if (this.#disturbance.stalled) return;
      const { delayMs = 0 } = this.#disturbance;
      for (let first = waiting[0]; first; first = waiting[0]) {
        const leftMs = first.at + delayMs - performance.now();
        if (leftMs > 0) {
          timer = setTimeout(flush, leftMs);
          return;
        }
        waiting.shift();
        if (!to.destroyed && !this.#unanswered.has(from)) to.write(first.chunk);
      }
    };
    from.on('data', (chunk: Buffer) => {
      const { unansweredFrom } = this.#disturbance;
      sent = unansweredFrom === undefined ? '' : sent + chunk.toString('latin1');
      if (unansweredFrom?.test(sent)) this.#unanswered.add(to);
      waiting.push({ at: performance.now(), chunk });
      if (timer === undefined) flush();
    });
    this.#flush.add(flush);
    from.once('close', () => {
      clearTimeout(timer);
      this.#flush.delete(flush);
    });
  }
}
