import { choice } from '../../config/value-schemas.ts';
import { endSession, getSession, listSessions } from '../sessions.ts';
import { endedAnswer, pageOfSchema, sessionAnswer, sessionStoryAnswer } from './answers.ts';
import { type AnyOperation, operation } from './operation-route.ts';
import { clientIdParam, pageShape, sidParam, userIdParam } from './parameters.ts';

const tag = 'Sessions';

/** Sessions: `/admin/api/sessions`. */
export const sessionOperations: AnyOperation[] = [
  operation({
    id: 'listSessions',
    method: 'get',
    path: '/sessions',
    scope: 'tessera:sessions:read',
    tag,
    summary: 'List sessions, newest first',
    query: {
      userId: userIdParam.userId.exactOptional().meta(userIdParam.userId.meta() ?? {}),
      clientId: clientIdParam.clientId
        .exactOptional()
        .meta({ ...clientIdParam.clientId.meta(), description: 'Only sessions with a grant of this client.' }),
      state: choice(['live', 'ended']).exactOptional().meta({ description: 'Only these.', example: 'live' }),
      ...pageShape,
    },
    answer: { status: 200, description: 'A page of sessions.', schema: pageOfSchema(sessionAnswer) },
    refusals: [],
    run: ({ context, query }) => listSessions(context, query),
  }),
  operation({
    id: 'getSession',
    method: 'get',
    path: '/sessions/{sid}',
    scope: 'tessera:sessions:read',
    tag,
    summary: 'Read a session, its grants and its story',
    params: sidParam,
    answer: {
      status: 200,
      description: 'The session, its newest 200 grants, and its newest 500 events, newest first.',
      schema: sessionStoryAnswer,
    },
    refusals: [404],
    run: ({ context, params }) => getSession(context, params.sid),
  }),
  operation({
    id: 'endSession',
    method: 'post',
    path: '/sessions/{sid}/end',
    scope: 'tessera:sessions:write',
    tag,
    summary: 'End a session',
    description: 'And all its grants, offline ones too. What has ended stays as it ended.',
    params: sidParam,
    answer: { status: 200, description: 'How much it ended.', schema: endedAnswer },
    refusals: [404],
    run: ({ context, actor, params }) => endSession(context, actor, params.sid),
  }),
];
