import { day, type Seconds } from '@tessera/protocol';
import { type ClientMetadata, recordFieldsOf } from '../config/client-record.ts';
import { clientShape, parseClient } from '../config/client-schema.ts';
import type { Problem } from '../config/problem.ts';
import { seconds } from '../config/value-schemas.ts';
import type { Actor } from '../events/event-types.ts';
import { digestClientSecret } from '../secrets/client-secret.ts';
import { replaceSecret } from '../secrets/client-secret-overlap.ts';
import { randomSecret } from '../secrets/random.ts';
import { rememberRemoved } from '../sessions/removed-client.ts';
import { rememberLifetime, tokensUntil } from '../sessions/tokens-until.ts';
import type { ClientRecord, EndReason } from '../store/records.ts';
import type { Change, NewEvent, Page } from '../store/store.ts';
import { type Client, metadataOf, viewClient } from './client-metadata.ts';
import {
  type AdminContext,
  type Attempt,
  checkVersion,
  commitOperation,
  done,
  type Outcome,
  type PageInput,
  pageOf,
  type Refused,
  readInput,
  readObject,
  refuse,
  refuseProblems,
} from './operation.ts';
import type { Ended } from './users.ts';

const { client_id: _id, client_secret: _secret, client_name, ...chosen } = clientShape;

/** What a new client is made of: the keys of `clients` in the configuration file but `client_id` and `client_secret`, which the server makes. */
export const newClientShape = {
  client_name: client_name
    .unwrap()
    .meta({ description: 'Its name on the sign-in and consent pages.', example: 'Web shop' }),
  ...chosen,
};

/** What rotating a client secret takes. */
export const rotateSecretShape = {
  overlap: seconds(0, 90 * day)
    .default(0)
    .meta({ description: 'For how many more seconds the old secret is good.', example: 86_400 }),
};

/** A client and, this once, the secret that was made for it. */
export type ClientWithSecret = Client & { client_secret?: string };

/** How many grants of a client are ended by name: in one commit, and in how many commits. What is left is refused by the epoch, and lapses. */
const grantsAtOnce = 500;
const mostSlices = 10;

/** Registers a client under a fresh id, with a fresh secret where its authentication method needs one. The same rules hold as in the file. */
export async function createClient(
  context: AdminContext,
  actor: Actor,
  input: unknown,
): Promise<Outcome<ClientWithSecret>> {
  const clientId = Buffer.from(context.random(12)).toString('hex');
  const read = readMetadata(context, clientId, input);
  if (read.kind === 'refuse') return read;
  const made = usesSecret(read.value) ? makeClientSecret(context) : undefined;
  const at = context.now();
  const record: ClientRecord = {
    ...recordFieldsOf(read.value),
    version: 0,
    secretDigests: made ? [made.digest] : [],
    epoch: 0,
    declared: false,
    createdAt: at,
    updatedAt: at,
  };
  return commitOperation(context, async () => ({
    kind: 'write',
    changes: [
      { change: 'put', kind: 'client', expect: 'absent', record },
      ...(await rememberLifetime(context, record.lifetimes.accessToken)),
    ],
    events: [{ type: 'client.created', at, actor, clientId }],
    value: () => ({ ...viewClient({ ...record, version: 1 }, at), ...(made ? { client_secret: made.secret } : {}) }),
  }));
}

/** The client of that id. */
export async function getClient(context: AdminContext, clientId: string): Promise<Outcome<Client>> {
  const record = await context.store.get('client', clientId);
  return record ? done(viewClient(record, context.now())) : unknownClient(clientId);
}

/** Clients, in the order of their ids. */
export async function listClients(context: AdminContext, input: PageInput): Promise<Outcome<Page<Client>>> {
  const { items, ...rest } = await context.store.list('client', pageOf(input));
  return done({ items: items.map((record) => viewClient(record, context.now())), ...rest });
}

/**
 * Changes a client: what is absent stays, `null` removes. Limits of grants that exist stay as they were at their birth. Disabling cuts everything of it off.
 * Where the new authentication method needs a secret and there is none, one is made.
 */
