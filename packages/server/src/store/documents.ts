import type { ResourceServerRecord, UserRecord } from './records.ts';
import type { Change } from './store.ts';
import { foldName } from './user-names.ts';

type Put = Extract<Change, { change: 'put' }>;

/** The JSON of the record that is put, in that version. */
export function bodyOf(change: Put, version: number): string {
  return JSON.stringify({ ...change.record, version });
}

/** The id of the record that is put. */
export function idOf(change: Put): string {
  switch (change.kind) {
    case 'user':
      return change.record.userId;
    case 'client':
      return change.record.clientId;
    case 'resource_server':
      return change.record.resourceServerId;
    case 'signing_key':
      return change.record.kid;
    case 'consent':
      return change.record.consentId;
    case 'setting':
      return change.record.name;
  }
}

/** The names that a user takes, folded: username and e-mail address are in one name space, so that nobody takes another's address as a username. */
export function namesOf(user: UserRecord): { username: string; all: string[] } {
  const username = foldName(user.username);
  const all = new Set([username]);
  if (user.email !== undefined) all.add(foldName(user.email));
  return { username, all: [...all] };
}

/** The audiences that a resource server takes, each once. */
export function audiencesOf(server: ResourceServerRecord): string[] {
  return [...new Set(server.audiences)];
}
