import type { Hono, Context as HonoContext } from 'hono';
import type { z } from 'zod';
import type { AdminScope } from '../../admin-resource-server.ts';
import { parseSection, type Values } from '../../config/parse-section.ts';
import type { Context } from '../../context.ts';
import type { Actor } from '../../events/event-types.ts';
import type { Output } from '../../http/message.ts';
import { type AdminContext, done, type Outcome, refuse, refuseProblems } from '../operation.ts';
import { type Asked, answerProblem } from './problem.ts';
import { readJsonBody } from './request-body.ts';

/** What the admin API works with. */
export type AdminApiContext = AdminContext & Pick<Context, 'log' | 'metrics' | 'refusals'>;

/**
 * Judges the access token of a request to the admin API: audience `<issuer>/admin/api`, the needed scope, the proof of possession if it is bound. Who
 * asks, or the answer that refuses.
 */
export type Authorize = (
  headers: Headers,
  asked: { method: string; url: string; ip: string },
  neededScope: AdminScope,
) => Promise<{ actor: Actor } | Output>;

/** A request to an operation, read. `version`: what `If-Match` expects. */
export type Call<P extends z.ZodRawShape, Q extends z.ZodRawShape> = {
  context: AdminApiContext;
  actor: Actor;
  params: Values<P>;
  query: Values<Q>;
  body: unknown;
  version: number | undefined;
};

/** What an operation's body may be; it is the operation that reads it. */
export type Body = { shape: z.ZodRawShape; example: Record<string, unknown>; optional?: true };

/** One operation of the REST API: where it is, who may call it, and what it calls. */
export type RestOperation<P extends z.ZodRawShape = z.ZodRawShape, Q extends z.ZodRawShape = z.ZodRawShape> = {
  /** Unique; what generated clients call it. */
  id: string;
  method: 'get' | 'post' | 'patch' | 'delete';
  /** Below `/admin/api`, parameters in braces. */
  path: string;
  scope: AdminScope;
  tag: string;
  summary: string;
  description?: string;
  params?: P;
  query?: Q;
  body?: Body;
  /** Whether it heeds `If-Match`. */
  versioned?: true;
  answer: { status: 200 | 201; description: string; schema: z.ZodType };
  /** The statuses it refuses with, beside those all have. */
  refusals: (404 | 409 | 412)[];
  run(call: Call<P, Q>): Promise<Outcome<object>>;
};

/** An operation whose parameters' types no longer matter. */
export type AnyOperation = Omit<RestOperation, 'run'> & {
  run(call: Call<z.ZodRawShape, z.ZodRawShape>): Promise<Outcome<object>>;
};

/** Describes an operation; its parameters are typed by their shapes. */
export function operation<
  P extends z.ZodRawShape = Record<never, z.ZodType>,
  Q extends z.ZodRawShape = Record<never, z.ZodType>,
>(definition: RestOperation<P, Q>): AnyOperation {
  return definition as unknown as AnyOperation;
}

/** Where all operations are. */
export const basePath = '/admin/api';

/** Adds an operation to the API. */
export function addOperation(
  api: Hono<AdminBindings>,
  context: AdminApiContext,
  authorize: Authorize,
  definition: AnyOperation,
): void {
  const path = `${basePath}${definition.path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
  api.on(definition.method.toUpperCase(), path, async (request) => {
    const { method, url, raw } = request.req;
    const authorized = await authorize(raw.headers, { method, url, ip: askedOf(request).ip }, definition.scope);
    if (!('actor' in authorized)) return toResponse(authorized);
    const call = await readCall(context, authorized.actor, request, definition);
    const outcome = call.kind === 'refuse' ? call : await definition.run(call.value);
    return outcome.kind === 'refuse'
      ? answerProblem(context, askedOf(request), outcome)
      : answerValue(request, definition, outcome.value);
  });
}

/** What comes with a request beside itself: the address of whoever asks. */
export type AdminBindings = { Bindings: { ip?: string } };

/** What a refusal says of its request. */
export function askedOf({ req, env }: HonoContext<AdminBindings>): Asked {
  return {
    ip: env?.ip ?? '',
    method: req.method,
    path: req.path.slice(0, 300),
    userAgent: (req.header('user-agent') ?? '').slice(0, 256),
  };
}

async function readCall(
  context: AdminApiContext,
  actor: Actor,
  { req }: HonoContext<AdminBindings>,
  { params: paramShape = {}, query: queryShape = {}, body: bodyRule, versioned }: AnyOperation,
): Promise<Outcome<Call<z.ZodRawShape, z.ZodRawShape>>> {
  const params = parseSection(paramShape, req.param(), []);
  const query = parseSection(queryShape, readQuery(req.url), []);
  const problems = [...params.problems, ...query.problems];
  if (problems.length > 0) return refuseProblems(problems);
  const version = versioned ? readIfMatch(req.header('if-match')) : done(undefined);
  if (version.kind === 'refuse') return version;
  const body = bodyRule ? await readJsonBody(req.raw, bodyRule.optional ?? false) : done(undefined);
  if (body.kind === 'refuse') return body;
  return done({ context, actor, params: params.value, query: query.value, body: body.value, version: version.value });
}

/** The query's parameters, as lists where one came several times, so that a schema for one value refuses them. */
function readQuery(url: string): Record<string, string | string[]> {
  const read: Record<string, string | string[]> = Object.create(null);
  const { searchParams } = new URL(url, 'http://localhost');
  for (const name of new Set(searchParams.keys())) {
    const values = searchParams.getAll(name);
    read[name] = values.length === 1 ? (values[0] as string) : values;
  }
  return read;
}

/** The version that `If-Match` expects. Source: RFC 9110 section 13.1.1: compared strongly, so a weak one never matches. */
function readIfMatch(header: string | undefined): Outcome<number | undefined> {
  if (header === undefined || header.trim() === '*') return done(undefined);
  const match = /^\s*"(\d{1,15})"\s*$/.exec(header);
  if (match) return done(Number(match[1]));
  return refuse('parameter_invalid', 'If-Match: expected one strong ETag such as "3", or *', { field: 'If-Match' });
}

function answerValue(request: HonoContext<AdminBindings>, { answer }: AnyOperation, value: object): Response {
  const version = 'version' in value && typeof value.version === 'number' ? value.version : undefined;
  return request.json(value, answer.status, {
    'cache-control': 'no-store',
    ...(version === undefined ? {} : { etag: `"${version}"` }),
  });
}

function toResponse({ status, headers, body }: Output): Response {
  const response = new Response(body === '' ? null : body, { status });
  for (const [name, value] of Object.entries(headers))
    for (const one of Array.isArray(value) ? value : [value]) response.headers.append(name, one);
  return response;
}
