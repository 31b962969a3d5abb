/** The parameters of a query or a form, each once. */
export type Parameters = Record<string, string>;

/** Parameters read, or why they cannot be. `duplicate` names a parameter that came twice. */
export type ParametersResult =
  | { ok: true; parameters: Parameters; repeated: Record<string, string[]> }
  | { ok: false; description: string; duplicate?: string };

/** Parameters that may come several times. Source: RFC 8707 section 2. */
const repeatable = new Set(['resource', 'audience']);

const escapedOrForeign = /[^ -$&-~]/;
const brokenEscape = /%(?![0-9a-f]{2})/i;
const notText = /[\0\ufffd]/;

/**
 * Reads `application/x-www-form-urlencoded` text. A parameter that comes twice, a broken percent-encoding, a NUL and bytes that are not UTF-8 are
 * refused: what two readers could read differently is an attack. Parameters without a value count as absent.
 * Source: RFC 6749 sections 3.1 and 3.2, appendix B.
 */
export function readParameters(text: string): ParametersResult {
  // Most forms have neither; only those that do are looked at letter by letter.
  const mayBeStrange = escapedOrForeign.test(text);
  if (mayBeStrange && brokenEscape.test(text)) return refuse('a percent-encoding is broken');
  const parameters: Parameters = Object.create(null);
  const repeated: Record<string, string[]> = Object.create(null);
  let count = 0;
  // URLSearchParams takes one leading question mark for a separator; others take it for a letter of the first name.
  for (const [name, value] of new URLSearchParams(text.startsWith('?') ? `?${text}` : text)) {
    if (++count > 100) return refuse('there are more than 100 parameters');
    if (value === '') continue;
    if (mayBeStrange && (notText.test(value) || notText.test(name)))
      return refuse('a parameter is not UTF-8 text, or has a NUL');
    if (repeatable.has(name)) repeated[name] = [...(repeated[name] ?? []), value];
    else if (name in parameters)
      return { ...refuse(`the parameter "${printable(name)}" came more than once`), duplicate: name };
    parameters[name] = value;
  }
  return { ok: true, parameters, repeated };
}

/** Reads the body of a form post; its content type must say that it is one. */
export function readForm(contentType: string | undefined, body: string): ParametersResult {
  const mediaType = (contentType ?? '').split(';')[0]?.trim().toLowerCase();
  if (mediaType !== 'application/x-www-form-urlencoded')
    return refuse('the content type must be application/x-www-form-urlencoded');
  return readParameters(body);
}

function refuse(description: string): { ok: false; description: string } {
  return { ok: false, description };
}

/** As much of a client's text as may stand in an `error_description`. Source: RFC 6749 appendix A.8. */
export function printable(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 80);
}
