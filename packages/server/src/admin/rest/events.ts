import * as z from 'zod';
import { given } from '../../config/problem.ts';
import { didYouMean } from '../../config/suggestion.ts';
import { type EventType, eventTypes } from '../../events/event-types.ts';
import { listEvents } from '../events.ts';
import { findRefusal } from '../refusals.ts';
import { readStatistics } from '../statistics.ts';
import { eventsAnswer, refusalAnswer, statisticsAnswer } from './answers.ts';
import { type AnyOperation, operation } from './operation-route.ts';
import {
  clientIdParam,
  exampleIds,
  grantIdParam,
  id,
  numberInQuery,
  pageShape,
  sidParam,
  userIdParam,
} from './parameters.ts';

const tag = 'Events';
const known = Object.keys(eventTypes);
const latest = 99_999_999_999;

const types = z
  .string({ error: 'expected types with commas between' })
  .superRefine((value, context) => {
    for (const type of value.split(','))
      if (!known.includes(type))
        context.addIssue({
          code: 'custom',
          message: `${given(type)} is not a type of event${didYouMean(type, known)}`,
        });
  })
  .transform((value) => value.split(',') as EventType[])
  .exactOptional()
  .meta({
    description: `Only these types, with commas between: ${known.map((type) => `\`${type}\``).join(', ')}.`,
    example: 'session.ended,grant.ended',
  });

/** What happened, and why something was refused: `/admin/api/events`, `/admin/api/refusals`, `/admin/api/statistics`. */
export const eventOperations: AnyOperation[] = [
  operation({
    id: 'listEvents',
    method: 'get',
    path: '/events',
    scope: 'tessera:events:read',
    tag,
    summary: 'List events',
    description: 'Newest first; with `after` oldest first, to follow the log.',
    query: {
      types,
      userId: userIdParam.userId.exactOptional().meta(userIdParam.userId.meta() ?? {}),
      sid: sidParam.sid.exactOptional().meta({ description: 'Only of this session.' }),
      grantId: grantIdParam.grantId.exactOptional().meta({ description: 'Only of this grant.' }),
      clientId: clientIdParam.clientId.exactOptional().meta({ description: 'Only of this client.' }),
      from: numberInQuery(0, latest)
        .exactOptional()
        .meta({ description: 'From this second on.', example: 1_700_000_000 }),
      to: numberInQuery(0, latest).exactOptional().meta({ description: 'Up to this second.' }),
      before: numberInQuery(1, Number.MAX_SAFE_INTEGER)
        .exactOptional()
        .meta({ description: 'Only positions below this one: the `next` of the page before.' }),
      after: numberInQuery(0, Number.MAX_SAFE_INTEGER)
        .exactOptional()
        .meta({ description: 'Only positions above this one, oldest first.' }),
      limit: pageShape.limit,
    },
    answer: { status: 200, description: 'A page of events.', schema: eventsAnswer },
    refusals: [],
    run: ({ context, query }) => listEvents(context, query),
  }),
  operation({
    id: 'findRefusal',
    method: 'get',
    path: '/refusals/{refusalId}',
    scope: 'tessera:events:read',
    tag,
    summary: 'Why was this refused?',
    description: 'Finds a refusal by the `refusal_id` of its answer, among the last 50,000, and what led to it.',
    params: { refusalId: id(exampleIds.refusalId, 'The `refusal_id` of an answer.') },
    answer: { status: 200, description: 'The refusal.', schema: refusalAnswer },
    refusals: [404],
    run: ({ context, params }) => findRefusal(context, params.refusalId),
  }),
  operation({
    id: 'readStatistics',
    method: 'get',
    path: '/statistics',
    scope: 'tessera:events:read',
    tag,
    summary: 'How the server is doing',
    description: 'Counts stop at a thousand. Counters are those of the answering process since it started.',
    answer: { status: 200, description: 'The numbers.', schema: statisticsAnswer },
    refusals: [],
    run: ({ context }) => readStatistics(context),
  }),
];
