import { adminResourceServer } from '../admin-resource-server.ts';
import type { DeclaredResourceServer } from '../config/config.ts';
import { concealed, type Problem } from '../config/problem.ts';
import { parseResourceServer, resourceServerShape } from '../config/resource-server-schema.ts';
import { weaknessOf } from '../config/secret-value.ts';
import { secretText } from '../config/value-schemas.ts';
import type { Actor } from '../events/event-types.ts';
import { randomSecret } from '../secrets/random.ts';
import { seal } from '../secrets/sealed.ts';
import { rememberLifetime } from '../sessions/tokens-until.ts';
import type { ResourceServerRecord } from '../store/records.ts';
import type { Page } from '../store/store.ts';
import { declaredInFile } from './clients.ts';
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
  readObject,
  refuse,
  refuseProblems,
} from './operation.ts';

const { id, secret: _secret, ...chosen } = resourceServerShape;

/** The key for HS256, as text: references to files and variables belong to the configuration file alone. */
const secret = secretText('text', (value) => weaknessOf(value, 256)).exactOptional();

/** What a new resource server is made of: the keys of `resourceServers` in the configuration file. */
export const newResourceServerShape = {
  id,
  ...chosen,
  secret: secret.meta({
    description: 'The key for `HS256`, 256 random bits or more. Absent: one is made and shown once.',
  }),
};

/** What can be changed of a resource server; all but its id. */
export const resourceServerChangesShape = {
  ...chosen,
  secret: secret.meta({ description: 'Another key for `HS256`; tokens under the old one are refused at once.' }),
};

/** A resource server as administrators see one. */
export type ResourceServer = Omit<ResourceServerRecord, 'resourceServerId' | 'encryptedSecret'> & { id: string };

/** A resource server and, this once, the secret that was made for it. */
export type ResourceServerWithSecret = ResourceServer & { secret?: string };

/** A resource server without what nobody may see. */
export function viewResourceServer(record: ResourceServerRecord): ResourceServer {
  const { resourceServerId, encryptedSecret: _, ...rest } = record;
  return { id: resourceServerId, ...rest };
}

/** Registers a resource server. For HS256 a secret is made where none is given. */
export async function createResourceServer(
  context: AdminContext,
  actor: Actor,
  input: unknown,
): Promise<Outcome<ResourceServerWithSecret>> {
  const at = context.now();
  const read = readDeclared(context, input, undefined);
  if (read.kind === 'refuse') return read;
  const { declared, made } = read.value;
  const record: ResourceServerRecord = {
    ...fieldsOf(context, declared),
    version: 0,
    declared: false,
    createdAt: at,
    updatedAt: at,
  };
  const outcome = await commitOperation(context, async () => {
    const present = await context.store.get('resource_server', record.resourceServerId);
    const builtIn = adminResourceServer(context.config.issuer);
    if (present || record.resourceServerId === builtIn.resourceServerId)
      return refuse('conflict', `id: there is a resource server "${record.resourceServerId}" already`, { field: 'id' });
    const taken = await refuseTakenAudience(context, record);
    if (taken) return taken;
    return {
      kind: 'write',
      changes: [
        { change: 'put', kind: 'resource_server', expect: 'absent', record },
        ...(await rememberLifetime(context, record.accessTokenLifetime)),
      ],
      events: [{ type: 'resource_server.created', at, actor, data: { resourceServerId: record.resourceServerId } }],
      value: () => withSecret({ ...record, version: 1 }, made),
    };
  });
  context.registry.forgetResourceServers();
  return outcome;
}

/** The resource server of that id. */
export async function getResourceServer(context: AdminContext, serverId: string): Promise<Outcome<ResourceServer>> {
  const record = await context.store.get('resource_server', serverId);
  return record ? done(viewResourceServer(record)) : unknown(serverId);
}

/** Resource servers, in the order of their ids; the built-in one of the admin API is not among them. */
export async function listResourceServers(
  context: AdminContext,
  input: PageInput,
): Promise<Outcome<Page<ResourceServer>>> {
  const { items, ...rest } = await context.store.list('resource_server', pageOf(input));
  return done({ items: items.map(viewResourceServer), ...rest });
}

/** Changes a resource server: what is absent stays, `null` removes. New tokens obey at once; those issued keep what they say. */
export async function updateResourceServer(
  context: AdminContext,
  actor: Actor,
  input: { id: string; changes: unknown; version?: number | undefined },
): Promise<Outcome<ResourceServerWithSecret>> {
  const outcome = await commitOperation(context, async (): Promise<Attempt<ResourceServerWithSecret>> => {
    const present = await findChangeable(context, input);
    if ('kind' in present) return present;
    const at = context.now();
    const read = readDeclared(context, input.changes, present);
    if (read.kind === 'refuse') return read;
    const { declared, made } = read.value;
    const record: ResourceServerRecord = {
      ...fieldsOf(context, declared),
      ...keptSecret(present, declared),
      version: present.version,
      declared: false,
      createdAt: present.createdAt,
      updatedAt: at,
    };
    const taken = await refuseTakenAudience(context, record);
    if (taken) return taken;
    return {
      kind: 'write',
      changes: [
        { change: 'put', kind: 'resource_server', expect: present.version, record },
        ...(await rememberLifetime(context, record.accessTokenLifetime)),
      ],
      events: [
        {
          type: 'resource_server.changed',
          at,
          actor,
          data: { resourceServerId: input.id, changed: Object.keys(Object(input.changes)) },
        },
      ],
      value: () => withSecret({ ...record, version: present.version + 1 }, made),
    };
  });
  context.registry.forgetResourceServers();
  return outcome;
}

