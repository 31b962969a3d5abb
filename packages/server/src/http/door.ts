import type { Context } from '../context.ts';
import { PasswordQueueFull } from '../secrets/password.ts';
import { StoreUnavailable } from '../store/store.ts';
import { catchUp, isUpToDate } from '../up-to-date.ts';
import type { Input, Output } from './message.ts';
import { refusalPage } from './page-output.ts';
import { answerRefusal, refuse } from './refusal.ts';
import { type Route, type Routed, routes } from './routes.ts';

/** Largest body the server reads. */
export const mostBodyBytes = 65_536;

const byPath = new Map(routes.map((route) => [route.path, route]));
const methods = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'date, dpop-nonce, www-authenticate, retry-after, tessera-refusal-id',
};
const preflightHeaders = {
  ...corsHeaders,
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'authorization, content-type, dpop',
  'access-control-max-age': '86400',
};

/**
 * Answers any request, whatever door it came through: finds the route, keeps the promises that hold for all of them (CORS, nosniff, no failure without an answer) and
 * measures. What fails outside answers 503 with `Retry-After`; so does what should not have failed, and the log says so.
 */
export async function answer(context: Context, routed: Routed, input: Input): Promise<Output> {
  const route = byPath.get(input.path);
  if (!methods.has(input.method))
    return withGeneralHeaders(
      context,
      plain(405, 'This method is not offered here.', { allow: 'GET, HEAD, POST, OPTIONS' }),
    );
  if (!route) return withGeneralHeaders(context, plain(404, 'There is nothing here.'));
  if (input.method === 'OPTIONS')
    return withGeneralHeaders(context, {
      status: 204,
      headers: route.cors ? { ...preflightHeaders } : { allow: 'GET, HEAD, POST' },
      body: '',
    });
  const done = context.metrics.timeRequest(route.path);
  const output = await answerRoute(
    context,
    routed,
    route,
    input.method === 'HEAD' ? { ...input, method: 'GET' } : input,
  );
  done();
  if (route.cors) Object.assign(output.headers, corsHeaders);
  if (input.method === 'HEAD') output.body = '';
  return withGeneralHeaders(context, output);
}

/** The answer to a body larger than the server reads. */
export function tooLarge(context: Context, input: Input): Output {
  const refusal = refuse('invalid_request', 'request_too_large', `the body is larger than ${mostBodyBytes} bytes`, {
    status: 413,
  });
  return withGeneralHeaders(
    context,
    answerRefusal(context, input, byPath.get(input.path)?.path ?? 'elsewhere', refusal),
  );
}

async function answerRoute(context: Context, routed: Routed, route: Route, input: Input): Promise<Output> {
  try {
    if (!route.isPlain && !isUpToDate(context) && !(await isStillWanted(context, input)))
      return plain(503, 'Nobody waits for this.', { 'retry-after': '1' });
    return await route.answer(context, input, routed);
  } catch (error) {
    const isKnown = error instanceof StoreUnavailable || error instanceof PasswordQueueFull;
    const detail =
      error instanceof Error
        ? { message: error.message, ...(!isKnown && { stack: error.stack }), cause: String(error.cause ?? '') }
        : { message: String(error) };
    context.log.error(
      { endpoint: route.path, ...detail },
      isKnown ? 'the store or the password queue could not serve' : 'a request failed unexpectedly',
    );
    const refusal = refuse(
      'temporarily_unavailable',
      'overloaded',
      'the server cannot answer right now; try again shortly',
      {
        status: 503,
        headers: { 'retry-after': '1' },
      },
    );
    return route.page
      ? refusalPage(context, input, route.path, refusal)
      : answerRefusal(context, input, route.path, refusal);
  }
}

/**
 * Catches up with the store; false when the client went away meanwhile. A process that was frozen finds requests whose clients gave up long ago and asked elsewhere: a
 * refresh token among them would look like one that was stolen.
 */
async function isStillWanted(context: Context, input: Input): Promise<boolean> {
  await catchUp(context);
  // What the network has to say about the client is heard after this turn of the loop.
  await new Promise((resolve) => setImmediate(resolve));
  return !input.isGone();
}

/**
 * Adds the headers of every answer, the admin API's too. Only what is reached over https asks for https, and for its own host alone: the other hosts of the domain may not be there yet.
 * Source: RFC 6797 sections 7.2 and 14.4.
 */
export function addGeneralHeaders(issuer: string, headers: Output['headers']): void {
  headers['x-content-type-options'] = 'nosniff';
  if (issuer.startsWith('https:')) headers['strict-transport-security'] = 'max-age=63072000';
}

function withGeneralHeaders(context: Context, output: Output): Output {
  addGeneralHeaders(context.config.issuer, output.headers);
  return output;
}

function plain(status: number, text: string, headers: Record<string, string> = {}): Output {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: `${text}\n`,
  };
}
