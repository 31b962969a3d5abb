import { text } from '../../config/value-schemas.ts';
import { endSessionsOfUser } from '../sessions.ts';
import {
  createUser,
  getUser,
  listUsers,
  newUserShape,
  passwordShape,
  removeUser,
  setPassword,
  updateUser,
  userChangesShape,
} from '../users.ts';
import { endedAnswer, pageOfSchema, userAnswer } from './answers.ts';
import { type AnyOperation, operation } from './operation-route.ts';
import { pageShape, userIdParam } from './parameters.ts';

const tag = 'Users';
const user = (description: string) => ({ status: 200, description, schema: userAnswer }) as const;

/** Users: `/admin/api/users`. */
export const userOperations: AnyOperation[] = [
  operation({
    id: 'listUsers',
    method: 'get',
    path: '/users',
    scope: 'tessera:users:read',
    tag,
    summary: 'List or search users',
    query: {
      search: text('the beginning of a name', (value) => (value.length <= 254 ? undefined : 'is too long'))
        .exactOptional()
        .meta({ description: 'The beginning of a user name or an e-mail address.', example: 'ada' }),
      ...pageShape,
    },
    answer: { status: 200, description: 'A page of users.', schema: pageOfSchema(userAnswer) },
    refusals: [],
    run: ({ context, query }) => listUsers(context, query),
  }),
  operation({
    id: 'createUser',
    method: 'post',
    path: '/users',
    scope: 'tessera:users:write',
    tag,
    summary: 'Create a user',
    body: {
      shape: newUserShape,
      example: {
        username: 'grace',
        email: 'grace@example.com',
        password: 'correct horse battery staple',
        claims: { name: 'Grace Hopper' },
        roles: ['clerk'],
      },
    },
    answer: { status: 201, description: 'The user.', schema: userAnswer },
    refusals: [409],
    run: ({ context, actor, body }) => createUser(context, actor, body),
  }),
  operation({
    id: 'getUser',
    method: 'get',
    path: '/users/{userId}',
    scope: 'tessera:users:read',
    tag,
    summary: 'Read a user',
    params: userIdParam,
    answer: user('The user.'),
    refusals: [404],
    run: ({ context, params }) => getUser(context, params.userId),
  }),
  operation({
    id: 'updateUser',
    method: 'patch',
    path: '/users/{userId}',
    scope: 'tessera:users:write',
    tag,
    summary: 'Change a user',
    description:
      'What is absent stays; `email: null` removes the address. Disabling ends all their sessions and grants.',
    params: userIdParam,
    body: { shape: userChangesShape, example: { roles: ['clerk', 'auditor'], disabled: false } },
    versioned: true,
    answer: user('The user as it is now.'),
    refusals: [404, 409, 412],
    run: ({ context, actor, params, body, version }) =>
      updateUser(context, actor, { userId: params.userId, changes: body, version }),
  }),
  operation({
    id: 'setPassword',
    method: 'post',
    path: '/users/{userId}/password',
    scope: 'tessera:users:write',
    tag,
    summary: "Set a user's password",
    description: 'Ends all their sessions and grants: whoever knew the old password is out.',
    params: userIdParam,
    body: { shape: passwordShape, example: { password: 'a new and longer passphrase' } },
    versioned: true,
    answer: user('The user as it is now.'),
    refusals: [404, 409, 412],
    run: ({ context, actor, params, body, version }) =>
      setPassword(context, actor, { userId: params.userId, body, version }),
  }),
  operation({
    id: 'endSessionsOfUser',
    method: 'post',
    path: '/users/{userId}/end-sessions',
    scope: 'tessera:sessions:write',
    tag,
    summary: 'Sign a user out everywhere',
    description: 'Ends all their sessions and grants, offline ones too.',
    params: userIdParam,
    answer: { status: 200, description: 'How much it ended.', schema: endedAnswer },
    refusals: [404],
    run: ({ context, actor, params }) => endSessionsOfUser(context, actor, params.userId),
  }),
  operation({
    id: 'removeUser',
    method: 'delete',
    path: '/users/{userId}',
    scope: 'tessera:users:write',
    tag,
    summary: 'Remove a user',
    description: 'Ends all their sessions and grants and forgets what they allowed. The id is never given again.',
    params: userIdParam,
    versioned: true,
    answer: { status: 200, description: 'How much it ended.', schema: endedAnswer },
    refusals: [404, 409, 412],
    run: ({ context, actor, params, version }) => removeUser(context, actor, { userId: params.userId, version }),
  }),
];
