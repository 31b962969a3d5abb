import { decodeBase64url } from './base64url.ts';

/** The protected header of a JWS (RFC 7515 section 4). */
export type JwtHeader = { alg: string; typ?: string; kid?: string; jwk?: unknown; crit?: unknown };

/** A JWT taken apart, nothing verified. */
export type DecodedJwt = { header: Readonly<JwtHeader>; payload: Record<string, unknown>; signature: Uint8Array };

/** Takes a compact JWS apart without verifying it; undefined for anything that is not one. Never use its claims as facts. Source: RFC 7519 section 7.2. */
export function decodeJwt(token: string): DecodedJwt | undefined {
  const parts = token.split('.', 4);
  if (parts.length !== 3) return undefined;
  const header = decodeHeader(parts[0] as string);
  const payload = decodeJsonPart(parts[1] as string);
  const signature = decodeBase64url(parts[2] as string);
  if (!header || !payload || !signature) return undefined;
  return { header, payload, signature };
}

/** Headers read lately: all tokens of one key have the same. */
const headers = new Map<string, Readonly<JwtHeader>>();
const mostHeaders = 64;
const longestHeader = 512;

function decodeHeader(part: string): Readonly<JwtHeader> | undefined {
  const known = headers.get(part);
  if (known) return known;
  const header = decodeJsonPart(part);
  if (!header || !isJwtHeader(header)) return undefined;
  // A header with a key inside, as proofs have, seldom comes again.
  if (part.length > longestHeader || header.jwk !== undefined) return header;
  if (headers.size >= mostHeaders) headers.clear();
  headers.set(part, Object.freeze(header));
  return header;
}

/** RFC 7515 sections 4.1.1, 4.1.4 and 4.1.9: `alg`, `kid` and `typ` are strings; callers rely on it. */
function isJwtHeader(header: Record<string, unknown>): header is Record<string, unknown> & JwtHeader {
  return typeof header.alg === 'string' && isStringOrAbsent(header.typ) && isStringOrAbsent(header.kid);
}

function isStringOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeJsonPart(part: string): Record<string, unknown> | undefined {
  const bytes = decodeBase64url(part);
  if (!bytes) return undefined;
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
