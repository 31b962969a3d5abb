import { audiencesOf, bodyOf, idOf, namesOf } from '../documents.ts';
import type { ResourceServerRecord, UserRecord } from '../records.ts';
import type { ChangeOf } from './changes.ts';
import type { Connection } from './connection.ts';
import { packText } from './key.ts';
import { count } from './statements.ts';

const insert = 'INSERT INTO documents (kind, id, version, body) VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING';
const update = 'UPDATE documents SET version = $1, body = $2 WHERE kind = $3 AND id = $4 AND version = $5';
const removeDocument = 'DELETE FROM documents WHERE kind = $1 AND id = $2 AND version = $3';
const freeNames = 'DELETE FROM user_names WHERE user_id = $1';
const takeNames = `
  INSERT INTO user_names SELECT name, $2, $3 FROM unnest($1::bytea[]) AS a(name) ORDER BY name ON CONFLICT DO NOTHING`;
const freeAudiences = 'DELETE FROM audiences WHERE resource_server_id = $1';
const takeAudiences = `
  INSERT INTO audiences SELECT audience, $2 FROM unnest($1::bytea[]) AS a(audience) ORDER BY audience ON CONFLICT DO NOTHING`;

/**
 * Writes a record that is replaced whole; false: its version is another, or something of it that must be unique is taken. Usernames and e-mail addresses
 * are in one name space, so that nobody takes another's address as a username. An insert waits for one of the same name that is under way.
 */
export async function putDocument(connection: Connection, change: ChangeOf<'put'>): Promise<boolean> {
  if (!(await write(connection, change))) return false;
  if (change.kind === 'user') return nameUser(connection, change.record);
  if (change.kind === 'resource_server') return nameAudiences(connection, change.record);
  return true;
}

/** Removes a record and frees what it had taken; false: its version is another, or it is not there. */
export async function remove(connection: Connection, change: ChangeOf<'remove'>): Promise<boolean> {
  const id = packText(change.id);
  if ((await count(connection, removeDocument, [change.kind, id, change.expect])) !== 1) return false;
  if (change.kind === 'user') await count(connection, freeNames, [id]);
  if (change.kind === 'resource_server') await count(connection, freeAudiences, [id]);
  return true;
}

async function write(connection: Connection, change: ChangeOf<'put'>): Promise<boolean> {
  const id = packText(idOf(change));
  if (change.expect === 'absent') return (await count(connection, insert, [change.kind, id, bodyOf(change, 1)])) === 1;
  const version = change.expect + 1;
  const values = [version, bodyOf(change, version), change.kind, id, change.expect];
  return (await count(connection, update, values)) === 1;
}

async function nameUser(connection: Connection, user: UserRecord): Promise<boolean> {
  const { username, all } = namesOf(user);
  const id = packText(user.userId);
  await count(connection, freeNames, [id]);
  return (await count(connection, takeNames, [all.map(packText), id, packText(username)])) === all.length;
}

async function nameAudiences(connection: Connection, server: ResourceServerRecord): Promise<boolean> {
  const audiences = audiencesOf(server);
  const id = packText(server.resourceServerId);
  await count(connection, freeAudiences, [id]);
  return (await count(connection, takeAudiences, [audiences.map(packText), id])) === audiences.length;
}
