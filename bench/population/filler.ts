import { birthOf } from '../../packages/server/src/store/grant-birth.ts';
import { foldName } from '../../packages/server/src/store/user-names.ts';
import type { Model } from './model.ts';
import type { Person } from './people.ts';

/** A value of a column, as the engine's driver takes it. */
export type Value = string | number | Uint8Array;

/** Rows of one table that are the model's but for these columns. `model`: what finds the model's row. */
export type Copies = { table: string; model: Record<string, Value>; columns: readonly string[]; rows: Value[][] };

/** How an engine writes ids, and how it takes many rows at once. */
export interface Filler {
  packKey(id: string): Value;
  packText(text: string): Value;
  /** The columns that number rows, where the engine does not do so itself. */
  numbered: readonly string[];
  write(copies: readonly Copies[]): Promise<void>;
  /** Makes durable what was written, and the store as it would have become in time. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The rows of these people in every table that a sign-in fills, each a copy of the model's row but for what tells people apart: so a column that is added to the schema is in
 * the copies too. Events are left out: how many there are depends on how long they are kept, not on who lives.
 */
export function copiesOf(filler: Filler, model: Model, people: readonly Person[], firstNumber: number): Copies[] {
  const { packKey, packText, numbered } = filler;
  const grantNumber = (index: number) => (numbered.includes('grant_no') ? [firstNumber + index] : []);
  return [
    {
      table: 'documents',
      model: { kind: 'user', id: packText(model.user.userId) },
      columns: ['id', 'body'],
      rows: people.map((person) => [packText(person.userId), JSON.stringify({ ...model.user, ...identityOf(person) })]),
    },
    {
      table: 'user_names',
      model: { name: packText(foldName(model.user.username)) },
      columns: ['name', 'user_id', 'username'],
      rows: people.flatMap(({ userId, username, email }) =>
        [username, email].map((name) => [packText(foldName(name)), packText(userId), packText(foldName(username))]),
      ),
    },
    {
      table: 'sessions',
      model: { sid: packKey(model.session.sid) },
      columns: ['sid', 'user_id', 'cookie_digest'],
      rows: people.map(({ sid, userId, cookieDigest }) => [packKey(sid), packKey(userId), packKey(cookieDigest)]),
    },
    {
      table: 'grants',
      model: { grant_id: packKey(model.grant.grantId) },
      columns: ['grant_id', 'sid', 'user_id', 'birth', ...numbered],
      rows: people.map(({ grantId, sid, userId, secretDigest }, index) => [
        packKey(grantId),
        packKey(sid),
        packKey(userId),
        birthOf({ ...model.grant, secretDigest }),
        ...grantNumber(index),
      ]),
    },
    {
      table: 'grant_state',
      model: { grant_id: packKey(model.grant.grantId) },
      columns: ['grant_id', ...numbered],
      rows: people.map(({ grantId }, index) => [packKey(grantId), ...grantNumber(index)]),
    },
  ];
}

function identityOf({ userId, username, email }: Person) {
  return { userId, username, email };
}
