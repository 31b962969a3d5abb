import * as z from 'zod';
import { adminAudience, adminScopes } from '../../admin-resource-server.ts';
import { type AnyOperation, basePath } from './operation-route.ts';
import { problemSchema } from './problem.ts';

type JsonSchema = Record<string, unknown>;

const refusalWords: Record<number, string> = {
  400: 'The input is wrong; `field` names what.',
  401: 'No access token, or one that does not hold.',
  403: 'The token lacks the scope.',
  404: 'There is no such thing.',
  409: 'It cannot be so: a name is taken, or the configuration file declares it.',
  412: '`If-Match` expects another version than the present one: read it again.',
  413: 'The body is larger than 256 KiB.',
  503: 'The store is away or the server is full; `Retry-After` says when to try again.',
};

const ifMatch = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The `ETag` of the version that was read; `*` or absent: whatever version.',
  schema: { type: 'string' },
};

/** The OpenAPI 3.1 document of the operations. The schemas are those that read the requests, and those that the tests check the answers with. */
export function describeApi(operations: readonly AnyOperation[], issuer: string): object {
  const schemas: Record<string, JsonSchema> = {};
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = `${basePath}${operation.path}`;
    paths[path] = { ...paths[path], [operation.method]: describeOperation(operation, issuer, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tessera admin API',
      version: '1',
      description:
        'Users, applications, resource servers, sessions, grants, keys and events of this server. Each operation says which scope it needs. Refusals are `application/problem+json` (RFC 9457) with a `reason` to compare and a `refusal_id` to look up.',
    },
    servers: [{ url: issuer }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        accessToken: {
          type: 'oauth2',
          description: `An access token for the audience \`${adminAudience(issuer)}\`, in the Authorization header.`,
          flows: {
            authorizationCode: {
              authorizationUrl: `${issuer}/authorize`,
              tokenUrl: `${issuer}/token`,
              scopes: adminScopes,
            },
          },
        },
      },
    },
  };
}

function describeOperation(operation: AnyOperation, issuer: string, schemas: Record<string, JsonSchema>): object {
  const {
    id,
    tag,
    summary,
    description,
    scope,
    params = {},
    query = {},
    body,
    versioned,
    answer,
    refusals,
  } = operation;
  const parameters = [...describeParameters(params, 'path', schemas), ...describeParameters(query, 'query', schemas)];
  const statuses = [400, 401, 403, ...refusals, ...(body ? [413] : []), 503];
  const problem = { 'application/problem+json': { schema: toJsonSchema(problemSchema, 'output', schemas) } };
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: `${description ? `${description} ` : ''}Scope: \`${scope}\`.`,
    security: [{ accessToken: [scope] }],
    parameters: [...parameters, ...(versioned ? [ifMatch] : [])],
    ...(body
      ? {
          requestBody: {
            required: !body.optional,
            content: {
              'application/json': {
                schema: toJsonSchema(z.strictObject(body.shape), 'input', schemas),
                example: body.example,
              },
            },
          },
        }
      : {}),
    responses: {
      [answer.status]: {
        description: answer.description,
        content: { 'application/json': { schema: toJsonSchema(answer.schema, 'output', schemas) } },
      },
      ...Object.fromEntries(
        statuses.map((status) => [status, { description: refusalWords[status], content: problem }]),
      ),
    },
    'x-codeSamples': [{ lang: 'Shell', label: 'curl', source: curlOf(operation, parameters, issuer) }],
  };
}

type Parameter = {
  name: string;
  in: 'path' | 'query';
  required: boolean;
  description: unknown;
  schema: JsonSchema;
  example?: unknown;
};

function describeParameters(
  shape: z.ZodRawShape,
  place: 'path' | 'query',
  schemas: Record<string, JsonSchema>,
): Parameter[] {
  const { properties, required } = toJsonSchema(z.strictObject(shape), 'input', schemas) as {
    properties: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, example, ...schema }]) => ({
    name,
    in: place,
    required: required?.includes(name) ?? false,
    description,
    schema,
    ...(example === undefined ? {} : { example }),
  }));
}

/** JSON Schema 2020-12, as OpenAPI 3.1 has it. What has an id goes to `schemas` and is referred to. */
function toJsonSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Record<string, JsonSchema>): JsonSchema {
  const {
    $schema: _,
    $defs,
    ...rest
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => tidy(jsonSchema),
  }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
  for (const [id, definition] of Object.entries($defs ?? {})) schemas[id] ??= withReferences(definition);
  return withReferences(rest);
}

function withReferences(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonSchema;
}

/** Moves what the configuration's documentation says into words, and takes out bounds that any number in JSON has. */
function tidy(schema: JsonSchema): void {
  const { description, allowed, defaultText } = schema;
  if (typeof defaultText === 'string' && typeof description === 'string')
    schema.description = `${description} Default: ${defaultText}.`;
  if (typeof allowed === 'string' && typeof schema.description === 'string')
    schema.description = `${schema.description} Allowed: ${allowed.replace(/: text, \{ env.*$/, '')}.`;
  for (const key of ['allowed', 'defaultText', 'unit']) delete schema[key];
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

/** The example of an operation as a command. `TOKEN` holds an access token. */
function curlOf({ method, path, body }: AnyOperation, parameters: readonly Parameter[], issuer: string): string {
  let filled = path;
  const search = new URLSearchParams();
  for (const { name, in: place, example } of parameters) {
    if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(String(example)));
    else if (example !== undefined) search.set(name, String(example));
  }
  const url = `${issuer}${basePath}${filled}${search.size === 0 ? '' : `?${search}`}`;
  return [
    `curl -X ${method.toUpperCase()} '${url}'`,
    `-H "Authorization: Bearer $TOKEN"`,
    ...(body ? [`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(body.example)}'`] : []),
  ].join(' ');
}
