import { adminResourceServerId } from '../admin-resource-server.ts';
import type { Context } from '../context.ts';
import { printable } from '../http/parameters.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import type { ClientRecord, ResourceServerRecord, UserRecord } from '../store/records.ts';
import { mayHave } from './permissions.ts';
import { openIdScopes } from './user-claims.ts';

/** Where tokens will be used. */
export type Targets = { kind: 'targets'; audiences: string[]; resourceServers: ResourceServerRecord[] };

/**
 * Finds the audiences of a request: those it names by `resource`; else the client's default ones; else those of the resource servers whose scopes it asks for;
 * else the issuer itself. Source: RFC 8707 section 2, RFC 9068 section 3.
 */
export async function findTargets(
  context: Pick<Context, 'registry' | 'config'>,
  client: Pick<ClientRecord, 'clientId' | 'resources' | 'defaultResources'>,
  asked: readonly string[],
  scopes: readonly string[],
): Promise<Targets | Refusal> {
  const mayUse = (audience: string) => client.resources === 'any' || client.resources.includes(audience);
  if (asked.length === 0) {
    const derived =
      client.defaultResources.length > 0 ? client.defaultResources : await audiencesOfScopes(context, scopes);
    const allowed = derived.filter((audience) => mayUse(audience) || client.defaultResources.includes(audience));
    return serversOf(context, allowed.length > 0 ? allowed : [context.config.issuer]);
  }
  for (const audience of asked) {
    const isUri = URL.canParse(audience) && !audience.includes('#');
    if (!isUri)
      return refuse('invalid_target', 'resource_unknown', 'resource must be an absolute URI without fragment', {
        facts: { clientId: client.clientId },
      });
    if (audience !== context.config.issuer && (!(await context.registry.resourceServer(audience)) || !mayUse(audience)))
      return refuse(
        'invalid_target',
        'resource_unknown',
        `resource "${printable(audience)}" is not one this client may use`,
        {
          facts: { clientId: client.clientId, got: printable(audience) },
        },
      );
  }
  return serversOf(context, [...new Set(asked)]);
}

/**
 * Narrows what a grant reaches, as far as the client may reach it still, to what a token request names; without `resource`, all of it. One token has one format and one signature, so resource servers that differ
 * in these must be asked for one at a time. Source: RFC 8707 section 2.2.
 */
export async function narrowTargets(
  context: Pick<Context, 'registry' | 'config'>,
  client: Pick<ClientRecord, 'resources' | 'defaultResources'>,
  granted: readonly string[],
  asked: readonly string[],
): Promise<Targets | Refusal> {
  const reached = granted.filter(
    (audience) =>
      audience === context.config.issuer ||
      client.resources === 'any' ||
      client.resources.includes(audience) ||
      client.defaultResources.includes(audience),
  );
  const beyond = asked.length > 0 || reached.length > 0 ? asked.find((one) => !reached.includes(one)) : granted[0];
  if (beyond !== undefined)
    return refuse(
      'invalid_target',
      'resource_not_granted',
      `resource "${printable(beyond)}" is not among those granted`,
      { facts: { expected: reached.join(' '), got: printable(beyond) } },
    );
  return oneKindOfToken(await serversOf(context, asked.length > 0 ? [...new Set(asked)] : reached));
}

/**
 * Refuses targets whose resource servers want different kinds of tokens. With HS256 each has a secret, and so a kind, of its own; and a token for the admin API is for nothing else, since any API that
 * receives a token could use it at the others it is for. Source: RFC 9700 section 2.3.
 */
export function oneKindOfToken(targets: Targets): Targets | Refusal {
  const kinds = new Set(targets.resourceServers.map(kindOfToken));
  return kinds.size <= 1
    ? targets
    : refuse(
        'invalid_target',
        'resource_not_granted',
        'these resources want different kinds of tokens; ask for one at a time with the resource parameter',
      );
}

function kindOfToken({ tokenFormat, algorithm, resourceServerId }: ResourceServerRecord): string {
  const isAlone = algorithm === 'HS256' || resourceServerId === adminResourceServerId;
  return isAlone ? resourceServerId : `${tokenFormat}/${algorithm}`;
}

/**
 * The scopes that mean something at these targets: those of OpenID Connect, and those of the resource servers. A token says its scopes once for all its audiences, so one that a
 * permission rule of any of them withholds from the user is left out. `user` undefined: a client acting for itself. Pure.
 */
export function scopesAt(
  targets: Pick<Targets, 'resourceServers'>,
  scopes: readonly string[],
  user: Pick<UserRecord, 'roles'> | undefined,
): string[] {
  return scopes.filter((scope) => {
    if (openIdScopes.includes(scope)) return true;
    const servers = targets.resourceServers.filter((one) => Object.hasOwn(one.scopes, scope));
    return servers.length > 0 && (!user || servers.every((one) => mayHave(one, user, scope)));
  });
}

async function serversOf(context: Pick<Context, 'registry'>, audiences: string[]): Promise<Targets> {
  const found = new Set<ResourceServerRecord>();
  for (const audience of audiences) {
    const server = await context.registry.resourceServer(audience);
    if (server) found.add(server);
  }
  return { kind: 'targets', audiences, resourceServers: [...found] };
}

async function audiencesOfScopes(context: Pick<Context, 'registry'>, scopes: readonly string[]): Promise<string[]> {
  const servers = await context.registry.resourceServers();
  return servers
    .filter((one) => scopes.some((scope) => Object.hasOwn(one.scopes, scope)))
    .flatMap((one) => one.audiences);
}
