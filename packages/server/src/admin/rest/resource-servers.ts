import {
  createResourceServer,
  getResourceServer,
  listResourceServers,
  newResourceServerShape,
  removeResourceServer,
  resourceServerChangesShape,
  updateResourceServer,
} from '../resource-servers.ts';
import { pageOfSchema, resourceServerAnswer, resourceServerWithSecretAnswer } from './answers.ts';
import { type AnyOperation, operation } from './operation-route.ts';
import { optionalShape } from './optional-shape.ts';
import { pageShape, resourceServerIdParam } from './parameters.ts';

const tag = 'Resource servers';

/** Resource servers: `/admin/api/resource-servers`. */
export const resourceServerOperations: AnyOperation[] = [
  operation({
    id: 'listResourceServers',
    method: 'get',
    path: '/resource-servers',
    scope: 'tessera:resource-servers:read',
    tag,
    summary: 'List resource servers',
    description: 'The built-in one of this API is not among them.',
    query: pageShape,
    answer: { status: 200, description: 'A page of resource servers.', schema: pageOfSchema(resourceServerAnswer) },
    refusals: [],
    run: ({ context, query }) => listResourceServers(context, query),
  }),
  operation({
    id: 'createResourceServer',
    method: 'post',
    path: '/resource-servers',
    scope: 'tessera:resource-servers:write',
    tag,
    summary: 'Register a resource server',
    description: 'The keys and rules are those of `resourceServers` in the configuration file.',
    body: {
      shape: newResourceServerShape,
      example: {
        id: 'invoices',
        name: 'Invoices',
        audiences: ['https://api.example.com/invoices'],
        scopes: {
          'invoices:read': { description: 'See your invoices' },
          'invoices:write': { description: 'Write invoices in your name' },
        },
        roles: { clerk: ['invoices:write'] },
      },
    },
    answer: {
      status: 201,
      description: 'The resource server, and its secret if one was made.',
      schema: resourceServerWithSecretAnswer,
    },
    refusals: [409],
    run: ({ context, actor, body }) => createResourceServer(context, actor, body),
  }),
  operation({
    id: 'getResourceServer',
    method: 'get',
    path: '/resource-servers/{id}',
    scope: 'tessera:resource-servers:read',
    tag,
    summary: 'Read a resource server',
    params: resourceServerIdParam,
    answer: { status: 200, description: 'The resource server.', schema: resourceServerAnswer },
    refusals: [404],
    run: ({ context, params }) => getResourceServer(context, params.id),
  }),
  operation({
    id: 'updateResourceServer',
    method: 'patch',
    path: '/resource-servers/{id}',
    scope: 'tessera:resource-servers:write',
    tag,
    summary: 'Change a resource server',
    description:
      'What is absent stays, `null` sets the default again, lists, `scopes` and `roles` are replaced whole. New tokens obey at once; those issued keep what they say.',
    params: resourceServerIdParam,
    body: {
      shape: optionalShape(resourceServerChangesShape),
      example: { accessTokenLifetime: 300, roles: { clerk: ['orders:write'] } },
    },
    versioned: true,
    answer: {
      status: 200,
      description: 'The resource server as it is now, with a secret if one had to be made.',
      schema: resourceServerWithSecretAnswer,
    },
    refusals: [404, 409, 412],
    run: ({ context, actor, params, body, version }) =>
      updateResourceServer(context, actor, { id: params.id, changes: body, version }),
  }),
  operation({
    id: 'removeResourceServer',
    method: 'delete',
    path: '/resource-servers/{id}',
    scope: 'tessera:resource-servers:write',
    tag,
    summary: 'Remove a resource server',
    description: 'No new tokens for its audiences are issued; those issued are good until they expire.',
    params: resourceServerIdParam,
    versioned: true,
    answer: { status: 200, description: 'The resource server as it was.', schema: resourceServerAnswer },
    refusals: [404, 409, 412],
    run: ({ context, actor, params, version }) => removeResourceServer(context, actor, { id: params.id, version }),
  }),
];
