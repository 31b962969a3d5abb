import type { Seconds } from './seconds.ts';

/**
 * Reads `Retry-After`: seconds, or a date, as seconds from now; `undefined` when absent or senseless. Source: RFC 9110 section 10.2.3.
 * Across origins browsers show the header only if the server exposes it (CORS).
 */
export function parseRetryAfter(value: string | null, now: Seconds): Seconds | undefined {
  if (value === null || value.trim() === '') return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value);
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, Math.ceil(dateMs / 1000 - now));
}
