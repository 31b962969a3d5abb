import { OpenAPIHono } from '@hono/zod-openapi';
import { PasswordQueueFull } from '../../secrets/password.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { refuse } from '../operation.ts';
import { adminAudience, adminScopes } from '../scopes.ts';
import { clientOperations } from './clients.ts';
import { consentOperations } from './consents.ts';
import { eventOperations } from './events.ts';
import { grantOperations } from './grants.ts';
import { keyOperations } from './keys.ts';
import {
  type AdminApiContext,
  type AnyOperation,
  type Authorize,
  addOperation,
  askedOf,
  basePath,
} from './operation-route.ts';
import { answerProblem } from './problem.ts';
import { resourceServerOperations } from './resource-servers.ts';
import { sessionOperations } from './sessions.ts';
import { userOperations } from './users.ts';

/** All operations of the admin API. */
export const adminOperations: readonly AnyOperation[] = [
  ...userOperations,
  ...consentOperations,
  ...clientOperations,
  ...resourceServerOperations,
  ...sessionOperations,
  ...grantOperations,
  ...eventOperations,
  ...keyOperations,
];

/** The admin API: all under `/admin/api`, its document at `/admin/api/openapi.json`. `authorize` judges the token of each request. */
export function createAdminApi(context: AdminApiContext, authorize: Authorize): OpenAPIHono {
  const api = new OpenAPIHono();
  for (const definition of adminOperations) addOperation(api, context, authorize, definition);
  let written: string | undefined;
  api.get(`${basePath}/openapi.json`, (request) => {
    written ??= JSON.stringify(describe(api, context.config.issuer));
    return request.body(written, 200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  });
  api.all(`${basePath}/*`, (request) =>
    answerProblem(
      context,
      askedOf(request),
      refuse('not_found', `there is no such operation; all of them are at ${basePath}/openapi.json`),
    ),
  );
  api.onError((error, request) => answerFailure(context, request, error));
  return api;
}

function answerFailure(context: AdminApiContext, request: Parameters<typeof askedOf>[0], error: Error): Response {
  const asked = askedOf(request);
  if (error instanceof StoreUnavailable)
    return answerProblem(context, asked, refuse('overloaded', 'the store is away for the moment; try again'), 5);
  if (error instanceof PasswordQueueFull) return answerProblem(context, asked, refuse('overloaded', error.message), 1);
  context.log.error({ err: error, method: asked.method, path: asked.path }, 'the admin API failed');
  return answerProblem(context, asked, refuse('overloaded', 'the server could not do it; its log says why'), 5);
}

function describe(api: OpenAPIHono, issuer: string): object {
  api.openAPIRegistry.registerComponent('securitySchemes', 'accessToken', {
    type: 'oauth2',
    description: `An access token for the audience \`${adminAudience(issuer)}\`, in the Authorization header.`,
    flows: {
      authorizationCode: {
        authorizationUrl: `${issuer}/authorize`,
        tokenUrl: `${issuer}/token`,
        scopes: adminScopes,
      },
    },
  });
  return api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Tessera admin API',
      version: '1',
      description:
        'Users, applications, resource servers, sessions, grants, keys and events of this server. Each operation says which scope it needs. Refusals are `application/problem+json` (RFC 9457) with a `reason` to compare and a `refusal_id` to look up.',
    },
    servers: [{ url: issuer }],
  });
}
