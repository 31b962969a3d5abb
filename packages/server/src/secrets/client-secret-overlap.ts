import type { Seconds } from '@tessera/protocol';

/** How many secrets a client may have at once, the newest included. */
const mostSecrets = 5;

/** A digest with an end is kept as `<until>~<digest>`, so that whoever does not know of ends matches it to nothing. */
function split(kept: string): { until: Seconds; digest: string } {
  const tilde = kept.indexOf('~');
  if (tilde === -1) return { until: Number.POSITIVE_INFINITY, digest: kept };
  return { until: Number(kept.slice(0, tilde)), digest: kept.slice(tilde + 1) };
}

/** The digests of the secrets that are good now, as `matchesClientSecret` takes them. */
export function liveSecretDigests(kept: readonly string[], now: Seconds): string[] {
  return kept
    .map(split)
    .filter(({ until }) => until > now)
    .map(({ digest }) => digest);
}

/** Until when each secret that is good now is good, in their order; null: without end. */
export function secretEnds(kept: readonly string[], now: Seconds): (Seconds | null)[] {
  return kept
    .map((one) => split(one).until)
    .filter((until) => until > now)
    .map((until) => (Number.isFinite(until) ? until : null));
}

/** What is kept once a new secret came: the old ones are good for `overlap` more seconds at the longest; an end is never moved back. */
export function replaceSecret(kept: readonly string[], digest: string, overlap: Seconds, now: Seconds): string[] {
  const old = kept
    .map(split)
    .map((one) => ({ ...one, until: Math.min(one.until, now + overlap) }))
    .filter(({ until }) => until > now)
    .map((one) => `${one.until}~${one.digest}`);
  return [digest, ...old].slice(0, mostSecrets);
}
