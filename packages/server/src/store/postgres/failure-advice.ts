const unreachable = 'look whether Postgres runs there, and at host and port of the store';
const notLetIn = "look at the user and password of the store, and at the server's pg_hba.conf";
const notAllowed = 'let that user own the database: ALTER DATABASE … OWNER TO …';

// https://www.postgresql.org/docs/current/errcodes-appendix.html, and Node's codes of connections.
const advice: Readonly<Record<string, string>> = {
  ECONNREFUSED: unreachable,
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: unreachable,
  ENOENT: unreachable,
  '28000': notLetIn,
  '28P01': notLetIn,
  '3D000': 'make that database first (createdb), or correct its name in the store',
  '42501': notAllowed,
  '53300': 'raise its max_connections: each process takes ten',
};

/** What an operator can do about a failure, by the code of the server or of the connection; undefined where nothing is to be done but wait. */
export function adviceOn(code: string | undefined): string | undefined {
  return code !== undefined && Object.hasOwn(advice, code) ? advice[code] : undefined;
}
