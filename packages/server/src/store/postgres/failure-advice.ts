const unreachable = 'look whether Postgres runs there, and at host and port of the store';
const notLetIn =
  "look at the user and password of the store, at sslmode in its URL if the server takes only TLS, and at the server's pg_hba.conf";
const notAllowed = 'let that user own the database: ALTER DATABASE … OWNER TO …';
const notTrusted =
  "name the authority of the server's certificate in the store's URL: ?sslmode=verify-full&sslrootcert=FILE";

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
  '53300': 'raise its max_connections, or the limit of the user or database: each process takes ten',
  '25006':
    'the server is a standby, or default_transaction_read_only is on for the server, the database or the user: set it off where it was set',
  '3F000': "make the schema that the user's search_path names: CREATE SCHEMA … AUTHORIZATION …",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: notTrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: notTrusted,
  SELF_SIGNED_CERT_IN_CHAIN: notTrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: notTrusted,
  CERT_HAS_EXPIRED: "renew the server's certificate",
  ERR_TLS_CERT_ALTNAME_INVALID: "use the host name in the store's URL that stands in the server's certificate",
};

// Of the driver, which gives them no code.
const adviceOnWords: readonly (readonly [words: RegExp, advice: string])[] = [
  [
    /client password must be/,
    "the server asks for a password and the store's URL has none: put it there, or into PGPASSWORD",
  ],
  [/does not support SSL/, "let the server speak TLS (ssl=on), or take sslmode from the store's URL"],
];

/** What an operator can do about a failure, by the code of the server or of the connection, else by the driver's words; undefined where nothing is to be done but wait. */
export function adviceOn(error: unknown, code: string | undefined): string | undefined {
  const { message = '', syscall } = error as { message?: string; syscall?: string };
  // A file, not a socket.
  if (syscall === 'open')
    return "let this user read the files that the store's URL names: sslrootcert, sslcert, sslkey";
  if (code !== undefined && Object.hasOwn(advice, code)) return advice[code];
  return adviceOnWords.find(([words]) => words.test(message))?.[1];
}
