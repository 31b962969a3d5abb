import {
  createClient,
  cutOffClient,
  getClient,
  listClients,
  newClientShape,
  removeClient,
  rotateClientSecret,
  rotateSecretShape,
  updateClient,
} from '../clients.ts';
import { clientAnswer, clientWithSecretAnswer, cutOffAnswer, endedAnswer, pageOfSchema } from './answers.ts';
import { type AnyOperation, operation } from './operation-route.ts';
import { optionalShape } from './optional-shape.ts';
import { clientIdParam, pageShape } from './parameters.ts';

const tag = 'Clients';
const changes = optionalShape(newClientShape);

/** Applications: `/admin/api/clients`. */
export const clientOperations: AnyOperation[] = [
  operation({
    id: 'listClients',
    method: 'get',
    path: '/clients',
    scope: 'tessera:clients:read',
    tag,
    summary: 'List clients',
    query: pageShape,
    answer: { status: 200, description: 'A page of clients.', schema: pageOfSchema(clientAnswer) },
    refusals: [],
    run: ({ context, query }) => listClients(context, query),
  }),
  operation({
    id: 'createClient',
    method: 'post',
    path: '/clients',
    scope: 'tessera:clients:write',
    tag,
    summary: 'Register a client',
    description:
      'The keys and rules are those of `clients` in the configuration file. The server makes the `client_id` and, where `token_endpoint_auth_method` needs one, the `client_secret`, which is shown this once.',
    body: {
      shape: newClientShape,
      example: {
        client_name: 'Web shop',
        token_endpoint_auth_method: 'client_secret_basic',
        redirect_uris: ['https://shop.example.com/callback'],
        scope: 'openid profile email',
      },
    },
    answer: { status: 201, description: 'The client, and its secret.', schema: clientWithSecretAnswer },
    refusals: [],
    run: ({ context, actor, body }) => createClient(context, actor, body),
  }),
  operation({
    id: 'getClient',
    method: 'get',
    path: '/clients/{clientId}',
    scope: 'tessera:clients:read',
    tag,
    summary: 'Read a client',
    params: clientIdParam,
    answer: { status: 200, description: 'The client.', schema: clientAnswer },
    refusals: [404],
    run: ({ context, params }) => getClient(context, params.clientId),
  }),
  operation({
    id: 'updateClient',
    method: 'patch',
    path: '/clients/{clientId}',
    scope: 'tessera:clients:write',
    tag,
    summary: 'Change a client',
    description:
      'What is absent stays, `null` sets the default again, lists and `lifetimes` are replaced whole. Grants that exist keep the limits of their birth. Disabling cuts everything of the client off.',
    params: clientIdParam,
    body: {
      shape: changes,
      example: { lifetimes: { accessToken: 300, idle: 86_400 }, policy_uri: 'https://shop.example.com/privacy' },
    },
    versioned: true,
    answer: {
      status: 200,
      description: 'The client as it is now, with a secret if one had to be made.',
      schema: clientWithSecretAnswer,
    },
    refusals: [404, 409, 412],
    run: ({ context, actor, params, body, version }) =>
      updateClient(context, actor, { clientId: params.clientId, changes: body, version }),
  }),
  operation({
    id: 'rotateClientSecret',
    method: 'post',
    path: '/clients/{clientId}/secret',
    scope: 'tessera:clients:write',
    tag,
    summary: 'Give a client another secret',
    description: 'The old one is good for `overlap` more seconds; by default no more at once.',
    params: clientIdParam,
    body: { shape: rotateSecretShape, example: { overlap: 86_400 }, optional: true },
    versioned: true,
    answer: { status: 200, description: 'The client and its new secret.', schema: clientWithSecretAnswer },
    refusals: [404, 409, 412],
    run: ({ context, actor, params, body, version }) =>
      rotateClientSecret(context, actor, { clientId: params.clientId, body, version }),
  }),
  operation({
    id: 'cutOffClient',
    method: 'post',
    path: '/clients/{clientId}/cut-off',
    scope: 'tessera:sessions:write',
    tag,
    summary: 'End everything of a client',
    description:
      'All its grants and access tokens, whoever holds them, here at once and at the edges within a second. New sign-ins work. Also for clients that the configuration file declares.',
    params: clientIdParam,
    versioned: true,
    answer: { status: 200, description: 'The client, and how much was ended.', schema: cutOffAnswer },
    refusals: [404, 409, 412],
    run: ({ context, actor, params, version }) => cutOffClient(context, actor, { clientId: params.clientId, version }),
  }),
  operation({
    id: 'removeClient',
    method: 'delete',
    path: '/clients/{clientId}',
    scope: 'tessera:clients:write',
    tag,
    summary: 'Remove a client',
    description: 'Ends everything of it. The id is never given again.',
    params: clientIdParam,
    versioned: true,
    answer: { status: 200, description: 'How much it ended.', schema: endedAnswer },
    refusals: [404, 409, 412],
    run: ({ context, actor, params, version }) => removeClient(context, actor, { clientId: params.clientId, version }),
  }),
];
