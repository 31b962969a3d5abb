import { seal, unseal } from '../secrets/sealed.ts';
import { rememberLifetime } from '../sessions/tokens-until.ts';
import type { ResourceServerRecord } from '../store/records.ts';
import type { Change, NewEvent } from '../store/store.ts';
import type { DeclaredResourceServer } from './config.ts';
import { changedKeys, type Declaration, type Declaring } from './declare.ts';
import { listAll } from './list-all.ts';

/** Decides what makes the store's resource server what the file says. The sealed secret stays as it is when it holds the same. */
export async function declareResourceServer(
  server: DeclaredResourceServer,
  declaring: Declaring,
): Promise<Declaration | undefined> {
  const { store, now } = declaring;
  const before = await store.get('resource_server', server.id);
  const record = toRecord(server, before, declaring);
  const changed = before ? changedKeys(before, record) : [];
  if (before && changed.length === 0) return undefined;
  const event: NewEvent = {
    type: before ? 'resource_server.changed' : 'resource_server.created',
    at: now,
    actor: { kind: 'server' },
    data: { resourceServerId: server.id, by: 'configuration file', ...(before ? { changed } : {}) },
  };
  const change: Change = { change: 'put', kind: 'resource_server', expect: before?.version ?? 'absent', record };
  return {
    outcome: before ? 'changed' : 'created',
    changes: [change, ...(await rememberLifetime(declaring, record.accessTokenLifetime))],
    events: [event],
  };
}

/**
 * Hands the resource servers that left the file to the admin API. Audiences the file now gives to another one leave them, so that an id can be renamed. Returns
 * their ids.
 */
export async function undeclareResourceServers(
  declared: readonly DeclaredResourceServer[],
  { store, now }: Declaring,
): Promise<string[] | 'conflict'> {
  const gone = (await listAll(store, 'resource_server')).filter(
    (record) => record.declared && !declared.some(({ id }) => id === record.resourceServerId),
  );
  if (gone.length === 0) return [];
  const claimed = new Set(declared.flatMap(({ audiences }) => audiences));
  const released = gone.map((before) => {
    const audiences = before.audiences.filter((audience) => !claimed.has(audience));
    return { before, after: { ...before, audiences, declared: false, updatedAt: now } };
  });
  const { outcome } = await store.commit(
    released.map(({ before, after }) => ({
      change: 'put',
      kind: 'resource_server',
      expect: before.version,
      record: after,
    })),
    released.map(({ before, after }) => ({
      type: 'resource_server.changed',
      at: now,
      actor: { kind: 'server' },
      data: {
        resourceServerId: before.resourceServerId,
        changed: changedKeys(before, after),
        by: 'configuration file',
        left: true,
      },
    })),
  );
  return outcome === 'conflict' ? 'conflict' : gone.map(({ resourceServerId }) => resourceServerId);
}

function toRecord(
  server: DeclaredResourceServer,
  before: ResourceServerRecord | undefined,
  { rootKeys, random, now }: Declaring,
): ResourceServerRecord {
  const record: ResourceServerRecord = {
    resourceServerId: server.id,
    version: before?.version ?? 0,
    name: server.name,
    audiences: server.audiences,
    scopes: server.scopes,
    roles: server.roles,
    tokenFormat: server.tokenFormat,
    algorithm: server.algorithm,
    clients: server.clients,
    declared: true,
    createdAt: before?.createdAt ?? now,
    updatedAt: now,
  };
  if (server.accessTokenLifetime !== undefined) record.accessTokenLifetime = server.accessTokenLifetime;
  if (server.secret === undefined) return record;
  const sealed = before?.encryptedSecret;
  const isSame = sealed !== undefined && unseal(rootKeys, 'stored-secret', sealed) === server.secret;
  record.encryptedSecret = isSame ? sealed : seal(rootKeys, 'stored-secret', server.secret, random);
  return record;
}