export async function updateClient(
  context: AdminContext,
  actor: Actor,
  input: { clientId: string; changes: unknown; version?: number | undefined },
): Promise<Outcome<ClientWithSecret>> {
  return changeClient(context, input, async (present, at) => {
    // offline_access comes and goes with offlineAccess: kept in the scope, it would stand in the way of whoever takes that away.
    const scopes = present.scopes.filter((scope) => scope !== 'offline_access');
    const { client_id: _, ...metadata } = metadataOf({ ...present, scopes });
    const read = readMetadata(context, present.clientId, merge(metadata, input.changes));
    if (read.kind === 'refuse') return read;
    const needsSecret = usesSecret(read.value);
    const made = needsSecret && present.secretDigests.length === 0 ? makeClientSecret(context) : undefined;
    const { logoUri: _logo, policyUri: _policy, tosUri: _tos, ...kept } = present;
    const record: ClientRecord = {
      ...kept,
      ...recordFieldsOf(read.value),
      secretDigests: made ? [made.digest] : needsSecret ? present.secretDigests : [],
      updatedAt: at,
    };
    const isCutOff = record.disabled && !present.disabled;
    if (isCutOff) record.epoch++;
    return {
      changes: [
        { change: 'put', kind: 'client', expect: present.version, record },
        ...(await rememberLifetime(context, record.lifetimes.accessToken)),
      ],
      events: [
        {
          type: 'client.changed',
          at,
          actor,
          clientId: present.clientId,
          data: { changed: Object.keys(Object(input.changes)) },
        },
        ...(isCutOff ? [await epochRaised(context, actor, record.clientId, record.epoch, at)] : []),
      ],
      value: {
        ...viewClient({ ...record, version: present.version + 1 }, at),
        ...(made ? { client_secret: made.secret } : {}),
      },
    };
  });
}

/** Gives a client another secret, shown this once. The old one is good for `overlap` more seconds (default 0: at once no more). */
export async function rotateClientSecret(
  context: AdminContext,
  actor: Actor,
  input: { clientId: string; body: unknown; version?: number | undefined },
): Promise<Outcome<Client & { client_secret: string }>> {
  const read = readInput(rotateSecretShape, input.body ?? {});
  if (read.kind === 'refuse') return read;
  const { overlap } = read.value;
  const made = makeClientSecret(context);
  return changeClient(context, input, async (present, at) => {
    if (!usesSecret(metadataOf(present)))
      return refuse(
        'conflict',
        `client "${present.clientId}" authenticates by "${present.authMethod}" and has no secret`,
      );
    const secretDigests = replaceSecret(present.secretDigests, made.digest, overlap, at);
    const record = { ...present, secretDigests, updatedAt: at };
    return {
      changes: [{ change: 'put', kind: 'client', expect: present.version, record }],
      events: [
        {
          type: 'client.changed',
          at,
          actor,
          clientId: present.clientId,
          data: { changed: ['client_secret'], overlap },
        },
      ],
      value: { ...viewClient({ ...record, version: present.version + 1 }, at), client_secret: made.secret },
    };
  });
}

/** Removes a client and ends its grants. Its id is never given again; where the configuration file names it anew, what was issued before stays dead. */
export async function removeClient(
  context: AdminContext,
  actor: Actor,
  input: { clientId: string; version?: number | undefined },
): Promise<Outcome<Ended>> {
  const removed = await changeClient(context, input, async (present, at) => ({
    changes: [
      { change: 'remove', kind: 'client', id: present.clientId, expect: present.version },
      await rememberRemoved(context.store, { clientId: present.clientId, epoch: present.epoch + 1 }),
    ],
    events: [
      { type: 'client.removed', at, actor, clientId: present.clientId, data: { name: present.name } },
      await epochRaised(context, actor, present.clientId, present.epoch + 1, at),
    ],
    value: present.epoch + 1,
  }));
  if (removed.kind === 'refuse') return removed;
  return done(await endGrantsBelow(context, actor, input.clientId, removed.value, 'client_removed'));
}

/**
 * Ends everything of a client at once, whoever holds it: its epoch is raised in one commit, then its grants are ended by name. Declared clients too: this
 * changes nothing that the file says.
 */
export async function cutOffClient(
  context: AdminContext,
  actor: Actor,
  input: { clientId: string; version?: number | undefined },
): Promise<Outcome<Client & { ended: Ended }>> {
  const raised = await changeClient(
    context,
    input,
    async (present, at) => {
      const record = { ...present, epoch: present.epoch + 1 };
      return {
        changes: [{ change: 'put', kind: 'client', expect: present.version, record }],
        events: [await epochRaised(context, actor, present.clientId, record.epoch, at)],
        value: viewClient({ ...record, version: present.version + 1 }, at),
      };
    },
    { declaredToo: true },
  );
  if (raised.kind === 'refuse') return raised;
  const client = raised.value;
  const ended = await endGrantsBelow(context, actor, client.client_id, client.epoch, 'client_cut_off');
  return done({ ...client, ended });
}

