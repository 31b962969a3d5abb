/** A request as endpoints see it, whatever door it came through. */
export type Input = {
  method: string;
  /** The path below the issuer's, beginning with `/`. */
  path: string;
  /** The raw query, without `?`. */
  query: string;
  /** By lower-case name; a header that came several times is joined as HTTP allows, `authorization` and `dpop` are not (see `repeated`). */
  headers: Record<string, string | undefined>;
  /** Names of single-value headers that came more than once. */
  repeated: readonly string[];
  body: string;
  /** The client's address, trusted proxies taken off. */
  ip: string;
  /** Called once when the client is gone before it was answered. */
  onGone(listener: () => void): void;
  /** Whether the client is known to be gone. */
  isGone(): boolean;
};

/** An answer as endpoints give it. Its headers are its own: what holds for all answers is added to them. */
export type Output = { status: number; headers: Record<string, string | string[]>; body: string };

/** An answer in JSON that nobody may store. */
export function json(status: number, body: object, headers: Output['headers'] = {}): Output {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

/** A redirect that is followed with GET, whatever came before. Source: RFC 9700 section 4.12 (never 307). */
export function redirect(location: string, headers: Output['headers'] = {}): Output {
  // A redirect URI is registered as its owner writes it; a header can only carry ASCII (RFC 3987 section 3.1).
  const ascii = location.replace(/[^\x21-\x7e]+/g, (text) => encodeURI(text.toWellFormed()));
  return { status: 303, headers: { location: ascii, 'cache-control': 'no-store', ...headers }, body: '' };
}

/** Where the request came from, bounded, as it is kept and shown. */
export function originOf(input: Input): { ip: string; userAgent: string } {
  return { ip: input.ip, userAgent: (input.headers['user-agent'] ?? '').slice(0, 256) };
}
