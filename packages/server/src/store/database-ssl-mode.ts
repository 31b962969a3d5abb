/** What `sslmode` in the URL of a database may say. */
export const sslModes: readonly string[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

/**
 * The driver takes `prefer`, `require` and `verify-ca` for `verify-full`, and says at each start that a later version will not. Here they stay what they are: whoever asks for TLS gets a
 * server that has proved who it is. `uselibpqcompat=true` chooses libpq's meaning. Source: PostgreSQL documentation, section 34.19.1.
 */
export function withVerification(connectionString: string): string {
  if (/[?&]uselibpqcompat=true(&|$)/.test(connectionString)) return connectionString;
  return connectionString.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/, '$1verify-full');
}