type ClientChange<T> = { changes: Change[]; events: NewEvent[]; value: T };

async function changeClient<T>(
  context: AdminContext,
  input: { clientId: string; version?: number | undefined },
  change: (present: ClientRecord, at: Seconds) => Promise<ClientChange<T> | Refused>,
  { declaredToo = false } = {},
): Promise<Outcome<T>> {
  const outcome = await commitOperation(context, async (): Promise<Attempt<T>> => {
    const present = await context.store.get('client', input.clientId);
    if (!present) return unknownClient(input.clientId);
    if (present.declared && !declaredToo) return declaredInFile(`client "${present.clientId}"`, 'clients');
    const stale = checkVersion('this client', present.version, input.version);
    if (stale) return stale;
    const changed = await change(present, context.now());
    return 'kind' in changed ? changed : { ...changed, kind: 'write', value: () => changed.value };
  });
  context.registry.forgetClient(input.clientId);
  return outcome;
}

/** The refusal to change what the configuration file declares. */
export function declaredInFile(what: string, list: string): Refused {
  return refuse(
    'conflict',
    `${what} is declared in the configuration file, and the file alone changes it: edit "${list}" there and restart, or take it out of the file first`,
  );
}

function unknownClient(clientId: string): Refused {
  return refuse('not_found', `there is no client "${clientId}"`);
}

function usesSecret({ token_endpoint_auth_method: method }: { token_endpoint_auth_method?: unknown }): boolean {
  return method === 'client_secret_basic' || method === 'client_secret_post';
}

/** A fresh client secret of 256 bits, to be shown once, and the digest that is kept of it. */
function makeClientSecret(context: AdminContext): { secret: string; digest: string } {
  const secret = randomSecret(context.random);
  return { secret, digest: digestClientSecret(context.rootKeys, secret) };
}

/** Reads metadata by the rules of the configuration file; the id is given, a secret only stands for the one that is or will be there. */
function readMetadata(context: AdminContext, clientId: string, input: unknown): Outcome<ClientMetadata> {
  const object = readObject(input);
  if (object.kind === 'refuse') return object;
  const raw = object.value;
  const problems: Problem[] = ['client_id', 'client_secret']
    .filter((key) => key in raw)
    .map((key) => ({ path: [key], message: 'is made by the server; leave it out' }));
  if (raw.client_name === undefined) problems.push({ path: ['client_name'], message: 'expected text, got nothing' });
  const standIn = usesSecret(raw) ? { client_secret: randomSecret(context.random) } : {};
  const parsed = parseClient({ ...raw, client_id: clientId, ...standIn }, []);
  problems.push(...parsed.problems);
  if (problems.length > 0) return refuseProblems(problems);
  const { client_secret: _, ...metadata } = parsed.value as ClientMetadata & { client_secret?: string };
  return done(metadata);
}

/** The metadata with the changes; `null` removes a key, so that its default holds. */
function merge(metadata: Omit<ClientMetadata, 'client_id'>, changes: unknown): unknown {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes)) return changes;
  return Object.fromEntries(Object.entries({ ...metadata, ...changes }).filter(([, value]) => value !== null));
}

async function epochRaised(
  context: AdminContext,
  actor: Actor,
  clientId: string,
  epoch: number,
  at: Seconds,
): Promise<NewEvent> {
  const until = await tokensUntil(context, at);
  return { type: 'client.epoch_raised', at, actor, clientId, data: { epoch }, audiences: null, until };
}

/** Ends grants of before the epoch by name, so that each has its reason and its story. The epoch already refuses them. */
async function endGrantsBelow(
  context: AdminContext,
  actor: Actor,
  clientId: string,
  epoch: number,
  reason: EndReason,
): Promise<Ended> {
  let grants = 0;
  let after: string | undefined;
  for (let slices = 0; slices < mostSlices; slices++) {
    const at = context.now();
    const page = await context.store.listGrants(
      { clientId, state: 'live', now: at },
      { limit: grantsAtOnce, ...(after === undefined ? {} : { after }) },
    );
    const changes = page.items
      .filter((grant) => grant.clientEpoch < epoch)
      // Edges need not remember these one by one: the entry of the epoch covers them.
      .map(
        ({ grantId }): Change => ({
          change: 'end-grants',
          where: { grantId },
          ending: { reason, at, actor, until: at },
        }),
      );
    const result = changes.length === 0 ? undefined : await context.store.commit(changes);
    if (result?.outcome === 'committed') grants += result.ended.grantIds.length;
    after = page.next;
    if (after === undefined) break;
  }
  return { sessions: 0, grants };
}
