import { decodeBase64url } from './base64url.ts';

/** The protected header of a JWS (RFC 7515 section 4). */
export type JwtHeader = { alg: string; typ?: string; kid?: string; jwk?: unknown; crit?: unknown };

/** A JWT taken apart, nothing verified. */
export type DecodedJwt = { header: JwtHeader; payload: Record<string, unknown>; signature: Uint8Array };

/** Takes a compact JWS apart without verifying it; undefined for anything that is not one. Never use its claims as facts. Source: RFC 7519 section 7.2. */
export function decodeJwt(token: string): DecodedJwt | undefined {
  const parts = token.split('.', 4);
  if (parts.length !== 3) return undefined;
  const header = decodeJsonPart(parts[0] as string);
  const payload = decodeJsonPart(parts[1] as string);
  const signature = decodeBase64url(parts[2] as string);
  if (!header || !payload || !signature || !isJwtHeader(header)) return undefined;
  return { header, payload, signature };
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
