import pg from 'pg';
import { withVerification } from '../database-ssl-mode.ts';
import { schemaVersion } from './schema.ts';

/** How connections are named at the server, followed by `/` and the schema their code knows: so one sees who is connected. */
export const applicationName = 'tessera';

// How long a caller waits for a connection.
const connectMs = 5000;
// When the server does not even answer that it gave up.
const answerMs = 20_000;

const int8 = 20;
// Times, versions and positions are whole numbers far below 2^53.
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    return oid === int8 ? Number : pg.types.getTypeParser(oid, format as 'text');
  },
} as pg.CustomTypesConfig;

/** How a connection to one host is made; nothing is set on it yet. */
export function clientConfig(connectionString: string): pg.ClientConfig {
  return {
    connectionString: withVerification(connectionString),
    application_name: `${applicationName}/${schemaVersion}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    query_timeout: answerMs,
    connectionTimeoutMillis: connectMs,
    types,
  };
}
