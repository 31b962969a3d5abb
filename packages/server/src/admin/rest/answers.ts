import { type RefusalReason, refusalReasons } from '@tessera/protocol';
import * as z from 'zod';
import { clientShape } from '../../config/client-schema.ts';
import { resourceServerShape } from '../../config/resource-server-schema.ts';
import { type EventType, eventTypes } from '../../events/event-types.ts';
import { signingAlgorithms } from '../../tokens/signing-keys.ts';

/** A point in time. */
const time = z.number().int().meta({ description: 'Seconds since 1970-01-01T00:00:00Z.', example: 1_800_000_000 });
const version = z
  .number()
  .int()
  .meta({ description: 'Raised at each change; what `ETag` says and `If-Match` expects.' });
const origin = z
  .strictObject({ ip: z.string(), userAgent: z.string() })
  .meta({ description: 'Where it came from.', example: { ip: '192.0.2.1', userAgent: 'Firefox' } });
const reasons = z.enum(Object.keys(refusalReasons) as [RefusalReason, ...RefusalReason[]]);
const endReason = z
  .string()
  .nullable()
  .meta({ description: 'Why it ended; null while it has not.', example: 'signed_out_everywhere' });

/** A page of a list. */
export function pageOfSchema(item: z.ZodType) {
  return z.strictObject({
    items: z.array(item),
    next: z.string().optional().meta({ description: 'There is more: the `after` of the next page.' }),
  });
}

export const userAnswer = z
  .strictObject({
    userId: z.string().meta({ description: 'The `sub` of its tokens.' }),
    version,
    username: z.string(),
    email: z.string().optional(),
    emailVerified: z.boolean(),
    claims: z.record(z.string(), z.unknown()),
    roles: z.array(z.string()),
    disabled: z.boolean(),
    hasPassword: z.boolean().meta({ description: 'Whether one can sign in with a password.' }),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'User' });

export const endedAnswer = z
  .strictObject({
    sessions: z.number().int().meta({ description: 'How many sessions it ended.' }),
    grants: z.number().int().meta({ description: 'How many grants it ended.' }),
  })
  .meta({ id: 'Ended' });

const {
  client_secret: _secret,
  client_name: _name,
  token_endpoint_auth_method,
  grant_types,
  scope,
  ...others
} = clientShape;

const clientFields = {
  ...others,
  client_name: z.string(),
  token_endpoint_auth_method: token_endpoint_auth_method.unwrap(),
  grant_types: grant_types.unwrap(),
  scope: scope.unwrap(),
  version,
  epoch: z.number().int().meta({ description: 'How often everything of it was cut off.' }),
  declared: z.boolean().meta({ description: 'True: the configuration file declares it, and it alone changes it.' }),
  secrets: z
    .array(z.strictObject({ until: time.nullable() }))
    .meta({ description: 'Its secrets, newest first: until when each is good; null: without end.' }),
  createdAt: time,
  updatedAt: time,
};

export const clientAnswer = z.strictObject(clientFields).meta({ id: 'Client' });

export const clientWithSecretAnswer = z
  .strictObject({
    ...clientFields,
    client_secret: z
      .string()
      .optional()
      .meta({ description: 'Its new secret. Shown this once: only a digest is kept.' }),
  })
  .meta({ id: 'ClientWithSecret' });

export const cutOffAnswer = z.strictObject({ ...clientFields, ended: endedAnswer }).meta({ id: 'ClientCutOff' });

const { secret: _shared, ...resourceServerFields } = resourceServerShape;
const serverFields = {
  ...resourceServerFields,
  name: z.string(),
  version,
  declared: clientFields.declared,
  createdAt: time,
  updatedAt: time,
};

export const resourceServerAnswer = z.strictObject(serverFields).meta({ id: 'ResourceServer' });

export const resourceServerWithSecretAnswer = z
  .strictObject({
    ...serverFields,
    secret: z.string().optional().meta({ description: 'The key that was made for `HS256`. Shown this once.' }),
  })
  .meta({ id: 'ResourceServerWithSecret' });

export const sessionAnswer = z
  .strictObject({
    sid: z.string(),
    version,
    state: z
      .enum(['live', 'ended', 'expired'])
      .meta({ description: '`expired`: past its absolute limit, about to be ended.' }),
    userId: z.string(),
    authTime: time,
    amr: z.array(z.string()),
    acr: z.string(),
    createdAt: time,
    origin,
    lastSeenAt: time,
    ssoIdle: z.number().int().meta({ description: 'How far each use of its cookie moves `ssoUntil`.' }),
    ssoUntil: time.meta({ description: 'Until when its cookie skips the sign-in page.' }),
    endsAt: time,
    endedAt: time.nullable(),
    endReason,
  })
  .meta({ id: 'Session' });

