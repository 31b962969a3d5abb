import type { Seconds } from '@tessera/protocol';
import type { SigningKeyRecord } from '../records.ts';
import { type ConnectionOptions, openClient } from './connection.ts';
import { asStoreFailure } from './failure.ts';
import { clockOfServer } from './statements.ts';

/** What a look at the database found. `schema` 0: no store was made there yet; `mayMakeTables`: whether this user may; undefined where no schema of its `search_path` is there. `clockMs`: its clock, in milliseconds. */
export type Inspection = {
  schema: number;
  mayMakeTables: boolean | undefined;
  latestEventAt: Seconds;
  signingKeys: SigningKeyRecord[];
  clockMs: number;
};

/**
 * Looks at the database past the store, which would bring an older schema up to date: changes nothing. Throws as opening the store does for a server that
 * cannot be reached or loses what it acknowledged.
 */
export async function inspectPostgres(connectionString: string): Promise<Inspection> {
  const options: ConnectionOptions = { connectionString, schema: undefined };
  const client = await openClient(options).catch((error: unknown) => Promise.reject(asStoreFailure(error)));
  try {
    const { rows } = await client.query<{ is_there: boolean; may_make: boolean | null; clock: number }>(
      `SELECT to_regclass('store_state') IS NOT NULL AS is_there, has_schema_privilege(current_schema(), 'CREATE') AS may_make,
        ${clockOfServer} AS clock`,
    );
    const { is_there: isThere, may_make: mayMake, clock: clockMs } = rows[0]!;
    const mayMakeTables = mayMake ?? undefined;
    if (!isThere) return { schema: 0, mayMakeTables, latestEventAt: 0, signingKeys: [], clockMs };
    const state = await client.query<{ schema: number; latest: number | null }>(
      'SELECT schema_version AS schema, (SELECT at FROM events ORDER BY position DESC LIMIT 1) AS latest FROM store_state',
    );
    const keys = await client.query<{ body: string }>("SELECT body FROM documents WHERE kind = 'signing_key'");
    const { schema, latest } = state.rows[0]!;
    return {
      schema,
      mayMakeTables,
      latestEventAt: latest ?? 0,
      signingKeys: keys.rows.map(({ body }) => JSON.parse(body) as SigningKeyRecord),
      clockMs,
    };
  } catch (error) {
    throw asStoreFailure(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
