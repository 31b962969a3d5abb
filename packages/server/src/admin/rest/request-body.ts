import { done, isNestedAtMost, type Outcome, refuse } from '../operation.ts';

/** The largest body the admin API reads. */
export const largestBodyBytes = 256 * 1024;

const deepestBody = 32;

/** Reads a JSON body: bounded, in UTF-8, of a JSON content type. An absent one is an empty object where it is optional. */
export async function readJsonBody(request: Request, isOptional: boolean): Promise<Outcome<unknown>> {
  const bytes = await readBounded(request);
  if (bytes === undefined)
    return refuse('request_too_large', `the body is larger than ${largestBodyBytes} bytes; send less at once`);
  if (bytes.length === 0 && isOptional) return done({});
  if (bytes.length === 0) return refuse('parameter_missing', 'the body is missing; expected a JSON object');
  const mediaType = (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (!/^application\/([a-z0-9.-]+\+)?json$/.test(mediaType))
    return refuse('malformed_request', `the Content-Type is "${mediaType.slice(0, 80)}"; send application/json`, {
      field: 'Content-Type',
    });
  const body = parse(bytes);
  if (body === undefined) return refuse('malformed_request', 'the body is not JSON in UTF-8');
  if (!isNestedAtMost(body, deepestBody))
    return refuse('malformed_request', `the body is nested deeper than ${deepestBody} levels`);
  return done(body);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's message is dropped: it quotes the text, and with it maybe a password.
    return undefined;
  }
}

async function readBounded(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > largestBodyBytes) return undefined;
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.length;
    if (length > largestBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
