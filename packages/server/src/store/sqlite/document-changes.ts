import type { DatabaseSync } from 'node:sqlite';
import { audiencesOf, bodyOf, idOf, namesOf } from '../documents.ts';
import type { ResourceServerRecord, UserRecord } from '../records.ts';
import type { ChangeOf } from './changes.ts';

/**
 * The changes of records that are replaced whole. Besides the version they keep what must be unique: usernames and e-mail addresses, in one
 * name space, so that nobody takes another's address as a username; and the audiences of resource servers.
 */
export function prepareDocumentChanges(db: DatabaseSync) {
  const insert = db.prepare(
    'INSERT INTO documents (kind, id, version, body) VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING',
  );
  const update = db.prepare('UPDATE documents SET version = ?, body = ? WHERE kind = ? AND id = ? AND version = ?');
  const remove = db.prepare('DELETE FROM documents WHERE kind = ? AND id = ? AND version = ?');
  const check = db.prepare('SELECT 1 FROM documents WHERE kind = ? AND id = ? AND version = ?');
  const freeNames = db.prepare('DELETE FROM user_names WHERE user_id = ?');
  const takeName = db.prepare(
    'INSERT INTO user_names (name, user_id, username) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const freeAudiences = db.prepare('DELETE FROM audiences WHERE resource_server_id = ?');
  const takeAudience = db.prepare(
    'INSERT INTO audiences (audience, resource_server_id) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );

  function takeNames(user: UserRecord): boolean {
    const { username, all } = namesOf(user);
    freeNames.run(user.userId);
    return all.every((name) => takeName.run(name, user.userId, username).changes === 1);
  }

  function takeAudiences(server: ResourceServerRecord): boolean {
    freeAudiences.run(server.resourceServerId);
    return audiencesOf(server).every((audience) => takeAudience.run(audience, server.resourceServerId).changes === 1);
  }

  function write(change: ChangeOf<'put'>): boolean {
    const id = idOf(change);
    if (change.expect === 'absent') return insert.run(change.kind, id, bodyOf(change, 1)).changes === 1;
    const version = change.expect + 1;
    return update.run(version, bodyOf(change, version), change.kind, id, change.expect).changes === 1;
  }

  return {
    put(change: ChangeOf<'put'>): boolean {
      if (!write(change)) return false;
      if (change.kind === 'user') return takeNames(change.record);
      if (change.kind === 'resource_server') return takeAudiences(change.record);
      return true;
    },

    remove(change: ChangeOf<'remove'>): boolean {
      if (remove.run(change.kind, change.id, change.expect).changes !== 1) return false;
      if (change.kind === 'user') freeNames.run(change.id);
      if (change.kind === 'resource_server') freeAudiences.run(change.id);
      return true;
    },

    check(change: ChangeOf<'check'>): boolean {
      return check.get(change.kind, change.id, change.expect) !== undefined;
    },
  };
}