export const grantAnswer = z
  .strictObject({
    grantId: z.string(),
    state: z.enum(['live', 'ended', 'refused']).meta({
      description: '`refused`: not ended by itself, and refused all the same because of `refusedBecause`.',
    }),
    refusedBecause: reasons.optional(),
    sid: z.string(),
    userId: z.string(),
    clientId: z.string(),
    kind: z
      .enum(['session', 'offline'])
      .meta({ description: '`session` ends with its session; `offline` survives a mere sign-out of the browser.' }),
    scopes: z.array(z.string()),
    resources: z.array(z.string()),
    claims: z.record(z.string(), z.unknown()).nullable(),
    authTime: time,
    amr: z.array(z.string()),
    acr: z.string(),
    jkt: z.string().nullable().meta({ description: 'Thumbprint of the DPoP key it is bound to.' }),
    clientEpoch: z.number().int(),
    issuerEpoch: z.number().int(),
    hasRefreshToken: z.boolean(),
    idleLimit: z.number().int().nullable(),
    endsAt: time,
    createdAt: time,
    generation: z.number().int().meta({ description: 'The generation of its one live refresh token.' }),
    rotatedAt: time,
    idleAt: time.nullable().meta({ description: 'When it lapses if it is not used; null: it does not slide.' }),
    lastUsedAt: time,
    lastOrigin: origin,
    uses: z.number().int().meta({ description: 'How often it was refreshed.' }),
    replays: z.number().int().meta({ description: 'How often a spent refresh token returned its successor again.' }),
    endedAt: time.nullable(),
    endReason,
  })
  .meta({ id: 'Grant' });

export const eventAnswer = z
  .strictObject({
    position: z.number().int().meta({ description: 'Dense, from 1, in the order of the commits.' }),
    type: z.enum(Object.keys(eventTypes) as [EventType, ...EventType[]]),
    at: time,
    actor: z.strictObject({
      kind: z.enum(['user', 'client', 'admin', 'cli', 'server']),
      userId: z.string().optional(),
      clientId: z.string().optional(),
    }),
    userId: z.string().optional(),
    sid: z.string().optional(),
    grantId: z.string().optional(),
    clientId: z.string().optional(),
    data: z.record(z.string(), z.unknown()).optional(),
    audiences: z.array(z.string()).nullable().optional(),
    until: time.optional(),
  })
  .meta({ id: 'Event' });

export const eventsAnswer = z.strictObject({
  items: z.array(eventAnswer),
  next: z
    .number()
    .int()
    .optional()
    .meta({ description: 'Where to go on: the next `before`, or with `after` the next `after`.' }),
});

export const sessionStoryAnswer = z
  .strictObject({ session: sessionAnswer, grants: z.array(grantAnswer), events: z.array(eventAnswer) })
  .meta({ id: 'SessionStory' });

export const refusalAnswer = z
  .strictObject({
    refusalId: z.string(),
    at: time,
    reason: reasons.optional(),
    meaning: z.string().optional().meta({ description: 'The reason in a sentence.' }),
    event: eventAnswer,
    cause: eventAnswer.optional().meta({ description: 'What led to it, for example what ended the grant.' }),
  })
  .meta({ id: 'Refusal' });

export const consentAnswer = z
  .strictObject({
    consentId: z.string(),
    version,
    userId: z.string(),
    clientId: z.string(),
    scopes: z.array(z.string()),
    resources: z.array(z.string()),
    grantedAt: time,
  })
  .meta({ id: 'Consent' });

export const keysAnswer = z
  .strictObject({
    items: z.array(
      z.strictObject({
        kid: z.string(),
        algorithm: z.enum(signingAlgorithms as [string, ...string[]]),
        state: z.enum(['next', 'current', 'retired', 'revoked']),
        publicJwk: z.record(z.string(), z.unknown()).meta({ description: 'The public half, as published.' }),
        createdAt: time,
        activatedAt: time.nullable(),
        retiredAt: time.nullable(),
      }),
    ),
  })
  .meta({ id: 'SigningKeys' });

const count = z.strictObject({ count: z.number().int(), more: z.boolean() });
const counter = z.record(z.string(), z.number());

export const statisticsAnswer = z
  .strictObject({
    at: time,
    users: count,
    clients: count,
    resourceServers: count,
    liveSessions: count,
    liveGrants: count,
    lastDay: z.strictObject({ from: time, events: counter, more: z.boolean() }),
    counters: z.strictObject({
      tokensIssued: counter,
      refreshes: counter,
      introspections: counter,
      refusals: counter,
      signIns: counter,
      endings: counter,
    }),
  })
  .meta({ id: 'Statistics' });
