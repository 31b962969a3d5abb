import pg from 'pg';
import { firstOf, splitHosts } from '../database-hosts.ts';
import { StoreNotUsable } from '../store-not-usable.ts';
import { clientConfig } from './client-config.ts';
import { asStoreFailure } from './failure.ts';
import type { Pooling } from './pooling.ts';

// A pooler of transactions gives itself away in nearly every round; only other clients that cut in can hide it in one.
const rounds = 16;

/**
 * Finds out what a connection is worth, by what happens to two of them, leaving nothing on the server. A connection to the server itself says at its start by which process
 * it is served. A pooler gives a number of its own there; then, if two connections that are open at once are served by one process, or one of them by several, the
 * pooler hands connections on after each transaction. Throws `StoreNotUsable` for a pooler of statements, `StoreUnavailable` if the server cannot be reached.
 */
export function detectPooling(connectionString: string): Promise<Pooling> {
  return firstOf(splitHosts(connectionString), detectAt);
}

async function detectAt(host: string): Promise<Pooling> {
  const clients: pg.Client[] = [];
  const open = async (): Promise<pg.Client> => {
    const client = new pg.Client(clientConfig(host));
    client.on('error', () => undefined);
    clients.push(client);
    await client.connect();
    return client;
  };
  try {
    const one = await open();
    const process = await processOf(one);
    if (process === (one as pg.Client & { processID: number | null }).processID) return 'session';
    const other = await open();
    for (let round = 0; round < rounds; round += 1) {
      // It is given the connection that became free last, unless the pooler goes around: then the first one moves on.
      await other.query('BEGIN');
      if ((await processOf(other)) === process || (await processOf(one)) !== process) return 'transaction';
      await other.query('ROLLBACK');
      if ((await processOf(one)) !== process) return 'transaction';
    }
    return 'session';
  } catch (error) {
    if (error instanceof Error && /statement pooling/.test(error.message)) {
      throw new StoreNotUsable(
        'the database is behind a pooler of statements, which takes transactions apart; let it pool sessions or transactions',
        { cause: error },
      );
    }
    throw asStoreFailure(error);
  } finally {
    // Ends its transaction too.
    for (const client of clients) client.end().catch(() => undefined);
  }
}

async function processOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]!.pid;
}
