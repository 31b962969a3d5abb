import { listConsents, withdrawConsent } from '../consents.ts';
import { consentAnswer, endedAnswer, pageOfSchema } from './answers.ts';
import { type AnyOperation, operation } from './operation-route.ts';
import { clientIdParam, pageShape, userIdParam } from './parameters.ts';

const tag = 'Consents';

/** What users allowed: `/admin/api/users/{userId}/consents`. */
export const consentOperations: AnyOperation[] = [
  operation({
    id: 'listConsents',
    method: 'get',
    path: '/users/{userId}/consents',
    scope: 'tessera:consents:read',
    tag,
    summary: 'List what a user allowed',
    params: userIdParam,
    query: pageShape,
    answer: { status: 200, description: 'A page of consents.', schema: pageOfSchema(consentAnswer) },
    refusals: [404],
    run: ({ context, params, query }) => listConsents(context, { ...query, userId: params.userId }),
  }),
  operation({
    id: 'withdrawConsent',
    method: 'delete',
    path: '/users/{userId}/consents/{clientId}',
    scope: 'tessera:consents:write',
    tag,
    summary: 'Withdraw what a user allowed a client',
    description: "Ends the client's grants for this user, no others. The next sign-in asks again.",
    params: { ...userIdParam, ...clientIdParam },
    answer: { status: 200, description: 'How much it ended.', schema: endedAnswer },
    refusals: [404],
    run: ({ context, actor, params }) => withdrawConsent(context, actor, params),
  }),
];