/** Removes a resource server. No new tokens for its audiences are issued; those issued are good until they expire. */
export async function removeResourceServer(
  context: AdminContext,
  actor: Actor,
  input: { id: string; version?: number | undefined },
): Promise<Outcome<ResourceServer>> {
  const outcome = await commitOperation(context, async (): Promise<Attempt<ResourceServer>> => {
    const present = await findChangeable(context, input);
    if ('kind' in present) return present;
    return {
      kind: 'write',
      changes: [{ change: 'remove', kind: 'resource_server', id: input.id, expect: present.version }],
      events: [{ type: 'resource_server.removed', at: context.now(), actor, data: { resourceServerId: input.id } }],
      value: () => viewResourceServer(present),
    };
  });
  context.registry.forgetResourceServers();
  return outcome;
}

async function findChangeable(
  context: AdminContext,
  input: { id: string; version?: number | undefined },
): Promise<ResourceServerRecord | Refused> {
  const present = await context.store.get('resource_server', input.id);
  if (!present) return unknown(input.id);
  if (present.declared) return declaredInFile(`resource server "${input.id}"`, 'resourceServers');
  return checkVersion('this resource server', present.version, input.version) ?? present;
}

type Read = { declared: DeclaredResourceServer; made: string | undefined };

/** Reads a new resource server, or the changes of a present one, by the rules of the configuration file. */
function readDeclared(context: AdminContext, input: unknown, present: ResourceServerRecord | undefined): Outcome<Read> {
  const object = readObject(input);
  if (object.kind === 'refuse') return object;
  const given = object.value;
  const problems: Problem[] = [];
  // The schema of the file takes references to files and variables here; whoever calls from outside must not make the server read those.
  if (given.secret !== undefined && given.secret !== null && typeof given.secret !== 'string')
    problems.push({ path: ['secret'], message: `expected text, got ${concealed(given.secret)}` });
  if (present && 'id' in given) problems.push({ path: ['id'], message: 'cannot be changed; leave it out' });
  if (problems.length > 0) return refuseProblems(problems);

  const raw = present ? { ...declaredOf(present), ...given } : { ...given };
  const complete = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== null));
  const isHs256 = complete.algorithm === 'HS256';
  const keeps = present?.encryptedSecret !== undefined && complete.secret === undefined;
  const made = isHs256 && complete.secret === undefined && !keeps ? randomSecret(context.random) : undefined;
  // The rules ask for a secret; one that is kept sealed is represented by a random one, which is then dropped.
  const standIn = isHs256 && complete.secret === undefined ? { secret: made ?? randomSecret(context.random) } : {};
  const parsed = parseResourceServer({ ...complete, ...standIn }, []);
  if (parsed.problems.length > 0) return refuseProblems(parsed.problems);
  const declared = parsed.value as DeclaredResourceServer;
  if (keeps) delete declared.secret;
  return done({ declared, made });
}

function declaredOf(record: ResourceServerRecord): Omit<DeclaredResourceServer, 'secret'> {
  const { resourceServerId, name, audiences, scopes, roles, accessTokenLifetime, tokenFormat, algorithm, clients } =
    record;
  return {
    id: resourceServerId,
    name,
    audiences,
    scopes,
    roles,
    ...(accessTokenLifetime === undefined ? {} : { accessTokenLifetime }),
    tokenFormat,
    algorithm,
    clients,
  };
}

function fieldsOf(
  context: AdminContext,
  declared: DeclaredResourceServer,
): Omit<ResourceServerRecord, 'version' | 'declared' | 'createdAt' | 'updatedAt'> {
  const { id: resourceServerId, secret: plain, ...rest } = declared;
  return {
    resourceServerId,
    ...rest,
    ...(plain === undefined ? {} : { encryptedSecret: seal(context.rootKeys, 'stored-secret', plain, context.random) }),
  };
}

function keptSecret(
  present: ResourceServerRecord,
  declared: DeclaredResourceServer,
): Pick<ResourceServerRecord, 'encryptedSecret'> {
  const isKept = declared.algorithm === 'HS256' && declared.secret === undefined;
  return isKept && present.encryptedSecret !== undefined ? { encryptedSecret: present.encryptedSecret } : {};
}

function withSecret(record: ResourceServerRecord, made: string | undefined): ResourceServerWithSecret {
  return { ...viewResourceServer(record), ...(made === undefined ? {} : { secret: made }) };
}

/** An audience leads to one resource server only: else one API could receive tokens meant for another. */
async function refuseTakenAudience(context: AdminContext, record: ResourceServerRecord): Promise<Refused | undefined> {
  const { issuer } = context.config;
  const reserved = [issuer, ...adminResourceServer(issuer).audiences];
  context.registry.forgetResourceServers();
  for (const audience of record.audiences) {
    const holder = reserved.includes(audience) ? 'this server itself' : await context.registry.resourceServer(audience);
    if (holder === undefined || (typeof holder === 'object' && holder.resourceServerId === record.resourceServerId))
      continue;
    const name = typeof holder === 'string' ? holder : `resource server "${holder.resourceServerId}"`;
    return refuse('conflict', `audiences: "${audience}" belongs to ${name}; choose another`, { field: 'audiences' });
  }
  return undefined;
}

function unknown(serverId: string): Refused {
  return refuse('not_found', `there is no resource server "${serverId}"`);
}
