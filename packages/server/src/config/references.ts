import { adminResourceServer } from '../admin-resource-server.ts';
import { foldName } from '../store/user-names.ts';
import type { DeclaredClient, DeclaredResourceServer, DeclaredUser } from './config.ts';
import type { Parsed } from './parse-section.ts';
import { formatPath, given, type Path, type Problem } from './problem.ts';
import { didYouMean } from './suggestion.ts';

/** The lists of the file, as far as they could be read. */
export type Entries = {
  users: readonly Parsed<DeclaredUser>[];
  clients: readonly Parsed<DeclaredClient>[];
  resourceServers: readonly Parsed<DeclaredResourceServer>[];
};

/** What must agree between the entries of the file: names are unique, and a reference names something that exists. */
export function checkReferences({ users, clients, resourceServers }: Entries, issuer: string | undefined): Problem[] {
  return [
    ...duplicates('users', 'name', users.flatMap(signInNames)),
    ...duplicates(
      'clients',
      'client_id',
      clients.map(({ value }, index) => ({ name: value.client_id, path: ['clients', index, 'client_id'] })),
    ),
    ...duplicates(
      'resourceServers',
      'id',
      resourceServers.map(({ value }, index) => ({ name: value.id, path: ['resourceServers', index, 'id'] })),
    ),
    ...duplicates('resourceServers', 'audience', resourceServers.flatMap(audiencesOf)),
    ...reserved(resourceServers, issuer),
    ...unknownAudiences(clients, resourceServers, issuer),
    ...unknownClients(clients, resourceServers),
  ];
}

type Named = { name: string | undefined; path: Path };

function signInNames({ value: { username, email } }: Parsed<DeclaredUser>, index: number): Named[] {
  const names: Named[] = [{ name: username && foldName(username), path: ['users', index, 'username'] }];
  // One may sign in with either, so a user's own two may be the same, and nobody else's.
  if (email !== undefined && (username === undefined || foldName(email) !== foldName(username)))
    names.push({ name: foldName(email), path: ['users', index, 'email'] });
  return names;
}

function audiencesOf({ value }: Parsed<DeclaredResourceServer>, index: number): Named[] {
  // Twice within one list is reported by the list itself.
  return [...new Set(value.audiences ?? [])].map((name) => ({
    name,
    path: ['resourceServers', index, 'audiences', value.audiences!.indexOf(name)],
  }));
}

function duplicates(list: string, what: string, all: readonly Named[]): Problem[] {
  return all.flatMap(({ name, path }, index) => {
    const first = name === undefined ? -1 : all.findIndex((other) => other.name === name);
    if (first === -1 || first === index) return [];
    const earlier = formatPath(all[first]!.path);
    // User names and addresses are personal data: only where they stand is told.
    const message =
      list === 'users'
        ? `is the same as ${earlier} (compared after NFKC and lower case); sign-in names must differ`
        : `${given(name)} is already the ${what} at ${earlier}; each needs its own`;
    return [{ path, message }];
  });
}

/** The server is a resource server itself: for its own tokens, and for its admin API. */
function reserved(servers: Entries['resourceServers'], issuer: string | undefined): Problem[] {
  if (issuer === undefined) return [];
  const own = adminResourceServer(issuer);
  const taken = [issuer, ...own.audiences];
  return servers.flatMap((server, index) => [
    ...audiencesOf(server, index)
      .filter(({ name = '' }) => taken.includes(name))
      .map(({ name, path }) => ({
        path,
        message: `${given(name)} is an audience of this server itself; choose another`,
      })),
    ...(server.value.id === own.resourceServerId
      ? [
          {
            path: ['resourceServers', index, 'id'],
            message: `${given(own.resourceServerId)} is this server's own; choose another`,
          },
        ]
      : []),
  ]);
}

function unknownAudiences(
  clients: Entries['clients'],
  servers: Entries['resourceServers'],
  issuer: string | undefined,
) {
  if (issuer === undefined || servers.some(({ broken }) => broken.has('audiences'))) return [];
  const known = [
    issuer,
    ...adminResourceServer(issuer).audiences,
    ...servers.flatMap(({ value }) => value.audiences ?? []),
  ];
  return clients.flatMap(({ value }, index) =>
    (['defaultResources', 'resources'] as const).flatMap((key) => {
      const named = value[key];
      if (!Array.isArray(named)) return [];
      return named.flatMap((audience, position): Problem[] =>
        known.includes(audience)
          ? []
          : [
              {
                path: ['clients', index, key, position],
                message: `${given(audience)} is an audience of no resource server in this file${didYouMean(audience, known)}`,
              },
            ],
      );
    }),
  );
}

function unknownClients(clients: Entries['clients'], servers: Entries['resourceServers']): Problem[] {
  if (clients.some(({ broken }) => broken.has('client_id'))) return [];
  const known = clients.map(({ value }) => value.client_id ?? '');
  return servers.flatMap(({ value }, index) =>
    (value.clients ?? []).flatMap((clientId, position): Problem[] => {
      const path = ['resourceServers', index, 'clients', position];
      const client = clients.find((one) => one.value.client_id === clientId);
      if (!client)
        return [{ path, message: `${given(clientId)} is no client in this file${didYouMean(clientId, known)}` }];
      return client.value.token_endpoint_auth_method === 'none'
        ? [
            {
              path,
              message: `${given(clientId)} is a public client, which cannot prove who it is; give it a client_secret or jwks`,
            },
          ]
        : [];
    }),
  );
}
