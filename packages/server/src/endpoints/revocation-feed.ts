import * as z from 'zod';
import { authenticateClient } from '../client-auth/authenticate-client.ts';
import type { Context } from '../context.ts';
import type { RevocationFeed } from '../events/revocation-feed.ts';
import { type Input, json, type Output } from '../http/message.ts';
import { answerRefusal, type Refusal, refuse } from '../http/refusal.ts';
import { methodRefusal } from './token.ts';

const pollRequest = z.object({
  ack: z.array(z.string().max(64)).max(2000).optional(),
  maxEvents: z.number().int().min(0).optional(),
  returnImmediately: z.boolean().optional(),
  setErrs: z
    .record(z.string().max(64), z.object({ err: z.string().max(64), description: z.string().max(1000).optional() }))
    .optional(),
});

/** How long, in seconds, a poll waits when the receiver says nothing, and at the most. */
const defaultWait = 20;
const longestWait = 60;

/**
 * The revocation feed's endpoint: a long poll by a client that acts for resource servers. `Prefer: wait=N` says how long it may hang. Source: RFC 8936 section 2, RFC 7240 section 4.3.
 */
export async function revocationFeedEndpoint(context: Context, feed: RevocationFeed, input: Input): Promise<Output> {
  const answer = await poll(context, feed, input);
  return 'kind' in answer ? answerRefusal(context, input, 'revocation-feed', answer) : json(200, answer);
}

async function poll(context: Context, feed: RevocationFeed, input: Input) {
  if (input.method !== 'POST') return methodRefusal('POST');
  const authenticated = await authenticateClient(context, input, {});
  if (authenticated.kind === 'refuse') return authenticated;
  const { client } = authenticated;
  const facts = { clientId: client.clientId };
  if (client.authMethod === 'none' || (await audiencesServedBy(context, client.clientId)).length === 0)
    return refuse(
      'unauthorized_client',
      'permission_missing',
      'this client acts for no resource server; name it in the clients of one',
      { status: 403, facts },
    );
  const body = pollRequest.safeParse(parseJson(input.body));
  if (!body.success) return malformed(facts);
  const { ack, maxEvents, returnImmediately, setErrs } = body.data;
  for (const [jti, error] of Object.entries(setErrs ?? {}))
    context.log.warn(
      { clientId: client.clientId, jti, err: error.err },
      'a receiver of the revocation feed could not read an event',
    );
  context.metrics.feedReceivers.inc();
  try {
    return await feed.poll(
      { audiences: () => audiencesServedBy(context, client.clientId) },
      {
        ...(ack && { ack }),
        ...(maxEvents && { maxEvents }),
        ...(returnImmediately !== undefined && { returnImmediately }),
      },
      waitOf(input) * 1000,
      input.onGone,
    );
  } finally {
    context.metrics.feedReceivers.dec();
  }
}

/** The audiences that a client acts for at this moment; none when it was disabled or removed. */
async function audiencesServedBy({ registry }: Context, clientId: string): Promise<string[]> {
  const client = await registry.client(clientId);
  if (!client || client.disabled) return [];
  const servers = await registry.resourceServers();
  return servers.filter((one) => one.clients.includes(clientId)).flatMap((one) => one.audiences);
}

function waitOf(input: Input): number {
  const match = /(?:^|[,\s])wait=(\d{1,4})(?:$|[,;\s])/i.exec(input.headers.prefer ?? '');
  return match ? Math.min(longestWait, Number(match[1])) : defaultWait;
}

function malformed(facts: Refusal['facts'] = {}): Refusal {
  return refuse(
    'invalid_request',
    'malformed_request',
    'the body must be a poll request in JSON (RFC 8936 section 2.4)',
    { facts },
  );
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}
