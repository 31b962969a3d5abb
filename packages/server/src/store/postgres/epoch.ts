import { type ConnectionOptions, openClient } from './connection.ts';
import { asStoreFailure } from './failure.ts';

/** Begins another epoch of the store in the database. For a restore: positions of the epoch before say nothing any more. */
export async function setPostgresEpoch(connectionString: string, epoch: number): Promise<void> {
  const client = await openClient(optionsOf(connectionString)).catch(rethrow);
  try {
    await client.query('UPDATE store_state SET epoch = $1', [epoch]);
  } catch (error) {
    rethrow(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function optionsOf(connectionString: string): ConnectionOptions {
  return { connectionString, schema: undefined };
}

function rethrow(error: unknown): never {
  throw asStoreFailure(error);
}
