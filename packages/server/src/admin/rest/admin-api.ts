import { Hono } from 'hono';
import { PasswordQueueFull } from '../../secrets/password.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { refuse } from '../operation.ts';
import { clientOperations } from './clients.ts';
import { consentOperations } from './consents.ts';
import { eventOperations } from './events.ts';
import { grantOperations } from './grants.ts';
import { keyOperations } from './keys.ts';
import { describeApi } from './openapi-document.ts';
import {
  type AdminApiContext,
  type AdminBindings,
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
export function createAdminApi(context: AdminApiContext, authorize: Authorize): Hono<AdminBindings> {
  const api = new Hono<AdminBindings>();
  for (const definition of adminOperations) addOperation(api, context, authorize, definition);
  let written: string | undefined;
  api.get(`${basePath}/openapi.json`, (request) => {
    written ??= JSON.stringify(describeApi(adminOperations, context.config.issuer));
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
