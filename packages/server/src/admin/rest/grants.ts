import { choice } from '../../config/value-schemas.ts';
import { endGrant, findGrant, getGrant, listGrants, refreshTokenShape } from '../grants.ts';
import { endedAnswer, grantAnswer, pageOfSchema } from './answers.ts';
import { type AnyOperation, operation } from './operation-route.ts';
import { clientIdParam, grantIdParam, pageShape, sidParam, userIdParam } from './parameters.ts';

const tag = 'Grants';

/** Grants: `/admin/api/grants`. */
export const grantOperations: AnyOperation[] = [
  operation({
    id: 'listGrants',
    method: 'get',
    path: '/grants',
    scope: 'tessera:sessions:read',
    tag,
    summary: 'List grants, newest first',
    query: {
      userId: userIdParam.userId.exactOptional().meta(userIdParam.userId.meta() ?? {}),
      clientId: clientIdParam.clientId.exactOptional().meta(clientIdParam.clientId.meta() ?? {}),
      sid: sidParam.sid.exactOptional().meta(sidParam.sid.meta() ?? {}),
      state: choice(['live', 'ended']).exactOptional().meta({ description: 'Only these.', example: 'live' }),
      ...pageShape,
    },
    answer: { status: 200, description: 'A page of grants.', schema: pageOfSchema(grantAnswer) },
    refusals: [],
    run: ({ context, query }) => listGrants(context, query),
  }),
  operation({
    id: 'getGrant',
    method: 'get',
    path: '/grants/{grantId}',
    scope: 'tessera:sessions:read',
    tag,
    summary: 'Read a grant',
    params: grantIdParam,
    answer: { status: 200, description: 'The grant.', schema: grantAnswer },
    refusals: [404],
    run: ({ context, params }) => getGrant(context, params.grantId),
  }),
  operation({
    id: 'findGrant',
    method: 'post',
    path: '/grants/find',
    scope: 'tessera:sessions:read',
    tag,
    summary: 'Find the grant of a refresh token',
    description:
      'Current or spent, of any application: of one that was found where it should not be, say. The token is written nowhere.',
    body: {
      shape: refreshTokenShape,
      example: {
        refreshToken:
          'tsr_AAAAAAGce6dpAR5ObFfcVHti6UcAAAABCQkJCQkJCQkJCQkJCQkJCVgsT9mVkOesTC5sZ9PUUo6pdMqhw2l6FAH7mD6lWK1D',
      },
    },
    answer: { status: 200, description: 'The grant.', schema: grantAnswer },
    refusals: [404],
    run: ({ context, body }) => findGrant(context, body),
  }),
  operation({
    id: 'endGrant',
    method: 'post',
    path: '/grants/{grantId}/end',
    scope: 'tessera:sessions:write',
    tag,
    summary: 'End a grant',
    description: 'Its refresh token and its access tokens. The session and its other grants live on.',
    params: grantIdParam,
    answer: { status: 200, description: 'How much it ended.', schema: endedAnswer },
    refusals: [404],
    run: ({ context, actor, params }) => endGrant(context, actor, params.grantId),
  }),
];
