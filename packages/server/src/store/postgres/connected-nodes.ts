import { setTimeout as sleep } from 'node:timers/promises';
import { applicationName } from './client-config.ts';
import { type Connection, type ConnectionOptions, openClient } from './connection.ts';
import { asStoreFailure } from './failure.ts';

/** A process of Tessera that is connected to the database: a server, or a command. `schema`: the version of the schema its code knows. */
export type ConnectedNode = { address: string; connections: number; schema: number };

// One that was just stopped takes a moment to be forgotten.
const patienceMs = 2000;
const lookAgainMs = 100;

const selectNodes = `
  SELECT coalesce(client_addr::text, 'this machine') AS address, application_name AS name, count(*)::int AS connections
  FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND (application_name = $1 OR application_name LIKE $1 || '/%')
  GROUP BY 1, 2 ORDER BY 1, 2`;

/** Who of Tessera is connected to the database besides the caller, who has one connection. */
export async function connectedNodes(connectionString: string): Promise<ConnectedNode[]> {
  const options: ConnectionOptions = { connectionString, schema: undefined };
  const client = await openClient(options).catch((error: unknown) => Promise.reject(asStoreFailure(error)));
  try {
    return await nodesBeside(client);
  } catch (error) {
    throw asStoreFailure(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Who of Tessera is connected besides this connection; `olderThan`: only those whose code knows an older schema than that. Connections end with their process, however it ended. A pooler may
 * hold some for longer.
 */
export async function nodesBeside(
  connection: Connection,
  { olderThan = Number.POSITIVE_INFINITY } = {},
): Promise<ConnectedNode[]> {
  const giveUpMs = performance.now() + patienceMs;
  for (;;) {
    const { rows } = await connection.query<{ address: string; name: string; connections: number }>(selectNodes, [
      applicationName,
    ]);
    const nodes = rows
      .map(({ address, name, connections }) => ({ address, connections, schema: schemaOf(name) }))
      .filter(({ schema }) => schema < olderThan);
    if (nodes.length === 0 || performance.now() > giveUpMs) return nodes;
    await sleep(lookAgainMs);
  }
}

// The first version did not say which schema it knows.
function schemaOf(name: string): number {
  return Number(name.split('/')[1] ?? 1);
}
